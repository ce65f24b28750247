"""`lookahead journal approve|resolve`: what only a person can say."""

import argparse
import getpass
import secrets
import sys
import time

from lookahead.canonical import digest_of
from lookahead.commands._listing import confirmed, emit, named, opened, when
from lookahead.journal import Approval, Granted, Resolved
from lookahead.refusal import prompt
from lookahead.settings import Settings
from lookahead.show import call_line


def approve(args: argparse.Namespace) -> int:
    with opened(args, readonly=False) as journal:
        decided = named(args.call, {one.call: one for one in journal.waiting()}, "call that waits for a person")
        text = prompt(decided.decision)
        print(text, file=sys.stderr)
        if not args.yes and not confirmed("Allow this call once?"):
            print("Nothing was allowed.", file=sys.stderr)
            return 3
        lives = Settings.found().policy.approval_seconds if args.lives is None else args.lives
        now = time.time()
        approval = Approval(
            id=secrets.token_hex(8),
            binding=decided.binding or "",
            granted_at=now,
            expires_at=now + lives,
            by=_me(),
            seen=digest_of(text),
        )
        journal.append(Granted(approval=approval))
    if args.json:
        emit("journal.approve", {"call": decided.call, "approval": approval.model_dump(mode="json")})
    else:
        print(f"Allowed once, until {when(approval.expires_at)}, as it was judged. Call it again unchanged.")
    return 0


def resolve(args: argparse.Namespace) -> int:
    with opened(args, readonly=False) as journal:
        doubt = named(args.call, {one.call: one for one in journal.in_doubt()}, "call in doubt")
        journal.append(Resolved(call=doubt.call, happened=args.happened, by=_me()))
    if args.json:
        emit("journal.resolve", {"call": doubt.call, "happened": args.happened})
    else:
        became = (
            "It happened, and will not be done again."
            if args.happened
            else "It did not happen, and may be tried again."
        )
        print(f"Settled: {call_line(doubt.action, 80)}. {became}")
    return 0


def _me() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "somebody"

"""`lookahead journal export|import|verify|prune`: the record as a whole."""

import argparse
import os
import sys
from contextlib import suppress

from lookahead.commands._listing import confirmed, emit, opened, path_of, when
from lookahead.errors import ConfigError
from lookahead.journal import Journal
from lookahead.show import safe


def export(args: argparse.Namespace) -> int:
    with opened(args) as journal:
        if args.file == "-":
            journal.export(sys.stdout)
            return 0
        try:
            # What an agent saw is for its owner's eyes, here as in the journal; and nothing is overwritten.
            out = open(os.open(args.file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8")  # noqa: SIM115
        except OSError as cause:
            raise ConfigError(f"{args.file} cannot be written: {cause.strerror or cause}") from cause
        try:
            with out:
                rows = journal.export(out)
        except BaseException:
            # Half an export is none.
            with suppress(OSError):
                os.unlink(args.file)
            raise
    if args.json:
        emit("journal.export", {"file": args.file, "rows": rows})
    else:
        print(f"{rows} rows written to {safe(args.file)}.")
    return 0


def load(args: argparse.Namespace) -> int:
    path = path_of(args)
    try:
        source = sys.stdin if args.file == "-" else open(args.file, encoding="utf-8")  # noqa: SIM115
    except OSError as cause:
        raise ConfigError(f"{args.file} cannot be read: {cause.strerror or cause}") from cause
    with source, Journal.load(source, path, head=args.head) as journal:
        verified = journal.verify()
    if args.json:
        emit("journal.import", {"journal": path, "rows": verified.rows, "head": verified.head})
    else:
        print(f"{verified.rows} rows, all as they were written, are now in {safe(path)}. Head: {verified.head}")
    return 0


def verify(args: argparse.Namespace) -> int:
    with opened(args) as journal:
        verified = journal.verify(args.head)
    if args.json:
        emit("journal.verify", verified.model_dump(mode="json"))
    elif verified.ok:
        print(f"{verified.rows} rows, each as it was written and none missing.")
        print(f"Head: {verified.head}")
        print("Note it elsewhere: who can write the file can write all of it anew, and only a noted head shows that.")
    else:
        where = "" if verified.broken is None else f" (row {verified.broken})"
        print(f"NOT what was written: {safe(verified.why)}{where}. {verified.rows} rows before it are good.")
    return 0 if verified.ok else 2


def prune(args: argparse.Namespace) -> int:
    with opened(args, readonly=False) as journal:
        question = f"Take out of {safe(journal.path)} every call that ended before {when(args.before)}?"
        if not args.yes and not confirmed(question):
            print("Nothing was pruned.", file=sys.stderr)
            return 3
        removed = journal.prune(args.before)
    if args.json:
        emit("journal.prune", {"removed": removed, "before": args.before})
    else:
        print(f"{removed} rows were pruned. Calls in doubt, live approvals and the ledger's counts were kept.")
    return 0

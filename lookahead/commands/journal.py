"""`lookahead journal`: what was imagined, decided and done; what is in doubt; what waits for a person."""

import argparse
from typing import Any, Final

from lookahead.commands import _journal_files as files
from lookahead.commands import _journal_people as people
from lookahead.commands._listing import common, emit, moment, named, opened, seconds, table, when
from lookahead.journal import Call, Decided, Foreseen, InDoubt, Resulted
from lookahead.show import call_line, effect_lines, lines, origin_line, safe

EXAMPLE: Final = """\
exit codes:
  0  clean        2  findings: calls are in doubt, or the record was altered
  1  error        3  incomplete: nothing was done, because the answer was no

examples:
  lookahead journal ls
  lookahead journal show 3f9a
  lookahead journal approve 3f9a
  lookahead journal resolve 77c0 --happened
"""

USUALLY: Final = {
    "ls": " --last 20",
    "show": " 3f9a",
    "export": " record.jsonl",
    "import": " record.jsonl --journal copy.db",
    "verify": "",
    "prune": " --before 90d",
    "approve": " 3f9a --for 15m",
    "resolve": " 77c0 --did-not",
}
"""What each command is usually given."""


def register(subparsers: Any) -> None:
    summary = "read the record: what was imagined, decided and done"
    parser = subparsers.add_parser("journal", help=summary, description=summary.capitalize() + ".", epilog=EXAMPLE)
    inner = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    ls = _command(inner, "ls", _ls, "list calls, those in doubt and those that wait for a person")
    ls.add_argument("--of", metavar="RUN", help="only this run")
    ls.add_argument("--last", metavar="N", type=int, default=50, help="the last N calls (default: 50; 0: all)")

    show = _command(inner, "show", _show, "show all that is known of one call")
    show.add_argument("call", help="its id, or enough of its beginning")

    export = _command(inner, "export", files.export, "write the journal as lines of JSON")
    export.add_argument(
        "file", nargs="?", default="-", help="where to; it must not exist yet (default: standard output)"
    )

    imported = _command(inner, "import", files.load, "make a new journal from exported lines")
    imported.add_argument("file", help="the exported file; - for standard input")
    imported.add_argument("--head", metavar="HASH", help="accept only the journal with this head")

    verify = _command(inner, "verify", files.verify, "prove that no row was changed, added, moved or lost")
    verify.add_argument("--head", metavar="HASH", help="a head that you noted earlier must be in it")

    prune = _command(inner, "prune", files.prune, "take out calls that ended long ago; the ledger keeps its counts")
    prune.add_argument("--before", metavar="WHEN", type=moment, required=True, help="a date, or an age such as 90d")
    prune.add_argument("--yes", action="store_true", help="do not ask")

    approve = _command(inner, "approve", people.approve, "allow one refused call, once, as it was judged")
    approve.add_argument("call", help="its id, or enough of its beginning")
    approve.add_argument("--for", dest="lives", metavar="TIME", type=seconds, help="how long it holds, such as 15m")
    approve.add_argument("--yes", action="store_true", help="do not ask")

    resolve = _command(
        inner, "resolve", people.resolve, "settle a call that is in doubt, once you know what became of it"
    )
    resolve.add_argument("call", help="its id, or enough of its beginning")
    known = resolve.add_mutually_exclusive_group(required=True)
    known.add_argument(
        "--happened", dest="happened", action="store_true", help="it was done; it will not be done again"
    )
    known.add_argument(
        "--did-not", dest="happened", action="store_false", help="it was not done; it may be tried again"
    )


def _command(inner: Any, name: str, run: Any, summary: str) -> argparse.ArgumentParser:
    example = f"example:\n  lookahead journal {name}{USUALLY[name]}"
    parser: argparse.ArgumentParser = inner.add_parser(
        name, help=summary, description=summary.capitalize() + ".", epilog=example
    )
    common(parser)
    parser.set_defaults(run=run)
    return parser


def _ls(args: argparse.Namespace) -> int:
    with opened(args) as journal:
        calls = journal.calls(args.of, limit=args.last or None)
        doubts = [doubt for doubt in journal.in_doubt() if args.of in (None, doubt.run)]
        waiting = [call for call in journal.waiting() if args.of in (None, call.run)]
    if args.json:
        emit(
            "journal.ls",
            {
                "calls": [_brief(call) for call in calls],
                "in_doubt": [doubt.model_dump(mode="json") for doubt in doubts],
                "waiting": [_asked(decided) for decided in waiting],
            },
        )
    else:
        _list(calls, doubts, waiting)
    return 2 if doubts else 0


def _brief(call: Call) -> dict[str, Any]:
    decision = call.decided.decision
    return {
        "call": call.call,
        "run": call.run,
        "at": call.at,
        "status": call.status,
        "tool": decision.proposed.tool,
        "arguments": decision.proposed.arguments,
        "choice": decision.choice,
        "rule": decision.rule,
        "reason": decision.reason,
    }


def _asked(decided: Decided) -> dict[str, Any]:
    decision = decided.decision
    asked = {"call": decided.call, "run": decided.run, "tool": decision.proposed.tool}
    return {**asked, "arguments": decision.proposed.arguments, "rule": decision.rule, "reason": decision.reason}


def _list(calls: list[Call], doubts: list[InDoubt], waiting: list[Decided]) -> None:
    if not calls:
        print("No calls are on record.")
    else:
        rows = [
            [
                when(one.at),
                one.call,
                one.status,
                one.decided.decision.choice,
                call_line(one.decided.decision.proposed, 80),
            ]
            for one in calls
        ]
        table(["when", "call", "status", "choice", "what"], rows)
    if doubts:
        print(f"\nIn doubt: {len(doubts)}. Each may have happened or not; none is repeated by itself.")
        for doubt in doubts:
            print(f"  {safe(doubt.call)}  {call_line(doubt.action, 80)}  ({safe(doubt.why)})")
        print("Look, then settle each: lookahead journal resolve CALL --happened | --did-not")
    if waiting:
        print(f"\nWaiting for a person: {len(waiting)}.")
        for decided in waiting:
            why = safe(decided.decision.reason, 80)
            print(f"  {safe(decided.call)}  {call_line(decided.decision.proposed, 80)}  ({why})")
        print("Look at one: lookahead journal show CALL. Allow it once: lookahead journal approve CALL")


def _show(args: argparse.Namespace) -> int:
    with opened(args) as journal:
        call = named(args.call, {one.call: one for one in journal.calls(starting=args.call)}, "call")
    if args.json:
        parts = {"decided": call.decided, "intended": call.intended, "resulted": call.resulted}
        parts |= {"foreseen": call.foreseen, "interrupted": call.interrupted, "resolved": call.resolved}
        said = {name: part.model_dump(mode="json") if part else None for name, part in parts.items()}
        emit("journal.show", {**_brief(call), **said})
    else:
        print("\n".join(_told(call)))
    return 2 if call.status == "in doubt" else 0


def _told(call: Call) -> list[str]:
    said = [f"call {safe(call.call)} of run {safe(call.run)}, {when(call.at)}: {call.status}", ""]
    said += [*lines(call.decided.decision), ""]
    if call.intended is not None:
        owner = call.intended.owner
        who = f", by process {owner.pid}" if owner else ""
        said.append(f"to be done: {call_line(call.intended.action, None)} ({call.intended.effect}{who})")
    if call.interrupted is not None:
        said.append(f"cut off: {safe(call.interrupted.why)}")
    if call.resolved is not None:
        said.append(
            f"settled by {safe(call.resolved.by)}: it {'happened' if call.resolved.happened else 'did not happen'}"
        )
    if call.resulted is not None:
        said += [*_answered(call.resulted), *_compared(call.resulted)]
    if call.foreseen is not None:
        said += ["", "imagined beside it, without holding it up:", *lines(call.foreseen.decision)]
        said += _compared(call.foreseen)
    return said


def _answered(result: Resulted) -> list[str]:
    observation = result.observation
    verb = "failed" if observation.failed else "answered"
    said = [f"{verb} after {result.seconds:.3f} s ({origin_line(observation.origin)}):"]
    said += [f"  | {safe(line, None)}" for line in observation.content.splitlines()]
    if observation.effects is not None:
        said += [f"  {line}" for line in effect_lines(observation.effects)]
    return said


def _compared(result: Resulted | Foreseen) -> list[str]:
    if result.agreement is None:
        return []
    how = "as imagined" if result.agreement.agreed else f"not as imagined: {safe(result.agreement.detail)}"
    return [f"{how} (by {safe(result.world or 'nobody')}, {result.agreement.how})"]

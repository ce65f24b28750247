"""`lookahead train cpt|sft|rl|all`: the stages, and the reference run of all of them."""

import argparse
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, get_args, get_origin

from lookahead.commands._listing import emit, table
from lookahead.commands._measuring import Counting
from lookahead.show import safe

if TYPE_CHECKING:
    from lookahead.train.all import Summary
    from lookahead.train.config import Outcome, Stage

INTERRUPTED: Final = 130
_SUMMARY: Final[Mapping["Stage", str]] = {
    "cpt": "stage 1: learn what worlds answer, token by token",
    "sft": "stage 2: learn to answer questions, from accepted answers",
    "rl": "stage 3: sharpen answers by reward",
}
_EXAMPLE: Final[Mapping["Stage", str]] = {
    "cpt": "lookahead train cpt --init scratch:4 --data pools/cpt.jsonl --out runs/cpt",
    "sft": "lookahead train sft --init runs/cpt/model --data pools/sft.jsonl --out runs/sft",
    "rl": "lookahead train rl --init runs/sft/model --data pools/rl.jsonl --out runs/rl",
}
_COMMON: Final = {
    "init": "a name of the hub, a folder, or scratch:SIZE (scratch:4)",
    "out": "the folder of this run; what is there already is gone on with",
    "epochs": "how often everything is seen",
    "steps": "updates of the weights, where epochs are not to count",
    "batch": "sequences in one update, on all devices together",
    "micro": "sequences that one device holds at once",
    "context": "the longest sequence in tokens",
    "learning_rate": "follows from the model, where it is not said",
    "tuning": "full, lora or auto",
    "seed": "another beginning",
}
_OWN: Final[Mapping["Stage", Mapping[str, str]]] = {
    "cpt": {"masking": "thin out turns that teach little", "packing": "several trajectories in one row"},
    "sft": {
        "teacher": "a model's address, self, or recorded",
        "judge": "a model's address, or likeness, which asks nobody",
        "rollouts": "answers to each question",
        "bar": "the mean grade that an answer must reach, 1 to 5",
    },
    "rl": {
        "judge": "a model's address, or likeness, which asks nobody",
        "generations": "answers to each question, compared with each other",
        "rule_share": "the part of the reward that a check says",
    },
}


def register(subparsers: Any) -> None:
    for stage in _SUMMARY:
        _stage(subparsers, stage)
    _all(subparsers)


def _stage(subparsers: Any, stage: "Stage") -> None:
    from lookahead.train.config import CONFIGS

    epilog = f"Each key of the file is a flag as well: --keys lists them.\n\nexample:\n  {_EXAMPLE[stage]}\n"
    summary = _SUMMARY[stage]
    parser = subparsers.add_parser(stage, help=summary, description=f"{summary.capitalize()}.", epilog=epilog)
    parser.add_argument("--config", metavar="FILE", help="a TOML file; flags win over it")
    parser.add_argument("--data", nargs="+", metavar="POOL", default=argparse.SUPPRESS, help="files or folders")
    told = {**_COMMON, **_OWN[stage]}
    for name, field in CONFIGS[stage].model_fields.items():
        if name != "data":
            _flag(parser, name, field.annotation, told.get(name, argparse.SUPPRESS))
    parser.add_argument("--keys", action="store_true", help="list every key, with what it is when it is not said")
    parser.add_argument("--json", action="store_true", help="answer for programs")
    parser.set_defaults(run=run, stage=stage)


def _flag(parser: argparse.ArgumentParser, name: str, kind: Any, told: str) -> None:
    flag = f"--{name.replace('_', '-')}"
    kinds = get_args(kind) if get_origin(kind) not in (None, Literal) else (kind,)
    if bool in kinds:
        parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, help=told)
    else:
        shown = "N" if {int, float} & set(kinds) else "WHAT"
        parser.add_argument(flag, metavar=shown, default=argparse.SUPPRESS, help=told)


def run(args: argparse.Namespace) -> int:
    from lookahead.train.config import CONFIGS
    from lookahead.train.run import train

    kind = CONFIGS[args.stage]
    if args.keys:
        return _keys(kind.model_fields)
    said = {name: value for name in kind.model_fields if (value := getattr(args, name, None)) is not None}
    config = kind.read(args.config, said)
    _ = config.folder  # said before anything is loaded
    outcome = train(config)
    if _first_of_all():
        _show(args, outcome)
    return INTERRUPTED if outcome.interrupted else 0


def _keys(fields: Mapping[str, Any]) -> int:
    rows = [[name, "" if field.default is None else str(field.default)] for name, field in fields.items()]
    table(["key", "otherwise"], rows)
    return 0


def _first_of_all() -> bool:
    """With several processes, one of them speaks."""
    from lookahead.train.loop import main_process

    return main_process()


def _show(args: argparse.Namespace, outcome: "Outcome") -> None:
    if args.json:
        emit("train.stage", {**outcome.model_dump(mode="json"), "tokens_per_second": outcome.tokens_per_second})
        return
    loss = "" if outcome.loss is None else f", last loss {outcome.loss:.4g}"
    print(f"{outcome.stage}: {outcome.steps} steps{loss}, {outcome.tokens_per_second:,.0f} tokens/s")
    for name, value in outcome.figures.items():
        if name.startswith(("kept", "counted", "executed", "reward")) and "/" not in name:
            print(f"  {safe(name)}: {value:.3g}")
    if outcome.interrupted:
        print(f"Stopped. Go on with the same command: {safe(outcome.out)} has a checkpoint.", file=sys.stderr)
    else:
        print(f"The model is in {safe(outcome.model)}, its curves in {safe(outcome.out)}.")


# ---- all of them ----

_ALL: Final = """\
A table [cpt], [sft] or [rl] in the file tells one stage. What is done already
is not done again.

exit codes: 0 done, 1 error, 2 not better than what is in use, 130 stopped

example:
  lookahead train all .lookahead/journal.db --out runs/first
"""


def _all(subparsers: Any) -> None:
    summary = "the reference run: data, three stages, what each brought, promotion"
    parser = subparsers.add_parser("all", help=summary, description=f"{summary.capitalize()}.", epilog=_ALL)
    say = parser.add_argument
    say("data", nargs="*", metavar="PATH", help="journals, trajectories, or a folder of pools")
    say("--config", metavar="FILE", help="a TOML file; flags win over it")
    say("--out", metavar="DIR", help="the folder of the whole run")
    say("--init", metavar="WHAT", help="what it begins with (scratch:4)")
    say("--teacher", metavar="WHAT", help="a model's address, self, or recorded (recorded)")
    say("--judge", metavar="WHAT", help="a model's address, or likeness (likeness)")
    say("--tuning", metavar="WHAT", help="full, lora or auto (auto)")
    say("--measured", metavar="N", help="transitions that each stage is measured on (400; 0: none)")
    say("--models", metavar="DIR", help="what is in use, and may be replaced (DIR/models)")
    say("--seed", metavar="N", help="another beginning")
    say("--json", action="store_true", help="answer for programs")
    parser.set_defaults(run=run_all)


def run_all(args: argparse.Namespace) -> int:
    from lookahead.train.all import AllConfig, main

    names = ("data", "out", "init", "teacher", "judge", "tuning", "measured", "models", "seed")
    said = {name: value for name in names if (value := getattr(args, name))}
    config = AllConfig.read(args.config, said)
    summary = main(config, say=_say, count=_counted) if _first_of_all() else main(config)
    if args.json:
        emit("train.all", summary.model_dump(mode="json"))
    else:
        _sum(summary)
    if summary.interrupted:
        return INTERRUPTED
    return 2 if summary.promoted is False else 0


def _say(text: str) -> None:
    print(safe(text, 1000), file=sys.stderr, flush=True)


def _counted(name: str, calls: int) -> Callable[[bool], object]:
    """How far the measuring of a checkpoint is: one line, which ends with the last call."""
    counting = Counting(f"{name}, measured", of=calls)

    def tell(right: bool) -> None:
        counting(right)
        if counting.count == calls:
            counting.done(always=True)

    return tell


def _sum(summary: "Summary") -> None:
    rows = [
        [
            one.name,
            str(one.outcome.steps) if one.outcome else "",
            f"{one.outcome.loss:.4g}" if one.outcome and one.outcome.loss is not None else "",
            _share(one.changed),
            _share(one.unchanged),
        ]
        for one in summary.checkpoints
    ]
    heads = ["stage", "steps", "last loss", "right where something changes", "where nothing does"]
    table(heads, rows, right=frozenset(range(1, 5)))
    if summary.interrupted:
        print("Stopped. Go on with the same command.")
    elif summary.promoted:
        print(f"In use now: {safe(summary.checkpoints[-1].model)}")
    elif summary.promoted is False:
        print("Not promoted:")
        for why in summary.why_not:
            print(f"  {safe(why)}")
        print(f"In use still: {safe(summary.in_use or 'nothing')}")
    print(f"All of it: {safe(summary.out)}")


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"

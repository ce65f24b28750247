"""The reference run: data, three stages, what each of them brought, and promotion; one folder, one summary.

    lookahead train all .lookahead/journal.db --out runs/first
    lookahead train all --config reference.toml

Every part leaves what it made in the folder, and is not done again when the run goes on. Each stage is measured on the
pool that none of them learns from, so the summary also says where a stage did nothing.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import anyio
from pydantic import Field, ValidationError

from lookahead.errors import ConfigError
from lookahead.explain import explain
from lookahead.train import resume
from lookahead.train.config import CONFIGS, AnyConfig, Outcome, Stage, toml_of
from lookahead.train.run import train
from lookahead.types import Noun

if TYPE_CHECKING:
    from lookahead.evaluate.outcomes import Outcome as Answered
    from lookahead.train.current import Current

STAGES: Final[tuple[Stage, ...]] = ("cpt", "sft", "rl")
SUMMARY: Final = "summary"
_POOLS: Final = "pools"
_MEASURED: Final = "measured"
_COMMON: Final = ("seed", "deterministic", "precision", "tuning", "trust_remote_code", "imagined")
_ALL: Final = "all.json"


Say: TypeAlias = Callable[[str], object]
Count: TypeAlias = Callable[[str, int], Callable[[bool], object]]
"""Told what is measured, and on how many calls: it gives what is told of each call whether it was right."""


class AllConfig(Noun):
    """What the reference run is told. What a stage is told by itself stands in a table of its name."""

    data: tuple[str, ...] = ()
    """Journals, trajectories and folders of them; or one folder of pools that is there already."""
    out: str = ""
    init: str = "scratch:4"
    teacher: str = "recorded"
    judge: str = "likeness"
    seed: int = 0
    tuning: str = "auto"
    precision: str = "auto"
    deterministic: bool = False
    trust_remote_code: bool = False
    imagined: bool = False
    stages: tuple[Stage, ...] = STAGES
    cpt: dict[str, Any] = Field(default_factory=dict)
    sft: dict[str, Any] = Field(default_factory=dict)
    rl: dict[str, Any] = Field(default_factory=dict)
    measured: int = Field(default=400, ge=0)
    """Transitions that each checkpoint is measured on; 0: none, and no promotion."""
    models: str = ""
    """Where the promoted checkpoints are listed; empty: `models` in the folder of the run."""

    @classmethod
    def read(cls, path: str | Path | None = None, said: Mapping[str, Any] | None = None) -> "AllConfig":
        content = toml_of(path)
        try:
            found = cls.model_validate({**content, **(said or {})})
        except ValidationError as cause:
            raise ConfigError(explain(cause, str(path or "train all"), cls)) from cause
        if not found.out:
            raise ConfigError('where to? say --out FOLDER, or out = "FOLDER" in the file')
        for stage in found.stages:
            found.stage(stage, found.init)  # a key that is not known is told now, and not after hours
        return found

    def stage(self, name: Stage, init: str) -> AnyConfig:
        """The configuration of one stage."""
        kind = CONFIGS[name]
        common: dict[str, Any] = {key: getattr(self, key) for key in _COMMON}
        common |= {key: getattr(self, key) for key in ("teacher", "judge") if key in kind.model_fields}
        own: dict[str, Any] = getattr(self, name)
        places = {"init": init, "data": (str(self.pools / f"{name}.jsonl"),), "out": str(Path(self.out) / name)}
        try:
            return kind.model_validate({**common, **own, **places})
        except ValidationError as cause:
            raise ConfigError(explain(cause, f"the table [{name}]", kind)) from cause

    @property
    def pools(self) -> Path:
        given = [Path(place) for place in self.data]
        return given[0] if len(given) == 1 and (given[0] / "manifest.json").is_file() else Path(self.out) / _POOLS


class Checkpoint(Noun):
    """A model on the way, and how it was measured."""

    name: str
    model: str
    outcome: Outcome | None = None
    changed: float | None = None
    """The share that is wholly right of the calls that change something."""
    unchanged: float | None = None


class Summary(Noun):
    """What came of it all."""

    out: str
    checkpoints: tuple[Checkpoint, ...] = ()
    promoted: bool | None = None
    """None where nothing was compared."""
    why_not: tuple[str, ...] = ()
    in_use: str | None = None
    """The checkpoint that is in use after it all."""
    interrupted: bool = False


def main(
    config: AllConfig, *, watchers: Iterable[Any] = (), say: Say | None = None, count: Count | None = None
) -> Summary:
    """Everything that has not been done yet. `say` hears what begins, `count` what is being measured."""
    folder = Path(config.out)
    _claim(config, folder)
    pools = _pooled(config)
    if say is not None:
        _tell_pools(pools, config, say)
    found: list[Checkpoint] = []
    outcomes: dict[str, list[Answered]] = {}
    init = config.init
    for name in config.stages:
        if say is not None:
            say(f"{name}: begins with {init}")
        outcome = train(config.stage(name, init), watchers=watchers)
        if outcome.interrupted:
            return Summary(out=config.out, checkpoints=tuple(found), interrupted=True)
        init = outcome.model
        answered = outcomes[name] = _measured(config, name, init, pools, count)
        found.append(Checkpoint(name=name, model=init, outcome=outcome, **_shares(answered)))
    promoted, why_not = _promoted(config, found, outcomes, pools, count)
    in_use = _models(config).promotion() if config.measured else None
    summary = Summary(
        out=config.out,
        checkpoints=tuple(found),
        promoted=promoted,
        why_not=why_not,
        in_use=in_use.model if in_use else None,
    )
    _told(summary, outcomes, folder)
    return summary


def _claim(config: AllConfig, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    said = json.dumps(config.model_dump(mode="json", exclude={"out"}), indent=2, sort_keys=True)
    path = folder / _ALL
    if path.exists() and path.read_text(encoding="utf-8") != said:
        raise ConfigError(f"{folder} holds another run, told otherwise (see {path}): choose another --out")
    resume.written(path, said)


def _pooled(config: AllConfig) -> Path:
    """The folder of pools, made where it is not there."""
    from lookahead.train.data import Options, gather

    pools = config.pools
    if not (pools / "manifest.json").is_file():
        if not config.data:
            raise ConfigError("learn from what? name a journal, such as .lookahead/journal.db, a file or a folder")
        with gather(config.data, Options(seed=config.seed)) as gathered:
            gathered.write(pools)
    return pools


def _tell_pools(pools: Path, config: AllConfig, say: Say) -> None:
    """How much there is of each; and, before hours go by, whether it is enough to decide anything."""
    from lookahead.train.pools import manifest_in
    from lookahead.train.promote import LEAST

    sizes = {name: pool.trajectories for name, pool in manifest_in(pools).pools.items()}
    say(f"{sum(sizes.values()):,} trajectories: {', '.join(f'{name} {size:,}' for name, size in sizes.items())}")
    if config.measured and (there := sizes.get("promotion", 0)) < LEAST:
        say(
            f"Nothing can be promoted with {there} in promotion, whatever is learned: it takes {LEAST} in which "
            "something changes. Next: more data, or a larger part of it, with lookahead train data --out POOLS "
            "--pools cpt=0.6,sft=0.1,rl=0.1,promotion=0.2"
        )


def _measured(config: AllConfig, name: str, model: str, pools: Path, count: Count | None = None) -> "list[Answered]":
    """The checkpoint's answers to transitions that no stage learns from. On disk one by one, so nothing is lost."""
    if not config.measured:
        return []
    from lookahead.evaluate.fidelity import measure
    from lookahead.evaluate.loading import load
    from lookahead.train.answering import Answering
    from lookahead.types import Asking
    from lookahead.worlds.language import LanguageWorld

    path = Path(config.out) / _MEASURED / f"{name}.jsonl"
    path.parent.mkdir(exist_ok=True)
    complete = Answering.load(model, longest=512)
    # The model's own limit counts, and Answering keeps to it: this one is for the estimate of an endpoint's.
    world = LanguageWorld(complete, thinking="off", max_tokens=512, seconds=600.0, asking=Asking(temperature=0.0))
    transitions = list(islice(load(pools / "promotion.jsonl"), config.measured))
    made_of = {"stage": name, "transitions": config.measured}
    tell = count(name, len(transitions)) if count is not None else None

    def progress(one: "Answered") -> None:
        if tell is not None:
            tell(one.whole)

    return anyio.run(
        lambda: measure(world, transitions, name=name, at_once=1, out=path, made_of=made_of, progress=progress)
    ).outcomes


def _shares(outcomes: "list[Answered]") -> dict[str, float | None]:
    from lookahead.evaluate.splits import measured

    def share(changed: bool) -> float | None:
        values = [measured("whole", one) or 0.0 for one in outcomes if one.changed == changed]
        return math.fsum(values) / len(values) if values else None

    return {"changed": share(True), "unchanged": share(False)}


def _promoted(
    config: AllConfig,
    found: list[Checkpoint],
    outcomes: "dict[str, list[Answered]]",
    pools: Path,
    count: Count | None = None,
) -> tuple[bool | None, tuple[str, ...]]:
    """The last checkpoint against the one in use; where none is, against the first of this run."""
    if not config.measured or not found:
        return None, ()
    from lookahead.train.promote import judge
    from lookahead.train.unseen import unseen

    models = _models(config)
    last, now, in_use = found[-1], models.promotion(), models.model()
    if now is None or in_use is None:
        models.put(found[0].model, "first")
        now, in_use = models.promotion(), models.model()
        assert now is not None
        assert in_use is not None
    if Path(in_use).resolve() == Path(last.model).resolve():
        return None, ()
    known = next((one.name for one in found if Path(one.model).resolve() == Path(in_use).resolve()), None)
    before = outcomes[known] if known else _measured(config, "in-use", str(in_use), pools, count)
    proof = unseen(outcomes[last.name], pools, (in_use, Path(last.model)))
    judgement = judge(before, outcomes[last.name], unseen=proof, names=(str(in_use), last.model))
    if judgement.promoted:
        models.put(last.model, "better", judgement.report.to_json(), expected=now.number)
    return judgement.promoted, judgement.why_not


def _models(config: AllConfig) -> "Current":
    from lookahead.train.current import Current

    return Current(config.models or Path(config.out) / "models")


def _told(summary: Summary, outcomes: "dict[str, list[Answered]]", folder: Path) -> None:
    """The summary for programs, and a page for people."""
    from lookahead.evaluate.report import Plot, Point, Report, Series, Table, to_html
    from lookahead.evaluate.splits import rate

    kinds = (("change something", True), ("change nothing", False))
    measured = {
        (one.name, title): rate("whole", [case for case in outcomes[one.name] if case.changed == changed])
        for one in summary.checkpoints
        for title, changed in kinds
    }
    heads = ("stage", "steps", "last loss", "tokens/s", *(f"right, calls that {title}" for title, _ in kinds))
    rows = tuple(
        (
            one.name,
            one.outcome.steps if one.outcome else None,
            one.outcome.loss if one.outcome else None,
            round(one.outcome.tokens_per_second) if one.outcome else None,
            *(measured[one.name, title] for title, _ in kinds),
        )
        for one in summary.checkpoints
    )
    series = tuple(
        Series(name=title, points=tuple(Point.of(one.name, measured[one.name, title]) for one in summary.checkpoints))
        for title, _ in kinds
    )
    verdict = {None: "nothing to compare", True: "yes", False: "no: " + "; ".join(summary.why_not)}[summary.promoted]
    report = Report(
        kind="training",
        title="A reference run",
        made_of={"out": summary.out},
        tables=(Table(title="What each stage brought", heads=heads, rows=rows),),
        plots=(Plot(kind="bars", title="Wholly right", y="share", series=series, low=0.0, high=1.0),),
        notes=(f"Promoted: {verdict}.",),
    )
    resume.written(folder / f"{SUMMARY}.json", summary.model_dump_json(indent=2))
    resume.written(folder / f"{SUMMARY}.html", to_html(report))

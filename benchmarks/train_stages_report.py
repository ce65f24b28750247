"""What `train_stages.py` found, as a report: what each stage brought, what is lost without its parts, one picture."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from lookahead.evaluate.outcomes import Outcome
from lookahead.evaluate.report import Cell, Figure, Plot, Point, Report, Series, Table
from lookahead.evaluate.splits import values_of
from lookahead.evaluate.statistics import difference_interval, mean_interval

Outcomes = Sequence[Outcome]

STAGES = ("scratch", "cpt", "sft", "rl")
CHAT = ", as the chat goes on"
"""Behind the name of what was not asked a question, but shown a chat that goes on: the form that CPT learns from."""
ABLATIONS = {
    "masking": ("cpt without masking" + CHAT, "cpt" + CHAT),
    "CPT before SFT": ("sft without cpt", "sft"),
    "the rule's reward": ("rl without rule", "rl"),
}
SEEN, NEW = "leaked, on what it has seen", "leaked, on what is new"
_NOTE = (
    "Of changes: the difference for calls that change something. Each seed: without. Masking is measured as the chat "
    "goes on; without it every turn counts in the loss, not only those that teach something. Disjoint pools: CPT goes "
    "on for a while with a small pool in which what is measured lies too, and the same model is then measured on new "
    "trajectories (with) and on those (without): the difference is by how much a leak flatters."
)


def exact(outcomes: Outcomes, changed: bool | None = None) -> Figure:
    chosen = [one for one in outcomes if changed is None or one.changed == changed]
    values = [float(one.exact) for one in chosen]
    return mean_interval(values, [one.episode for one in chosen], digits=3, better="higher")


def gap(after: Outcomes, before: Outcomes, changed: bool | None = None) -> Figure:
    def only(one: Outcome) -> bool:
        return changed is None or one.changed == changed

    found = difference_interval(values_of("exact", after, only), values_of("exact", before, only))
    return found.model_copy(update={"digits": 3, "better": "higher"})


def apart(after: Outcomes, before: Outcomes, changed: bool | None = None) -> Figure:
    """The difference of two that were asked about different cases: intervals that do not know of each other."""
    one, other = exact(after, changed), exact(before, changed)
    assert one.value is not None
    assert other.value is not None
    low = (one.low or 0) - (other.high or 1)
    high = (one.high or 1) - (other.low or 0)
    return Figure(value=one.value - other.value, low=low, high=high, n=one.n, clusters=one.clusters, digits=3)


def gains(together: Mapping[str, Outcomes], form: str = "") -> dict[str, Figure]:
    """What each stage added to the one before it, asked or as the chat goes on."""
    return {after: gap(together[after + form], together[before + form]) for before, after in pairwise(STAGES)}


def reported(seeds: Mapping[int, Mapping[str, Outcomes]], made_of: dict[str, Any]) -> Report:
    together = {name: [one for seed in seeds.values() for one in seed[name]] for name in next(iter(seeds.values()))}
    each = {name: [exact(seed[name]).value for seed in seeds.values()] for name in together}
    forms = {"as it is asked when it serves": "", "as the chat goes on": CHAT}
    plot = Plot(
        kind="bars",
        title="Exact answers after each stage",
        y="share exact",
        series=tuple(
            Series(name=title, points=tuple(Point.of(stage, exact(together[stage + form])) for stage in STAGES))
            for title, form in forms.items()
        ),
        low=0,
        high=1,
    )
    return Report(
        kind="train-stages",
        title="Each stage of training, in miniature",
        made_of=made_of,
        must_match=("world",),
        figures={f"exact after {name}{form}": exact(together[name + form]) for form in ("", CHAT) for name in STAGES},
        tables=(*(_stages(together, each, title, form) for title, form in forms.items()), _ablations(together, each)),
        plots=(plot,),
        notes=tuple(note for form in ("", CHAT) for note in _verdicts(gains(together, form), form)),
    )


def _stages(together: Mapping[str, Outcomes], each: Mapping[str, Any], title: str, form: str) -> Table:
    gained = gains(together, form)
    rows: list[tuple[Cell, ...]] = [
        (
            name,
            exact(together[name + form]),
            exact(together[name + form], False),
            exact(together[name + form], True),
            gained.get(name),
            _each(each[name + form]),
        )
        for name in STAGES
    ]
    heads = ("after", "all calls", "change nothing", "change something", "gain", "each seed")
    note = "On trajectories that no stage has seen."
    return Table(title=f"Exact answers, {title}", heads=heads, rows=tuple(rows), note=note)


def _ablations(together: Mapping[str, Outcomes], each: Mapping[str, Any]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            what,
            exact(together[base]),
            exact(together[name]),
            gap(together[name], together[base]),
            gap(together[name], together[base], True),
            _each(each[name]),
        )
        for what, (name, base) in ABLATIONS.items()
    ]
    leaked, new = together[SEEN], together[NEW]
    rows.append(
        (
            "disjoint pools",
            exact(new),
            exact(leaked),
            apart(leaked, new),
            apart(leaked, new, True),
            _each(each[SEEN]),
        )
    )
    heads = ("of", "with", "without", "difference", "of changes", "each seed")
    return Table(title="What is lost without", heads=heads, rows=tuple(rows), note=_NOTE)


def _each(values: Sequence[float | None]) -> str:
    return ", ".join("–" if value is None else f"{value:.3f}" for value in values)


def _verdicts(gained: Mapping[str, Figure], form: str) -> list[str]:
    """Which stage did something, in words, and which did nothing."""
    before: dict[str, str] = dict(zip(STAGES[1:], STAGES, strict=False))
    found: list[str] = []
    for after, one in gained.items():
        moved = one.low is not None and one.high is not None and (one.low > 0 or one.high < 0)
        found.append(
            f"{after} after {before[after]}{form or ', as it is asked'}: "
            f"{one.value:+.3f} [{one.low:+.3f}, {one.high:+.3f}], "
            + (("better" if (one.value or 0) > 0 else "worse") if moved else "which shows nothing")
        )
    return found

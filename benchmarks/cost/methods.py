"""The first table: one decision by each method, on the same server, in the same run."""

import statistics
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Final, TypeAlias

from ours import agent, decide
from peers import PEERS
from recording import Counters, Recorder, WholeAnswers
from situation import Situation, Sizes

OURS: Final[Mapping[str, Mapping[str, bool]]] = {
    "Lookahead": {"rules": True},
    "Lookahead, one-token critic": {},
    "Lookahead, one-token critic, replanning": {"replan": True},
}
"""As a user gets it who names a world and a search; with a model as judge; and with that in its dearest form."""
NAMES: Final = (*OURS, *PEERS)

Deciding: TypeAlias = Callable[[Situation], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What one decision took."""

    calls: int
    samples: int
    prompt: int
    computed: int
    generated: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Row:
    """A method: how many rounds a decision has, and what decisions took; the median of each figure."""

    name: str
    rounds: int
    words: int
    """Rounds in which something longer than one token was written."""
    first: Sequence[Spent]
    """At the first step of an episode, when the server knows nothing of it."""
    later: Sequence[Spent]
    """At the next step."""

    @property
    def added(self) -> int:
        """Rounds behind the agent's own answer, which is there without looking ahead."""
        return self.rounds - 1


@contextmanager
def opened(name: str, model: Recorder, where: Situation, *, k: int, depth: int) -> Generator[Deciding]:
    """A method at work in one episode."""
    if name in OURS:
        with agent(model, where, k=k, depth=depth, **OURS[name]) as guarded:
            yield lambda now: decide(guarded, model, now, k, depth)
    else:
        yield lambda now: PEERS[name](model, now, k, depth)


async def rounds(name: str, model: WholeAnswers, sizes: Sizes, *, k: int, depth: int) -> tuple[int, int]:
    """How many rounds one decision has, and in how many of them words are written."""
    where = Situation.fresh(f"held-{name}-{perf_counter()}", sizes)
    recorder = Recorder(model=model, sizes=sizes)
    with opened(name, recorder, where, k=k, depth=depth) as deciding:
        async with recorder.waves() as waves:
            await deciding(where)
    return waves.rounds, len({call.round for call in recorder.calls if call.kind != "verdict"})


async def episode(name: str, model: WholeAnswers, sizes: Sizes, *, k: int, depth: int) -> tuple[Spent, Spent]:
    """Two decisions, one step apart."""
    where = Situation.fresh(f"free-{name}-{perf_counter()}", sizes)
    recorder = Recorder(model=model, sizes=sizes)
    found: list[Spent] = []
    with opened(name, recorder, where, k=k, depth=depth) as deciding:
        for _ in range(2):
            recorder.calls.clear()
            before, began = Counters.of(model.url), perf_counter()
            await deciding(where)
            seconds = perf_counter() - began
            counted = Counters.of(model.url).since(before)
            found.append(
                Spent(
                    calls=len(recorder.calls),
                    samples=sum(call.samples for call in recorder.calls),
                    prompt=sum(call.prompt for call in recorder.calls),
                    computed=counted.computed,
                    generated=counted.generated,
                    seconds=seconds,
                )
            )
            where = where.then(where.action(), where.text(sizes["forecast"]))
    return found[0], found[1]


async def compare(
    model: WholeAnswers, sizes: Sizes, *, k: int, depth: int, times: int, names: Sequence[str] = NAMES
) -> list[Row]:
    """Rounds are counted once for each method; the rest is measured in turns, so that all meet the same weather."""
    held = {name: await rounds(name, model, sizes, k=k, depth=depth) for name in names}
    free: dict[str, list[tuple[Spent, Spent]]] = {name: [] for name in names}
    for _ in range(times):
        for name in names:
            free[name].append(await episode(name, model, sizes, k=k, depth=depth))
    return [
        Row(
            name=name,
            rounds=held[name][0],
            words=held[name][1],
            first=[first for first, _ in free[name]],
            later=[later for _, later in free[name]],
        )
        for name in names
    ]


def median(spent: Sequence[Spent], figure: str) -> float:
    return statistics.median(getattr(one, figure) for one in spent)


def table(rows: Sequence[Row], *, timed: bool) -> list[str]:
    lines = [
        "| decision by | rounds | beyond the agent's own | of these with words | calls | samples | prompt tokens "
        "| computed at the first step | computed later | generated | seconds | times ours |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        figures = [
            *(row.rounds, row.added, row.words - 1),
            *(median(row.later, figure) for figure in ("calls", "samples", "prompt")),
            *(median(row.first, "computed"), median(row.later, "computed"), median(row.later, "generated")),
        ]
        seconds, ours = median(row.later, "seconds"), median(rows[0].later, "seconds")
        clock = f"{seconds:.2f} | {seconds / ours:.1f}" if timed else "– | –"
        lines.append(f"| {row.name} | {' | '.join(f'{figure:,.0f}' for figure in figures)} | {clock} |")
    return lines

"""Our decision: the planner that `with_lookahead` makes, with a world, a critic and a proposer on the same server."""

from collections.abc import AsyncIterator, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from recording import Recorder
from situation import CHANGES, READS, Situation, call

from lookahead import with_lookahead
from lookahead.critics.language import CheapCritic, LanguageProposer
from lookahead.planner import Outcome
from lookahead.search import BestOf, Preview, Search
from lookahead.session import Session
from lookahead.types import Action, Critic, Proposer, Rollout, State, Verdict
from lookahead.worlds.language import LanguageWorld

UNLIMITED: Final = {"seconds": None, "calls": None}


@dataclass(frozen=True, kw_only=True)
class Agent:
    """Two tools with Lookahead round them."""

    tools: Sequence[Any]
    session: Session

    async def consider(self, where: Situation, proposed: Action, *, depth: int = 1, spare: bool = False) -> Outcome:
        """What the line would think about this call. `depth`: as if the world's record allowed it."""
        line = self.session.line
        return await line.planner.consider(where.state, proposed, meter=line.meter, depth=depth, spare=spare)


@contextmanager
def agent(
    model: Recorder,
    where: Situation,
    *,
    k: int,
    depth: int = 1,
    propose: Proposer | None = None,
    critic: Critic | None = None,
    rules: bool = False,
    replan: bool = False,
    journal: str = ":memory:",
) -> Generator[Agent]:
    """`propose` and `critic` are the language proposer and the cheap critic, if not given.

    `rules`: no model judges, as where a user says nothing of a critic.
    """

    async def move_to(path: str) -> str:
        """Moves the current record to another place."""
        return "done"

    async def look_at(path: str) -> str:
        """Shows the record at a place."""
        return "empty"

    search: Search = Preview()
    if k > 1:
        search = BestOf(k=k, depth=depth, propose=propose or LanguageProposer(model), replan=replan)
    tools = with_lookahead(
        [move_to, look_at],
        goal=where.state.goal,
        world=LanguageWorld(model, domain=where.domain, thinking="off"),
        critic=None if rules else critic or CheapCritic(model),
        search=search,
        policy={CHANGES.name: {"effect": "changes"}, READS.name: {"effect": "reads"}},
        budget=UNLIMITED,
        mode="guard",
        journal=journal,
        approve=lambda request: True,
    )
    session = tools[0].lookahead  # type: ignore[attr-defined]
    assert isinstance(session, Session)
    try:
        yield Agent(tools=tools, session=session)
    finally:
        session.close()


async def decide(guarded: Agent, model: Recorder, where: Situation, k: int, depth: int) -> None:
    """The agent's own answer, as it would be without us; then what looking ahead adds."""
    length = where.sizes["thought"] + where.sizes["call"]
    text = await model.ask("propose", where.domain.template or "", f"{where.history}\n\nThe next call?", tokens=length)
    outcome = await guarded.consider(where, call("/".join(text[0].split()[-where.sizes["call"] :])), depth=depth)
    lengths = [len(one.rollout.steps) for one in outcome.considered]
    if lengths != [depth] * k:
        raise SystemExit(f"not every one of {k} candidates was imagined {depth} steps deep: {lengths}; {outcome.notes}")


@dataclass(kw_only=True)
class Listed:
    """A proposer that knows its actions beforehand: no model is asked."""

    actions: Sequence[Action]

    async def __call__(self, state: State, n: int, /) -> Sequence[Action]:
        return self.actions[:n]


@dataclass(kw_only=True)
class Writing:
    """The agent's own model, which writes the candidates one after the other, thinking before each."""

    model: Recorder
    where: Situation

    async def __call__(self, state: State, n: int, /) -> Sequence[Action]:
        return [await self._one(number) for number in range(n)]

    async def _one(self, number: int) -> Action:
        sizes = self.where.sizes
        asked = f"{self.where.history}\n\nCandidate {number + 2}?"
        length = sizes["thought"] + sizes["call"]
        text = (await self.model.ask("propose", self.where.domain.template or "", asked, tokens=length))[0]
        return call("/".join(text.split()[-sizes["call"] :]))


class Pouring(Writing):
    """The same, each candidate handed over as soon as it is written."""

    async def each(self, state: State, n: int, /) -> AsyncIterator[Action]:
        for number in range(n):
            yield await self._one(number)


async def fine(state: State, rollout: Rollout, /) -> Verdict:
    """A critic without a model, where only the world is measured."""
    return Verdict(score=0.5)

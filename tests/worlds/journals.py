"""Writes journals for tests: calls that really happened, and others that did not."""

from collections.abc import Sequence
from itertools import count

from lookahead.journal import Decided, Intended, Journal, Resulted
from lookahead.types import REAL, Action, Considered, Decision, Observation, Origin, Rollout, State, Step, Tool

_numbers = count(1)


def happened(
    journal: Journal,
    action: Action,
    said: Observation | str,
    *,
    state: State | None = None,
    run: str = "run",
    origin: Origin = REAL,
) -> str:
    """Record one call from decision to result; returns its id."""
    call = under_way(journal, action, state=state, run=run)
    ended(journal, call, action, said, run=run, origin=origin)
    return call


def under_way(journal: Journal, action: Action, *, state: State | None = None, run: str = "run") -> str:
    call = f"call-{next(_numbers)}"
    digest = (state or State()).digest
    imagined = Observation(content="imagined", origin=Origin(kind="model", world="m"))
    future = Rollout(action=action, steps=(Step(action=action, observation=imagined),))
    decision = Decision(
        id=call,
        proposed=action,
        considered=(Considered(rollout=future),),
        choice="run",
        chosen=action,
        rule="r",
        state=digest,
    )
    journal.append(
        Decided(run=run, call=call, state=digest, decision=decision),
        Intended(run=run, call=call, action=action, action_digest=action.digest),
    )
    return call


def ended(
    journal: Journal, call: str, action: Action, said: Observation | str, *, run: str = "run", origin: Origin = REAL
) -> None:
    observation = Observation(content=said) if isinstance(said, str) else said
    observation = observation.model_copy(update={"origin": origin})
    journal.append(Resulted(run=run, call=call, tool=action.tool, observation=observation))


def started(journal: Journal, run: str, goal: str, tools: Sequence[Tool] = ()) -> None:
    journal.start(run, goal=goal, mode="guard", world="none", policy="p", tools=tools)

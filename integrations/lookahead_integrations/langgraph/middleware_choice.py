"""Which of several messages goes on: the agent's own, unless the guard prefers another one as a whole."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from lookahead.budget import spending
from lookahead.guard import seen_of
from lookahead.held import Held
from lookahead.permit import Answer
from lookahead.search.thinking import gather, merit
from lookahead.session import Session
from lookahead.show import call_line
from lookahead.types import Action, Decision, State
from lookahead_integrations.langgraph.candidates import (
    Ask,
    Candidate,
    Reading,
    Request,
    Response,
    Samples,
    with_samples,
)
from lookahead_integrations.langgraph.gate import Batch, Call, Gate
from lookahead_integrations.langgraph.messages import state_of
from lookahead_integrations.langgraph.tick import Place


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The message that goes on, and what was judged of its calls."""

    response: Response
    batch: Batch | None = None


@dataclass(kw_only=True)
class Choosing:
    """One message of the model, and the others that it could have written."""

    gate: Gate
    request: Request
    ask: Ask
    place: Place
    rivals: int
    messages: list[Any] = field(init=False)
    session: Session = field(init=False)
    state: State = field(init=False)
    reading: Reading = field(init=False)

    def __post_init__(self) -> None:
        self.messages = list(self.request.state["messages"])
        self.session = self.gate.session.conversation(self.place.conversation)
        self.state = state_of(self.gate.session.state, self.messages)
        self.reading = Reading(messages=self.messages, namespace=self.place.namespace, tools=self.gate.tools)

    async def __call__(self, first: Response) -> Chosen:
        own = self.reading.candidate(first)
        if own is None:
            return Chosen(response=first)
        samples = Samples(request=self.request, ask=self.ask, reading=self.reading, state=self.state)
        judge = partial(self._judged, own.actions)
        # Alternatives to one call are one call each; what several calls come to is weighed below, message by message.
        held = await with_samples(samples, judge) if len(own.calls) == 1 else await judge()
        if (swapped := self._swapped(samples, held)) is not None:
            return await self._chosen(*swapped)
        if (better := await self._better(samples, own, held)) is not None:
            return await self._chosen(*better)
        return await self._chosen(own, held)

    async def _judged(self, actions: Sequence[Action]) -> list[Held | Answer]:
        """All calls of one message, at the same time. Nobody is asked yet: it may not be the one that goes on."""
        judge = self.session.line.judge
        return await gather(lambda action: judge(self.state, action, again=True), actions)

    def _swapped(self, samples: Samples, held: Sequence[Held | Answer]) -> tuple[Candidate, list[Held | Answer]] | None:
        """The other message whose one call the guard puts in the place of the agent's."""
        one = held[0]
        if len(held) > 1 or isinstance(one, Answer) or one.decision.choice != "swap" or one.decision.chosen is None:
            return None
        wanted = one.decision.chosen.digest
        found = next((other for other in samples.heard if other.digests == (wanted,)), None)
        return None if found is None else (found, [self._own(one, found.actions[0])])

    async def _better(
        self, samples: Samples, own: Candidate, held: Sequence[Held | Answer]
    ) -> tuple[Candidate, list[Held | Answer]] | None:
        """Where several calls come together: another message that the guard prefers, the best of them."""
        mine = _decisions(held)
        guard = self.session.line.guard
        if not guard.policy.swap or mine is None or not any(seen_of(one) for one in mine):
            return None
        if len(own.calls) > 1:
            with spending() as spent:
                samples.heard += await samples.sample(self.rivals)
            self.session.line.meter.add(spent())
        others = {one.digests: one for one in samples.heard if len(one.calls) > 1 or len(own.calls) > 1}
        others.pop(own.digests, None)
        judged = await gather(self._judged, [one.actions for one in others.values()]) if others else []
        best: tuple[Candidate, Sequence[Held | Answer], Sequence[Decision]] | None = None
        for other, theirs in zip(others.values(), judged, strict=True):
            decisions = _decisions(theirs)
            if decisions is None or not guard.prefers(self.state, decisions, mine):
                continue
            if best is None or _worst(decisions) > _worst(best[2]):
                best = (other, theirs, decisions)
        if best is None:
            return None
        note = f"another message of the agent's model goes on in the place of {_calls(own)}"
        return best[0], [_noted(one, note) for one in best[1]]

    def _own(self, held: Held, action: Action) -> Held:
        """The agent itself makes this call now, in a message of its own; on record is what it came before."""
        tool = self.state.tool(action.tool)
        before = held.decision
        note = f"another message of the agent's model goes on in the place of {call_line(before.proposed)}"
        decision = before.model_copy(
            update={"proposed": action, "choice": "run", "chosen": action, "notes": (*before.notes, note)}
        )
        ruling = self.session.line.screen.ruling(action, tool)
        return replace(held, action=action, digest=action.digest, tool=tool, ruling=ruling, decision=decision)

    async def _chosen(self, candidate: Candidate, held: Sequence[Held | Answer]) -> Chosen:
        """With every yes that was given before, or can be had from whoever is there to be asked."""
        line = self.session.line

        async def approved(one: Held | Answer) -> Held | Answer:
            return await line.approved(one) if isinstance(one, Held) and one.may_be_approved else one

        batch = Batch(session=self.session, state=self.state, messages=[*self.messages, candidate.message])
        for call, action, one in zip(candidate.calls, candidate.actions, await gather(approved, held), strict=True):
            batch.calls[call["id"] or ""] = Call(call=call, name=action.call_id, held=one)
        return Chosen(response=candidate.response, batch=batch)


def _decisions(held: Sequence[Held | Answer]) -> list[Decision] | None:
    """None where one of the calls was made before."""
    found = [one.decision for one in held if isinstance(one, Held)]
    return found if len(found) == len(held) else None


def _worst(decisions: Sequence[Decision]) -> tuple[int, float]:
    return min(merit(seen) for one in decisions if (seen := seen_of(one)) is not None)


def _noted(held: Held | Answer, note: str) -> Held | Answer:
    if isinstance(held, Answer):
        return held
    decision = held.decision
    return replace(held, decision=decision.model_copy(update={"notes": (*decision.notes, note)}))


def _calls(candidate: Candidate) -> str:
    return ", ".join(call_line(action, 80) for action in candidate.actions)


__all__ = ["Choosing", "Chosen"]

"""The language world model: the history goes in, and what would come back goes out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeAlias, cast

import anyio

from lookahead.budget import spend
from lookahead.canonical import digest_of
from lookahead.domains import Domain, domain_for, prompted
from lookahead.errors import ConfigError, ModelError, ModelTimeout, Unreadable, WorldError, WorldTimeout, boundary
from lookahead.events import asked
from lookahead.models.count import count
from lookahead.search.thinking import after, name_of
from lookahead.types import (
    Action,
    Asking,
    Complete,
    Completion,
    Cost,
    Message,
    Observation,
    Origin,
    Rollout,
    State,
    Tool,
    ToolEffect,
)
from lookahead.worlds.language.agreement import loudest, share_of
from lookahead.worlds.language.answers import Answers, read
from lookahead.worlds.language.grounding import Ground, Grounds
from lookahead.worlds.language.prompting import Pasts, prompt
from lookahead.worlds.language.prose import Manners
from lookahead.worlds.language.sharing import Shared
from lookahead.worlds.language.trimming import Count, Remembering

Thinking: TypeAlias = Literal["auto", "on", "off"]
EffectOf: TypeAlias = Callable[[Action, Tool | None], ToolEffect | None]

ASKING: Final = Asking(temperature=0.6, top_p=0.95, top_k=20)
"""How Qwen-AgentWorld wants to be sampled."""
CAREFUL: Final = 0.9
"""Tokens are counted with a table that is not the model's own, and is off by a tenth at most."""


class LanguageWorld:
    """Imagines with a language model.

    `thinking="auto"` thinks where the call destroys something or where samples disagree, and nowhere else; "on" and
    "off" are the user's word. With more than one sample an answer has the share of those who gave it as its confidence.
    Identical questions at the same time are asked once. Nothing waits longer than `seconds`.
    """

    def __init__(
        self,
        complete: Complete,
        *,
        domain: Domain | str | None = None,
        prompts: Mapping[str, str] | None = None,
        thinking: Thinking = "auto",
        samples: int = 1,
        grounding: Grounds | None = None,
        instruction: str = "",
        max_context: int = 131_072,
        max_tokens: int = 4_096,
        max_thinking_tokens: int = 28_672,
        seconds: float = 60.0,
        asking: Asking = ASKING,
        effect_of: EffectOf | None = None,
        count: Count = count,
    ) -> None:
        """`prompts` are others than ours, by domain; `max_context` is what the model reads and writes at once;
        `effect_of` says what a call's text can do.
        """
        if thinking not in ("auto", "on", "off"):
            raise ConfigError(f"thinking={thinking!r} is none of auto, on, off")
        if samples < 1 or max_tokens < 1 or max_thinking_tokens < 0 or seconds <= 0:
            raise ConfigError("samples, max_tokens and seconds are more than 0, max_thinking_tokens is not less")
        self._thinking_room = 0 if thinking == "off" else max_thinking_tokens
        # One room for prompts with and without thinking: the history is cut at the same place for both.
        self._room = int((max_context - max_tokens - self._thinking_room) * CAREFUL)
        if self._room < 1:
            raise ConfigError(
                f"max_context={max_context} leaves no room for a prompt beside max_tokens={max_tokens} and "
                f'max_thinking_tokens={self._thinking_room}: make these smaller, or thinking="off"'
            )
        self.seconds = seconds
        self._complete = complete
        self._domain = domain
        self._prompts = prompts or {}
        self._thinking = thinking
        self._samples = samples
        self._grounding = grounding
        self._instruction = instruction
        self._max_tokens = max_tokens
        self._asking = asking
        self._effect_of = effect_of
        self._count = Remembering(count)
        self._shared: Shared[Observation] = Shared()
        self._manners = Manners()
        self._pasts = Pasts()

    @property
    def name(self) -> str:
        """The model's own name, which some learn with their first answer."""
        return name_of(cast(Any, self._complete))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the model's connections, where it holds any."""
        close: Any = getattr(self._complete, "aclose", None)
        if close is not None:
            await close()

    async def __call__(self, state: State, action: Action, /) -> Observation:
        until = anyio.current_time() + self.seconds
        key = digest_of(state.digest, action.digest)
        said, own = await self._shared.once(key, lambda: self._in_time(state, action, until), until=until)
        # Paid for once: by whoever asked.
        return said if own else said.model_copy(update={"cost": Cost()})

    async def _in_time(self, state: State, action: Action, until: float) -> Observation:
        with anyio.CancelScope(deadline=until):
            with boundary(WorldError, f"{self.name} imagines {action.tool!r}"):
                return await self._imagine(state, action, until)
        raise WorldTimeout(f"{self.name}: {action.tool!r} was not imagined within {self.seconds:g} seconds")

    async def _imagine(self, state: State, action: Action, until: float) -> Observation:
        domain = self._domain_of(state, action)
        ground = await self._ground(state, action)
        messages = prompt(self._pasts.of(domain, state, ground), action, room=self._room, count=self._count)
        question = Question(domain=domain, state=state, action=action, messages=messages, until=until)
        try:
            return await self._answered(question)
        except BaseException:
            # A prediction that failed was paid for all the same.
            spend(question.cost)
            raise

    async def _answered(self, question: "Question") -> Observation:
        state, action = question.state, question.action
        think = self._thinking == "on" or (self._thinking == "auto" and self._destroys(state, action))
        first = await self._answers(question, n=self._samples, think=think)
        if not first.readable:
            return self._signed(await self._repaired(question, first), None, question.cost)
        self._manners.fine()
        if self._samples == 1:
            return self._signed(first.readable[0], None, question.cost)
        voice = loudest(first.readable, self._samples)
        if voice.share == 1 or think or self._thinking == "off":
            return self._signed(voice.observation, voice.share, question.cost)
        second = await self._answers(question, n=1, think=True)
        if not second.readable:
            raise second.failure(self.name)
        said = second.readable[0]
        return self._signed(said, share_of(said, first.readable, self._samples), question.cost)

    async def transcript(self, state: State, rollout: Rollout, /) -> Sequence[Message]:
        """The chat in which the last step of a future was foretold, to the byte, and its answer: who asks behind it
        pays for little more than the question. Empty where somebody else foretold that step.
        """
        if not rollout.steps or rollout.steps[-1].observation.origin.world != self.name:
            return ()
        last = rollout.steps[-1]
        state = after(state, rollout.model_copy(update={"steps": rollout.steps[:-1]}))
        domain, ground = self._domain_of(state, last.action), await self._ground(state, last.action)
        chat = prompt(self._pasts.of(domain, state, ground), last.action, room=self._room, count=self._count)
        return (*chat, Message(role="assistant", content=domain.foretold(last.observation)))

    def _domain_of(self, state: State, action: Action) -> Domain:
        if isinstance(self._domain, Domain):
            return prompted(self._domain, self._prompts)
        return prompted(domain_for(state, action, self._domain), self._prompts)

    async def _ground(self, state: State, action: Action) -> Ground:
        found = await self._grounding(state, action) if self._grounding is not None else Ground()
        told = "\n\n".join(filter(None, (self._instruction, found.instruction)))
        return Ground(demonstrations=found.demonstrations, instruction=told)

    def _destroys(self, state: State, action: Action) -> bool:
        tool = state.tool(action.tool)
        seen = self._effect_of(action, tool) if self._effect_of is not None else None
        return "destroys" in (seen, tool.effect if tool is not None else None)

    async def _answers(self, question: "Question", *, n: int, think: bool) -> Answers:
        completion = await self._ask(question, question.messages, n=n, think=think)
        return read(completion, question.domain, question.state, question.action, cap=self._cap(think))

    async def _repaired(self, question: "Question", first: Answers) -> Observation:
        """Ask once more, saying what was wrong, where the tool declares what it returns and the answer is not that."""
        tool = question.state.tool(question.action.tool)
        if first.misfit is None or tool is None or not tool.result:
            why = self._manners.missed(first.whole)
            raise Unreadable(f"{self.name}: {why}") if why else first.failure(self.name)
        messages = [*question.messages, *first.misfit.turns(tool.result)]
        completion = await self._ask(question, messages, n=1, think=False, schema=tool.result)
        again = read(completion, question.domain, question.state, question.action, cap=self._cap(False))
        if not again.readable:
            why = self._manners.missed(first.whole)
            raise Unreadable(f"{self.name}: {why}") if why else again.failure(self.name)
        self._manners.fine()
        return again.readable[0]

    def _cap(self, think: bool) -> int:
        return self._max_tokens + (self._thinking_room if think else 0)

    async def _ask(
        self,
        question: "Question",
        messages: Sequence[Message],
        *,
        n: int,
        think: bool,
        schema: dict[str, Any] | None = None,
    ) -> Completion:
        left = question.until - anyio.current_time()
        if left <= 0:
            raise WorldTimeout(f"{self.name}: no time was left to ask again")
        wanted = {"n": n, "thinking": think, "max_tokens": self._cap(think), "schema_of": schema, "seconds": left}
        try:
            completion = await asked(self._complete, messages, self._asking.model_copy(update=wanted))
        except ModelTimeout as cause:
            raise WorldTimeout(f"{self.name}: {cause}") from cause
        except ModelError as cause:
            # Without a form to keep to, an error of no special kind is the endpoint's; with one, the form was not kept.
            unkept = schema is not None and type(cause) is ModelError
            raise (Unreadable if unkept else WorldError)(f"{self.name}: {cause}") from cause
        question.cost += completion.cost
        if not completion.samples:
            raise Unreadable(f"{self.name} answered with nothing at all; look at the server's log")
        return completion

    def _signed(self, said: Observation, confidence: float | None, cost: Cost) -> Observation:
        origin = Origin(kind="model", world=self.name, confidence=confidence)
        return said.model_copy(update={"origin": origin, "cost": cost})


@dataclass(kw_only=True)
class Question:
    """One prediction on its way."""

    domain: Domain
    state: State
    action: Action
    messages: Sequence[Message]
    until: float
    cost: Cost = field(default_factory=Cost)

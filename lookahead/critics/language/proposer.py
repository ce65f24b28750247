"""What else the agent could do: calls that a language model thinks of, from the agent's own tools."""

import json
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar, cast

from lookahead.budget import spend
from lookahead.critics.language.answers import as_object, name_of
from lookahead.critics.language.calls import call_schema, plan_schema
from lookahead.critics.language.fence import Fence, clipped
from lookahead.critics.language.loading import filled, prompt
from lookahead.critics.language.material import as_text, call_text
from lookahead.critics.language.pouring import Request, poured
from lookahead.errors import ConfigError, ModelError, ProposerError
from lookahead.events import asked
from lookahead.schema import fits
from lookahead.search.plans import Plan
from lookahead.types import Action, Asking, Complete, Completion, Message, Sample, State, Step, Tool

T = TypeVar("T")

_DESCRIBED: Final = 2_000
_GOAL: Final = 4_000
_SITUATION: Final = 4_000
_STEP: Final = 2_000
_BLOCK: Final = 12
"""Old steps leave the prompt in blocks, so that it begins the same for many steps and engines remember it."""


class LanguageProposer:
    """Asks for the next call several times at once, and returns what differs, the most frequent first.

    Each answer is asked for as the best next call, not as an alternative. So where all of them are what the agent
    itself proposed, that is agreement: there is nothing to choose from. A search that looks further than one step asks
    for `plans`: the same with the calls that would follow, and those that would follow the agent's own action.
    """

    def __init__(
        self,
        complete: Complete,
        *,
        samples: int | None = None,
        temperature: float = 1.0,
        thinking: bool = False,
        max_tokens: int | None = None,
        past: int = 24,
        seconds: float | None = 60.0,
        one_by_one: bool = False,
    ) -> None:
        """`samples`: answers to draw, where that is more than are wanted. `past`: so many earlier steps are shown.

        `one_by_one`: each answer is a request of its own, so that a search can imagine the first ones while others are
        still being written. It saves time where the engine remembers prompts, and costs tokens where it does not.
        """
        if (samples is not None and samples < 1) or past < 0:
            raise ConfigError(f"samples={samples}, past={past}: at least one answer, and no fewer than 0 earlier steps")
        self.complete = complete
        self.samples = samples
        self.past = past
        self.one_by_one = one_by_one
        self.asking = Asking(
            temperature=temperature,
            thinking=thinking,
            max_tokens=max_tokens or (8_192 if thinking else 1_024),
            seconds=seconds,
        )
        self._fence = Fence()

    @property
    def name(self) -> str:
        """A model that was not named knows its name after its first answer."""
        return f"proposer:{name_of(self.complete)}"

    async def __call__(self, state: State, n: int, /) -> Sequence[Action]:
        if n < 1:
            return []
        schema = call_schema(_known(self, state))
        asking = self.asking.model_copy(update={"n": max(n, self.samples or n), "schema_of": schema})
        try:
            completion = await asked(self.complete, self.messages(state), asking)
        except ModelError as cause:
            raise ProposerError(f"{self.name} gave no answer: {cause}") from cause
        spend(completion.cost)
        return self._read(completion, state)[:n]

    @property
    def each(self) -> Callable[[State, int], AsyncIterator[Action]] | None:
        """The same calls as they come, where that was asked for."""
        return self._as_they_come if self.one_by_one else None

    def _as_they_come(self, state: State, n: int) -> AsyncGenerator[Action]:
        """Every answer, those that agree too: whoever asks sees by them whether there is a choice."""
        asking = self.asking.model_copy(update={"schema_of": call_schema(_known(self, state))})
        request = Request(
            about="what to do",
            messages=self.messages(state),
            asking=asking,
            read=lambda completion: self._read(completion, state),
        )
        return poured(self.complete, [request] * max(n, self.samples or n), name=self.name)

    def plans(self, state: State, proposed: Action, n: int, steps: int, /) -> AsyncGenerator[Plan]:
        """The agent's own action and n rivals, each with at most so many calls to follow it: one round of requests."""
        tools, number = _known(self, state), max(n, self.samples or n)

        def asking(least: int, most: int, samples: int) -> Asking:
            schema = plan_schema(tools, least=least, most=most)
            longer = (self.asking.max_tokens or 0) * most or None
            return self.asking.model_copy(update={"n": samples, "schema_of": schema, "max_tokens": longer})

        rivals = Request(
            about="what to do",
            messages=self.messages(state, filled("proposer_plan", most=str(steps + 1))),
            asking=asking(1, steps + 1, 1 if self.one_by_one else number),
            read=lambda completion: [_planned(calls) for calls in self._sequences(completion, state)],
        )
        given = f"{self._fence.around('call', call_text(proposed))}\n\n{filled('proposer_after', most=str(steps))}"
        own = Request(
            about="what would follow the agent's own action",
            messages=self.messages(state, given),
            asking=asking(0, steps, 1),
            read=lambda completion: [
                Plan(first=proposed, then=tuple(then), own=True)
                for then in self._sequences(completion, state, least=0)[:1]
            ],
        )
        return poured(self.complete, [own, *[rivals] * (number if self.one_by_one else 1)], name=self.name)

    def messages(self, state: State, question: str = "") -> tuple[Message, ...]:
        """What the model is shown. It only grows at its end, but for the question and what became too old."""
        tools = "\n".join(_described(tool) for tool in state.tools)
        parts = [
            self._fence.around("tools", tools),
            self._fence.around("goal", clipped(state.goal, _GOAL) or "(nobody said what the goal is)"),
        ]
        if state.situation:
            parts.append(self._fence.around("situation at first", clipped(state.situation, _SITUATION)))
        steps = _recent(state.steps, self.past)
        parts += [self._fence.around("step taken", _told(step)) for step in steps]
        return (
            Message(role="system", content=prompt("proposer")),
            Message(role="user", content="\n\n".join([*parts, question or prompt("proposer_question")])),
        )

    def _read(self, completion: Completion, state: State) -> list[Action]:
        """What could be done, each different call once; what agrees most comes first."""
        return self._voted(completion, lambda sample: call_of(sample, state), lambda action: action.digest)

    def _sequences(self, completion: Completion, state: State, *, least: int = 1) -> list[list[Action]]:
        """The same of calls one after the other: each different first call once, the most frequent first."""
        return self._voted(
            completion,
            lambda sample: calls_of(sample, state, least=least),
            lambda calls: calls[0].digest if calls else "",
        )

    def _voted(self, completion: Completion, read: Callable[[Sample], T], key: Callable[[T], str]) -> list[T]:
        found: dict[str, T] = {}
        votes: Counter[str] = Counter()
        why: Counter[str] = Counter()
        for sample in completion.samples:
            try:
                said = read(sample)
            except ValueError as cause:
                why[str(cause)] += 1
                continue
            found.setdefault(key(said), said)
            votes[key(said)] += 1
        if not found:
            told = "; ".join(f"{number} times: {cause}" for cause, number in why.most_common(3)) or "there is no answer"
            raise ProposerError(
                f"{self.name} proposed nothing that the agent could do ({told}); "
                "give it another model, or an endpoint that can hold a model to a JSON schema"
            )
        return [found[name] for name, _ in votes.most_common()]


def _planned(calls: Sequence[Action]) -> Plan:
    return Plan(first=calls[0], then=tuple(calls[1:]))


def _known(proposer: LanguageProposer, state: State) -> tuple[Tool, ...]:
    if not state.tools:
        raise ProposerError(f"{proposer.name} was told of no tools, so there is no call that it could propose")
    return state.tools


def call_of(sample: Sample, state: State) -> Action:
    """The call that an answer names. ValueError where it is none that this agent could make."""
    return _call(as_object(sample, _ANSWER)["call"], state)


def calls_of(sample: Sample, state: State, *, least: int = 1) -> list[Action]:
    """The calls that an answer names one after the other, up to the first that this agent could not make."""
    calls: list[Action] = []
    for said in cast(list[Any], as_object(sample, _ANSWERS)["calls"]):
        try:
            calls.append(_call(_shaped(said), state))
        except ValueError:
            if len(calls) < least:
                raise
            break
    if len(calls) < least:
        raise ValueError("it names no call")
    return calls


def _shaped(said: Any) -> Mapping[str, Any]:
    call = cast(dict[str, Any], said) if isinstance(said, dict) else {}
    if set(call) != {"tool", "arguments"} or not isinstance(call["tool"], str):
        raise ValueError("it does not fit the JSON schema")
    if not isinstance(call["arguments"], dict | str):
        raise ValueError("it does not fit the JSON schema")
    return call


def _call(said: Mapping[str, Any], state: State) -> Action:
    tool = state.tool(said["tool"])
    if tool is None:
        raise ValueError("the agent has no such tool")
    arguments: Any = said["arguments"]
    try:
        # Some models write the arguments as a text that holds JSON.
        action = Action.parse(tool.name, arguments if isinstance(arguments, str) else json.dumps(arguments))
        as_text(action.arguments).encode()
    except (ValueError, RecursionError):
        raise ValueError("its arguments are no JSON object that could be sent") from None
    if not fits(action, tool):
        raise ValueError("its arguments do not fit the tool")
    return action


_ANSWER: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "call": {
            "type": "object",
            "properties": {"tool": {"type": "string"}, "arguments": {"type": ["object", "string"]}},
            "required": ["tool", "arguments"],
            "additionalProperties": False,
        }
    },
    "required": ["call"],
    "additionalProperties": False,
}
"""What is read at least; what fits the tool is looked at afterwards."""
_ANSWERS: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"calls": {"type": "array"}},
    "required": ["calls"],
    "additionalProperties": False,
}


def _recent(steps: Sequence[Step], most: int) -> Sequence[Step]:
    over = len(steps) - most
    return steps if over <= 0 else steps[-(-over // _BLOCK) * _BLOCK :]


def _described(tool: Tool) -> str:
    return as_text(
        {"name": tool.name, "description": clipped(tool.description, _DESCRIBED), "parameters": tool.parameters}
    )


def _told(step: Step) -> str:
    failed = " (failed)" if step.observation.failed else ""
    said = step.observation.content or (
        "" if step.observation.structured is None else as_text(step.observation.structured)
    )
    return f"{call_text(step.action, _STEP)}\nanswer{failed}:\n{clipped(said, _STEP) or '(nothing)'}"

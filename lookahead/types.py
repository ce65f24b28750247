"""The language: seven nouns, four verbs and the small words that they are made of.

Read this file and you know the system. A noun crosses a wire or a disk, so it is frozen and closed. A verb is
supplied by a user, so it is a Protocol with one method, and a plain `async def` will do.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, Final, Literal, Protocol, Self, TypeAlias, cast, runtime_checkable

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from lookahead.canonical import as_json, canonical, digest_of, finite, no_constant, no_duplicates

ToolEffect: TypeAlias = Literal["reads", "changes", "destroys", "unknown"]
"""What a tool can do to the world. `unknown` is treated as `changes` until somebody says otherwise."""

Kind: TypeAlias = Literal["real", "exact", "recorded", "model", "guard"]
"""Who said it: the world itself, a copy of it, a recording, a world model, or the guard that refused."""

Happened: TypeAlias = Literal["created", "changed", "deleted", "sent", "spent"]
Severity: TypeAlias = Literal["note", "caution", "danger"]
Choice: TypeAlias = Literal["run", "swap", "veto", "ask"]


class Noun(BaseModel):
    """A value that crosses a wire or a disk: frozen, closed, equal by content."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy that differs is another value: what was computed of the original, its digest say, is not copied."""
        copied = super().model_copy(update=update, deep=deep)
        for name in vars(copied).keys() - type(self).model_fields.keys() if update else ():
            del vars(copied)[name]
        return copied


Arguments: TypeAlias = Annotated[dict[str, JsonValue], AfterValidator(finite)]


class Tool(Noun):
    """Something that an agent may call."""

    name: str = Field(min_length=1)
    description: str = ""
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    """JSON schema of the arguments; empty when nobody gave one."""
    result: dict[str, JsonValue] | None = None
    """JSON schema of what comes back, where the tool declares one."""
    effect: ToolEffect = "unknown"

    @cached_property
    def digest(self) -> str:
        """Binds an approval to this description and these schemas: a tool that changed its meaning is another tool."""
        return digest_of(self.name, self.description, canonical(self.parameters), canonical(self.result), self.effect)


class Action(Noun):
    """One call that an agent proposes."""

    tool: str = Field(min_length=1)
    arguments: Arguments = Field(default_factory=dict)
    call_id: str | None = None
    """The agent's own name for this call. With one, a resumed agent gets the recorded answer, not a second run."""

    @property
    def digest(self) -> str:
        """Binds a decision to exactly this call. Computed anew each time: the dictionary inside is not frozen."""
        return digest_of(self.tool, canonical(self.arguments))

    @classmethod
    def parse(cls, tool: str, arguments: str, *, call_id: str | None = None) -> Self:
        """Read arguments as a model wrote them. Duplicate keys, NaN and non-objects raise `ValueError`."""
        parsed = json.loads(arguments or "{}", object_pairs_hook=no_duplicates, parse_constant=no_constant)
        if not isinstance(parsed, dict):
            raise ValueError(f"the arguments of {tool!r} are not a JSON object")
        return cls(tool=tool, arguments=cast(dict[str, JsonValue], parsed), call_id=call_id)


class Effect(Noun):
    """One thing that an action did to the world, or would do."""

    happened: Happened
    target: str
    """What it happened to: a path, a table, a key, an address."""
    what: str = "thing"
    """Its kind in one word: file, directory, link, table, row, value, message, money …"""
    before: int | None = None
    after: int | None = None
    """Its size before and after, in `unit`; None where it did not exist or has no size."""
    unit: Literal["bytes", "rows", "items", "cents"] | None = None
    recoverable: bool | None = None
    """Whether what was there can be had again (it is committed to git, say); None where nobody knows."""
    detail: str = ""
    """An excerpt that a person can judge by: a few lines of diff, the rows, the recipient. Data, never instructions."""


class Cost(Noun):
    """What imagining or judging took."""

    calls: int = 0
    tokens: int = 0
    seconds: float = 0.0

    def __add__(self, other: "Cost") -> "Cost":
        if not (other.calls or other.tokens or other.seconds):
            return self
        return Cost(
            calls=self.calls + other.calls,
            tokens=self.tokens + other.tokens,
            seconds=self.seconds + other.seconds,
        )


class Origin(Noun):
    """Which world said it, of what kind that world is, and how sure it is."""

    kind: Kind
    world: str
    confidence: float | None = Field(default=None, ge=0, le=1)

    @property
    def imagined(self) -> bool:
        return self.kind in ("exact", "recorded", "model")


REAL: Final = Origin(kind="real", world="real")
GUARD: Final = Origin(kind="guard", world="guard")


class Observation(Noun):
    """What came back."""

    content: str = ""
    structured: JsonValue = None
    failed: bool = False
    effects: tuple[Effect, ...] | None = None
    """What it created, changed, deleted, sent, spent. Empty: nothing, and that is known. None: nobody looked."""
    origin: Origin = REAL
    cost: Cost = Cost()
    verbatim: JsonValue = None
    """The answer as its protocol spelled it, where a recording is to say it again and the above is not all of it."""

    @property
    def imagined(self) -> bool:
        """True exactly when this did not happen."""
        return self.origin.imagined


class Step(Noun):
    action: Action
    observation: Observation
    reads: bool = False
    """Proved by its text to only read, whatever else its tool could do."""


class State(Noun):
    """All that is known when the next action is chosen. It only grows at the end."""

    goal: str = ""
    tools: tuple[Tool, ...] = ()
    steps: tuple[Step, ...] = ()
    domain: str | None = None
    """Which of the seven worlds this is, where somebody said so."""
    situation: str = ""
    """What was there before the first step, as text: a listing, a page, a schema."""
    forgotten: str = ""
    """The digest of steps that were dropped from the front, so that a shortened history is still this history."""

    def then(
        self, action: Action, observation: Observation, *, keep: int | None = None, reads: bool = False
    ) -> "State":
        """The state after one more step; with `keep`, only the last so many steps stay in memory."""
        if observation.verbatim is not None:
            # How it was spelled is for the record; what follows is judged by what was said.
            observation = observation.model_copy(update={"verbatim": None})
        steps = (*self.steps, Step(action=action, observation=observation, reads=reads))
        update: dict[str, Any] = {"steps": steps}
        if keep is not None and len(steps) > keep:
            cut = len(steps) - keep
            update = {"steps": steps[cut:], "forgotten": self._fold(self.forgotten or self._head, steps[:cut])}
        following = self.model_copy(update=update)
        # Known in constant time, because a state only grows at the end; the property below says the same in linear.
        known = {"digest": self._fold(self.digest, steps[-1:]), "_effects": self._effects, "_head": self._head}
        vars(following).update(known)
        return following

    @cached_property
    def digest(self) -> str:
        """Names what has been done so far. A step that only read, or was refused, leaves this the same."""
        return self._fold(self.forgotten or self._head, self.steps)

    @cached_property
    def _head(self) -> str:
        return digest_of(self.goal, *(tool.digest for tool in self.tools), self.domain or "", self.situation)

    @cached_property
    def _effects(self) -> Mapping[str, ToolEffect]:
        return {tool.name: tool.effect for tool in self.tools}

    def _fold(self, digest: str, steps: Sequence[Step]) -> str:
        for step in steps:
            said = step.observation
            if not (step.reads or said.origin.kind == "guard" or self._effects.get(step.action.tool) == "reads"):
                try:
                    outcome = canonical([said.content, said.structured, said.failed])
                except ValueError:
                    # The real world may answer what is not JSON: NaN, a number too long to be written in decimal.
                    outcome = canonical([said.content, as_json(said.structured), said.failed])
                digest = digest_of(digest, step.action.digest, outcome)
        return digest

    def tool(self, name: str) -> Tool | None:
        return next((tool for tool in self.tools if tool.name == name), None)


class Rollout(Noun):
    """An imagined future. Its first action is the one that may become real."""

    action: Action
    steps: tuple[Step, ...] = ()
    """Imagined, oldest first; empty when not even the first step could be imagined."""
    failure: str = ""
    """Why the future ends before its time: the world was down, slow, unreadable. A failed rollout is data."""

    @property
    def effects(self) -> tuple[Effect, ...]:
        return tuple(effect for step in self.steps for effect in step.observation.effects or ())


class Hazard(Noun):
    """One thing wrong with a future: what, why, the evidence, and how bad."""

    rule: str
    """A stable name such as `files.lost`, for policies, reports and tests."""
    what: str
    why: str
    severity: Severity
    reversible: bool | None = None
    evidence: tuple[str, ...] = ()
    """Short excerpts or targets. Data, never instructions."""
    predicted: bool = False
    """True when it follows from an imagined effect; False when it follows from the text of the call itself."""
    step: int = Field(default=0, ge=0)
    """Which step of the future it belongs to: 0 is the action that may become real now."""


class Verdict(Noun):
    """What a critic makes of one future."""

    score: float = Field(ge=0, le=1)
    hazards: tuple[Hazard, ...] = ()
    reason: str = ""
    cost: Cost = Cost()

    @property
    def worst(self) -> Hazard | None:
        order = ("note", "caution", "danger")
        return max(self.hazards, key=lambda hazard: order.index(hazard.severity), default=None)


class Considered(Noun):
    """One candidate with its future and what was thought of it."""

    rollout: Rollout
    verdict: Verdict | None = None
    """None when the budget ended first."""


class Decision(Noun):
    """What was proposed, what was considered, what was chosen and by which rule."""

    id: str
    proposed: Action
    considered: tuple[Considered, ...] = ()
    """Best first."""
    choice: Choice
    chosen: Action | None = None
    """What may run now: set for `run` and `swap`, and for `ask` once a person said yes; None for `veto`."""
    rule: str
    """The name of what decided: a policy line, a hazard, a track record, a failure."""
    reason: str = ""
    state: str = ""
    """The digest of the state in which it was judged."""
    cost: Cost = Cost()
    forecast: Cost | None = None
    """What thinking it over was expected to cost before it began; None where nobody could tell."""
    notes: tuple[str, ...] = ()
    """What the user should be told although it did not decide: a world that was down, a warning from a new model."""


class Message(Noun):
    """One turn of a chat with a language model."""

    role: Literal["system", "user", "assistant"]
    content: str


class Asking(Noun):
    """How a language model is asked. What is None is left to the engine."""

    temperature: float | None = Field(default=None, ge=0)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=1)
    seed: int | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    """Of thinking and answer together. An answer cut off by it is a failure, not a short answer."""
    n: int = Field(default=1, ge=1)
    thinking: bool | None = None
    schema_of: dict[str, JsonValue] | None = None
    """The JSON schema that the text has to fit."""
    choices: tuple[str, ...] = ()
    """The text has to be one of these."""
    probabilities: int = Field(default=0, ge=0)
    """How many of the likeliest tokens to report at each place."""
    stop: tuple[str, ...] = ()
    seconds: float | None = Field(default=None, gt=0)
    """When nobody waits any more, counted from the call; retries included."""


class Likely(Noun):
    """One token, and what else could have stood in its place."""

    token: str
    probability: float = Field(ge=0, le=1)
    instead: tuple[tuple[str, float], ...] = ()


class Sample(Noun):
    """One answer of a language model."""

    text: str
    thought: str = ""
    ended: Literal["stop", "length", "refused"] = "stop"
    tokens: tuple[Likely, ...] = ()


class Usage(Noun):
    """What the engine reports; counted by us where it reports nothing."""

    prompt: int = 0
    cached: int = 0
    """Of the prompt, how much the engine remembered from before."""
    generated: int = 0
    """Thinking included."""
    counted: Literal["engine", "estimate"] = "engine"


class Completion(Noun):
    """What came of asking once: as many samples as were asked for."""

    samples: tuple[Sample, ...]
    model: str = ""
    usage: Usage = Usage()
    cost: Cost = Cost()


class Environment(Protocol):
    """Anything that an action can be done to: real tools, a world model, a copy of a directory, a recording."""

    async def __call__(self, state: State, action: Action, /) -> Observation: ...


class Proposer(Protocol):
    """Somebody who can think of other actions."""

    async def __call__(self, state: State, n: int, /) -> Sequence[Action]: ...


class Critic(Protocol):
    """Somebody who says how good a future is, and what is wrong with it."""

    async def __call__(self, state: State, rollout: Rollout, /) -> Verdict: ...


class Complete(Protocol):
    """One call to a language model."""

    async def __call__(self, messages: Sequence[Message], asking: Asking, /) -> Completion: ...


@runtime_checkable
class Copying(Protocol):
    """A world that answers from copies of the real one, and keeps the copy that belongs to each imagined state.

    Such a world must be asked before the real action runs, not beside it, because the copy shares what has not
    changed with the original.
    """

    async def discard(self) -> None:
        """Throw away every copy that no call in progress is using."""
        ...

"""What a prediction rests on: calls like this one that really happened, and the code of the tools."""

import json
import logging
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import anyio.to_thread

from lookahead.canonical import digest_of
from lookahead.errors import JournalError
from lookahead.functions import ToolFunction
from lookahead.journal import Call, Journal
from lookahead.types import Action, Observation, State, Step, Tool
from lookahead.worlds.language.retrieval import Index, make_index
from lookahead.worlds.language.source import sources
from lookahead.worlds.past import Past

log: Final = logging.getLogger("lookahead")

KEPT: Final = 500
"""How many calls of one tool are kept to choose from, the latest ones."""
LONGEST: Final = 2_000
"""Characters of an answer or of arguments that are shown; a longer example is none."""
EPISODES: Final = 64
"""For how many episodes it is remembered what was chosen for them."""


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What goes into the system prompt besides the tools."""

    demonstrations: tuple[Step, ...] = ()
    instruction: str = ""


class Grounds(Protocol):
    """Finds what a prediction can rest on."""

    async def __call__(self, state: State, action: Action, /) -> Ground: ...


@dataclass(frozen=True, kw_only=True)
class Example:
    """One call on record."""

    run: str
    state: str
    digest: str
    step: Step
    length: int


class Grounding:
    """Recorded calls of the same tools, those most like the one in question first, and the tools' own code.

    It is chosen once for each episode (goal, situation, tools), at the first prediction, for all its tools: it stands
    at the beginning of the prompt, and were it chosen anew at each step, the engine would read the whole history anew.
    Only what really happened serves, and never the very call that is being predicted.
    """

    def __init__(
        self,
        journal: Journal | None = None,
        *,
        functions: Mapping[str, ToolFunction] | None = None,
        each: int = 2,
        most: int = 8,
        characters: int = 8_000,
        exclude_run: str | None = None,
    ) -> None:
        """`each` demonstrations for a tool, at most so many for all, and in so many characters."""
        self._functions = functions or {}
        self._each, self._most, self._characters = each, most, characters
        self._exclude = exclude_run
        self._journal = journal
        self._past = Past(journal=journal, learn=self._learn) if journal is not None else None
        self._shelves: dict[str, _Shelf] = {}
        self._goals: dict[str, str] = {}
        self._chosen: OrderedDict[str, Ground] = OrderedDict()

    async def __call__(self, state: State, action: Action, /) -> Ground:
        episode = digest_of(state.goal, state.situation, state.domain or "", *(tool.digest for tool in state.tools))
        if episode not in self._chosen:
            ground = await anyio.to_thread.run_sync(self._choose, state, action, abandon_on_cancel=True)
            # Two candidates may have looked at the same time: both get what the first one found.
            self._chosen.setdefault(episode, ground)
            while len(self._chosen) > EPISODES:
                self._chosen.popitem(last=False)
        return self._chosen.get(episode) or Ground()

    def _choose(self, state: State, action: Action) -> Ground:
        return Ground(
            demonstrations=self._demonstrations(state, action), instruction=sources(state.tools, self._functions)
        )

    def _demonstrations(self, state: State, action: Action) -> tuple[Step, ...]:
        if self._past is None:
            return ()
        try:
            self._past.read_on()
        except JournalError as cause:
            log.warning("predictions are made without examples, because the journal cannot be read: %s", cause)
            return ()
        chosen: list[Step] = []
        left = self._characters
        for tool in _in_order(state, action):
            shelf = self._shelves.get(tool.name)
            if shelf is None:
                continue
            for example in shelf.choose(state, action, self._each):
                if len(chosen) < self._most and example.length <= left:
                    left -= example.length
                    chosen.append(example.step)
        return tuple(chosen)

    def _learn(self, call: Call, said: Observation) -> None:
        assert call.intended is not None
        action = call.intended.action
        written = json.dumps(action.arguments, ensure_ascii=False, sort_keys=True)
        length = len(written) + len(said.content)
        if call.run == self._exclude or max(len(written), len(said.content)) > LONGEST:
            return
        shelf = self._shelves.setdefault(action.tool, _Shelf())
        step = Step(action=Action(tool=action.tool, arguments=action.arguments), observation=said)
        digest = call.intended.action_digest
        shelf.add(
            Example(run=call.run, state=call.decided.state, digest=digest, step=step, length=length), self._goal(call)
        )

    def _goal(self, call: Call) -> str:
        if call.run not in self._goals and self._journal is not None:
            self._goals.update({run.run: run.started.goal for run in self._journal.runs()})
        return self._goals.setdefault(call.run, "")


@dataclass(kw_only=True)
class _Shelf:
    """The calls of one tool."""

    index: Index = field(default_factory=make_index)
    examples: dict[int, Example] = field(default_factory=dict[int, Example])
    latest: deque[int] = field(default_factory=lambda: deque[int](maxlen=KEPT))
    added: int = 0

    def add(self, example: Example, goal: str) -> None:
        if len(self.latest) == KEPT:
            self.examples.pop(self.latest[0], None)
        self.added += 1
        self.latest.append(self.added)
        self.examples[self.added] = example
        self.index.add(self.added, _text(example.step.action.arguments), goal)

    def choose(self, state: State, action: Action, n: int) -> list[Example]:
        """The nearest ones and, for how it answers nowadays, the last one; the nearest stands last."""
        same_tool = any(one.step.action.tool == action.tool for one in self.examples.values())
        asked = _text(action.arguments) if same_tool else ""
        near = self._others(state, action, self.index.nearest(asked, state.goal, 8 * n))
        near.sort(key=lambda one: one.state != state.digest)
        latest = self._others(state, action, reversed(self.latest))
        chosen = _different([*near[: max(1, n - 1)], *latest[:1], *near, *latest])[:n]
        return list(reversed(chosen))

    def _others(self, state: State, action: Action, numbers: Iterable[int]) -> list[Example]:
        """Those that are still kept, without the very call that is being predicted."""
        asked = action.digest
        found = [self.examples[number] for number in numbers if number in self.examples]
        return [one for one in found if one.digest != asked or one.state != state.digest]


def _different(examples: Iterable[Example]) -> list[Example]:
    """Each call once: a second answer to the same call shows less than another call."""
    first: dict[str, Example] = {}
    for example in examples:
        first.setdefault(example.digest, example)
    return list(first.values())


def _in_order(state: State, action: Action) -> list[Tool]:
    """The tool in question first, then those that can do most."""
    rank = {"destroys": 0, "changes": 1, "unknown": 2, "reads": 3}
    return sorted(state.tools, key=lambda tool: (tool.name != action.tool, rank[tool.effect]))


def _text(arguments: Mapping[str, Any]) -> str:
    return json.dumps(arguments, ensure_ascii=False, sort_keys=True)

"""Where the decision is made: an episode some steps long, and how long each kind of answer is."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from lookahead.canonical import as_json
from lookahead.domains import Domain, domains
from lookahead.domains.prompts import own_prompt
from lookahead.models.count import count
from lookahead.types import Action, Observation, State, Tool

WORDS: Final = (
    *("file", "folder", "table", "row", "page", "order", "user", "mail", "server", "branch", "report", "image"),
    *("price", "invoice", "open", "move", "copy", "write", "read", "list", "search", "update", "name", "click"),
    *("run", "test", "time", "people", "water", "part", "place", "work", "year", "day", "thing", "old", "new"),
    *("great", "small", "end", "line"),
)
PATH: Final = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
CHANGES: Final = Tool(
    name="move_to",
    description="Moves the current record to another place.",
    parameters=PATH,  # type: ignore[arg-type]
    effect="changes",
)
READS: Final = Tool(
    name="look_at",
    description="Shows the record at a place.",
    parameters=PATH,  # type: ignore[arg-type]
    effect="reads",
)


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Tokens. What is 1 here is a decision of an agent on a 35B model with a history of 10,000 tokens."""

    scale: float

    def __getitem__(self, kind: str) -> int:
        if kind == "verdict":
            return 1
        lengths = {"history": 10_000, "call": 60, "forecast": 300, "thought": 800, "opinion": 120, "filter": 256}
        return max(4, round(lengths[kind] * self.scale))


@dataclass(frozen=True, kw_only=True)
class Situation:
    """One episode. Its name stands first in every prompt, so that no prompt of another one is remembered for it."""

    name: str
    state: State
    sizes: Sizes
    chance: random.Random

    @classmethod
    def fresh(cls, name: str, sizes: Sizes, *, steps: int = 8) -> "Situation":
        state = State(goal=f"Episode {name}: put every record where it belongs.", tools=(CHANGES, READS))
        situation = cls(name=name, state=state, sizes=sizes, chance=random.Random(name))
        for _ in range(steps):
            length = sizes["history"] // steps - sizes["call"]
            situation = situation.then(situation.action(), situation.text(length))
        return situation

    def then(self, action: Action, said: str) -> "Situation":
        return replace(self, state=self.state.then(action, Observation(content=said)))

    def text(self, tokens: int) -> str:
        """So many tokens of prose, by the count that is used where no engine counts."""
        words = self.chance.choices(WORDS, k=max(1, tokens))
        return " ".join(words[: max(1, round(tokens * len(words) / count(" ".join(words))))])

    def action(self) -> Action:
        return call("/".join(self.text(max(2, self.sizes["call"] // 2)).split()))

    @cached_property
    def domain(self) -> Domain:
        return replace(domains()["generic"], template=f"Episode {self.name}\n\n{own_prompt('generic')}")

    @property
    def history(self) -> str:
        """The same history for methods that write it as one text."""
        steps = [f"Call: {said(step.action)}\nAnswer: {step.observation.content}" for step in self.state.steps]
        return "\n\n".join([f"Task: {self.state.goal}", *steps])

    @property
    def seen(self) -> str:
        """What was seen last."""
        return self.state.steps[-1].observation.content


def call(path: str) -> Action:
    return Action(tool=CHANGES.name, arguments={"path": path})


def said(action: Action) -> str:
    return f"{action.tool} {as_json(action.arguments)}"


def told(steps: Sequence[tuple[str, str]]) -> str:
    """Imagined steps as a text."""
    return "\n\n".join(f"Action {number}: {action}\n{what}" for number, (action, what) in enumerate(steps, 1))

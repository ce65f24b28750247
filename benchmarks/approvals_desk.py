"""The desk at which `approvals.py` has calls approved, and the ways in which a call can be made another one."""

import copy
import random
import time
import unicodedata
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lookahead.act import Line
from lookahead.approval import binding_of
from lookahead.budget import Budget, Meter
from lookahead.errors import LookaheadError
from lookahead.guard import Guard
from lookahead.journal import Approval, Granted, Journal
from lookahead.permit import Permit
from lookahead.planner import Planner
from lookahead.policy import Policy
from lookahead.types import Action, Effect, Environment, Observation, Origin, Rollout, State, Tool, Verdict

SEND = Tool(name="send", description="sends money", parameters={"type": "object"}, effect="changes")
OTHER = Tool(name="post", description="sends money", parameters={"type": "object"}, effect="changes")
POLICY = Policy.read({"*": "ask"}, "the policy of this benchmark")
STATE = State(goal="pay the bills", tools=(SEND, OTHER, Tool(name="look", effect="reads")))

WORDS = ("café", "Ångström", "naïve", "résumé", "한글", "plain text", "ﬁle", "½")


async def judge(state: State, rollout: Rollout, /) -> Verdict:
    return Verdict(score=1.0)


def arguments(chance: random.Random, number: int) -> dict[str, Any]:
    """A call like many: numbers, texts, lists, objects, and a number of its own."""
    return {
        "to": f"{chance.choice(WORDS)} {number}",
        "amount": chance.randint(1, 10_000),
        "rate": float(chance.randint(1, 9)),
        "urgent": True,
        "copies": 1,
        "note": None,
        "lines": [{"text": chance.choice(WORDS), "price": chance.randint(1, 99)} for _ in range(chance.randint(1, 3))],
        "tags": ["a", "b", chance.choice(WORDS)],
    }


@dataclass
class Copy:
    """A world that passes for an exact copy, and shows what it is told to show."""

    name: str = "copy"
    effects: tuple[Effect, ...] = (Effect(happened="sent", target="money", what="money", after=1, unit="cents"),)

    async def __call__(self, state: State, action: Action, /) -> Observation:
        return Observation(content="sent", effects=self.effects, origin=Origin(kind="exact", world=self.name))

    async def discard(self) -> None: ...


@dataclass
class Desk:
    """One journal at which all trials are made."""

    journal: Journal
    chance: random.Random
    number: int = 0
    accepted: Counter[str] = field(default_factory=Counter[str])
    trials: Counter[str] = field(default_factory=Counter[str])

    def line(self, approve: Any = None, policy: Policy = POLICY, imagine: Environment | None = None) -> Line:
        return Line(
            planner=Planner(imagine=imagine, judge=judge, text=judge),
            guard=Guard(policy=policy),
            journal=self.journal,
            meter=Meter(budget=Budget()),
            run="approvals",
            approve=approve,
        )

    def call(self) -> Action:
        self.number += 1
        return Action(tool="send", arguments=arguments(self.chance, self.number))

    def approved(
        self,
        action: Action,
        *,
        state: State = STATE,
        lives: float = 600.0,
        begun: float = 0.0,
        binding: str | None = None,
    ) -> Approval:
        """A person says yes by a command, after the call was held."""
        now = time.time() + begun
        approval = Approval(
            id=f"approval-{self.number}-{self.chance.getrandbits(40)}",
            binding=binding or binding_of(action, state.tool(action.tool), state.digest),
            granted_at=now,
            expires_at=now + lives,
            by="a person",
            seen="",
        )
        self.journal.append(Granted(approval=approval))
        return approval

    async def runs(self, action: Action, state: State = STATE, imagine: Environment | None = None) -> bool:
        """Whether this call would be done now."""
        try:
            begun = await self.line(imagine=imagine).begin(state, action)
        except LookaheadError:
            return False
        if isinstance(begun, Permit):
            await self.line().finish(begun, Observation(content="done"))
        return isinstance(begun, Permit)


def with_value(action: Action, change: Callable[[dict[str, Any]], Any]) -> Action:
    changed = copy.deepcopy(action.arguments)
    change(changed)
    return action.model_copy(update={"arguments": changed})


VALUES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "another value": lambda a: a.update(amount=a["amount"] + 1),
    "1 as 1.0": lambda a: a.update(copies=1.0),
    "1 as true": lambda a: a.update(copies=True),
    "true as 1": lambda a: a.update(urgent=1),
    "1 as text": lambda a: a.update(copies="1"),
    "1.0 as 1": lambda a: a.update(rate=int(a["rate"])),
    "null as text": lambda a: a.update(note="null"),
    "null left out": lambda a: a.pop("note"),
    "null as false": lambda a: a.update(note=False),
    "null as nothing": lambda a: a.update(note=[]),
    "a key more": lambda a: a.update(extra=None),
    "a key less": lambda a: a.pop("tags"),
    "a key with another name": lambda a: a.update(To=a.pop("to")),
    "a key with a blank": lambda a: a.update({"to ": a.pop("to")}),
    "a key inside": lambda a: a["lines"][0].update(currency="EUR"),
    "a value inside": lambda a: a["lines"][-1].update(price=a["lines"][-1]["price"] + 0.0),
    "a list in another order": lambda a: a["tags"].reverse(),
    "a list that is longer": lambda a: a["tags"].append("c"),
    "a list that is shorter": lambda a: a["tags"].pop(),
    "a list in a list": lambda a: a.update(tags=[a["tags"]]),
    "a blank at the end": lambda a: a.update(to=a["to"] + " "),
    "another case": lambda a: a["tags"].__setitem__(0, "A"),
    "a sign that cannot be seen": lambda a: a.update(to=a["to"] + "\u200b"),
    "a letter that looks the same": lambda a: a.update(to=a["to"].translate({97: "\u0430", 32: "\u00a0"})),
    "decomposed letters": lambda a: a.update(to=unicodedata.normalize("NFD", "é" + a["to"]), tags=["NFD"]),
    "compatible letters": lambda a: a.update(to=unicodedata.normalize("NFKC", "ﬁ" + a["to"])),
    "a negative amount": lambda a: a.update(amount=-a["amount"]),
    "a huge amount": lambda a: a.update(amount=a["amount"] * 10**30),
    "an amount as a fraction": lambda a: a.update(amount=a["amount"] + 1e-9),
}

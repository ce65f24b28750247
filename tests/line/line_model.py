"""What one call meets on its way along the line, and what it may only run with, worked out from the rules.

Written from the rules and not from the code, so that the two can disagree.
"""

from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import anyio
import anyio.lowlevel

from lookahead.approval import Request
from lookahead.errors import NotMyWorld
from lookahead.functions import ToolFunction
from lookahead.policy import Policy
from lookahead.types import Action, Hazard, Observation, Origin, Rollout, State, Tool, ToolEffect, Verdict

if TYPE_CHECKING:
    from line_rig import Rig

EFFECTS: dict[str, ToolEffect] = {"look": "reads", "alter": "changes", "clear": "destroys", "vague": "unknown"}
MILD = "mild"
TOOLS = tuple(Tool(name=name, effect=effect) for name, effect in {**EFFECTS, MILD: "changes"}.items())
RULES = ("allow", "preview", "preview", "ask", "deny")
WORLD = ("answers", "answers", "answers", "fails", "stranger")
CRITIC = ("fine", "fine", "fine", "caution", "warns", "danger", "foretells", "raises")
APPROVER = ("yes", "yes", "no", "truthy", "raises")
TOOL = ("works", "works", "raises")
GATES = ("world", "critic", "approver", "tool")

current: ContextVar["Call"] = ContextVar("current")


class Violation(AssertionError):
    """What must never happen has happened."""


@dataclass(frozen=True)
class Rules:
    """What one line was told."""

    rules: dict[str, str]
    on_failure: Literal["hold", "run"] | None
    swap: bool
    rival_is_bad: bool
    impatient: bool
    dry_run: bool
    exact: bool
    budget: int | None

    def policy(self) -> Policy:
        lines = {name: {"rule": rule, "on_failure": self.on_failure} for name, rule in self.rules.items()}
        seconds = 1e-9 if self.impatient else 600.0
        return Policy.read({**lines, "swap": self.swap, "approval_seconds": seconds}, "the machine's policy")


@dataclass
class Call:
    """One proposal, what it met on its way, and what came of it."""

    rig: "Rig"
    action: Action
    rules: Rules
    fates: dict[str, str]
    stops: frozenset[str]
    epoch: int
    state: State
    digest: str
    doubtful: bool
    words: list[str]
    scope: anyio.CancelScope | None = None
    parked: str | None = None
    gate: anyio.Event | None = None
    met: dict[str, str] = field(default_factory=dict[str, str])
    ran: list[str] = field(default_factory=list[str])
    status: str = "new"
    recorded: bool = False
    """Whether its intent was on disk when it ran."""
    altered: bool = False
    cut: bool = False
    done: bool = False

    @property
    def effect(self) -> ToolEffect:
        return EFFECTS[self.action.tool]

    async def at(self, place: str) -> str:
        """Stop here until the machine opens the gate; then meet one's fate."""
        # A question that nobody has time to answer is withdrawn by the clock, and no clock is part of this machine.
        withdrawn = place == "approver" and self.rules.impatient
        if place in self.stops and place not in self.met and not withdrawn:
            self.parked, self.gate = place, anyio.Event()
            self.rig.changed.set()
            try:
                await self.gate.wait()
            finally:
                self.parked = None
        self.met[place] = self.fates[place]
        return self.fates[place]

    def needs(self) -> str:
        """What this call may only run with: nothing, a yes, or never. Written from the rules, not from the code."""
        rule = self.rules.rules.get(self.action.tool, "preview")
        if rule == "deny" or self.rules.impatient or self.rules.dry_run:
            return "never"
        if (self.doubtful and self.effect != "reads") or rule == "ask":
            return "yes"
        if rule == "allow":
            return "nothing"
        world, critic = self.met.get("world", "not asked"), self.met.get("critic", "raises")
        if self.effect == "reads" and critic in ("fine", "raises"):
            # What only reads is looked at where its text warns, and nowhere else.
            return "nothing"
        seen = world == "answers"
        if critic in ("raises", "danger", "foretells", "caution"):
            return "yes"
        if critic == "warns" and (self.rules.exact or not seen):
            return "yes"
        failed = self.rules.on_failure or ("run" if self.effect == "reads" else "hold")
        if world in ("fails", "not asked") and failed == "hold":
            return "yes"
        return "yes" if world == "stranger" and self.effect == "destroys" else "nothing"


class Copy:
    """A world whose answers are as the call's fate has it."""

    name = "machine"

    async def __call__(self, state: State, action: Action, /) -> Observation:
        call = current.get()
        fate = "answers" if action.tool == MILD else await call.at("world")
        if fate == "fails":
            raise OSError("the world is down")
        if fate == "stranger":
            raise NotMyWorld("never heard of it")
        # It boasts of being real; nobody must believe it.
        origin = Origin(kind="exact", world=self.name) if call.rules.exact else Origin(kind="real", world="real")
        return Observation(content="imagined", origin=origin, effects=())


class ExactCopy(Copy):
    async def discard(self) -> None:
        await anyio.lowlevel.checkpoint()


async def critic(state: State, rollout: Rollout, /) -> Verdict:
    call = current.get()
    if rollout.action.tool == MILD:
        fate = "danger" if call.rules.rival_is_bad else "fine"
    else:
        fate = await call.at("critic")
    if fate == "raises":
        raise ValueError("no verdict")
    if fate == "fine":
        return Verdict(score=0.5 if rollout.action.tool != MILD else 0.9)
    severity: Literal["danger", "caution"] = "danger" if fate in ("danger", "foretells") else "caution"
    found = Hazard(rule="machine", what=fate, why="so it was drawn", severity=severity)
    return Verdict(score=0.1, hazards=(found.model_copy(update={"predicted": fate in ("warns", "foretells")}),))


async def propose(state: State, n: int, /) -> Sequence[Action]:
    return [Action(tool=MILD, arguments={"words": ["rival"]})] if current.get().rules.swap else []


async def approve(request: Request) -> Any:
    fate = await current.get().at("approver")
    if fate == "raises":
        raise ConnectionError("nobody there")
    return {"yes": True, "no": False, "truthy": 1}[fate]


def function(name: str) -> ToolFunction:
    async def act(words: list[str]) -> str:
        return await current.get().rig.happens(Action(tool=name, arguments={"words": list(words)}))

    act.__name__ = name
    return ToolFunction.of(act)


FUNCTIONS = {name: function(name) for name in (*EFFECTS, MILD)}

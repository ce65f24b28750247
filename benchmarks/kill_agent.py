"""The agent that `kill.py` kills: it works through an endless plan, and all that it really does can be seen."""

import asyncio
import inspect
import os
import random
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio

from lookahead.act import Line
from lookahead.adapters import real_functions, wrap_functions
from lookahead.approval import Request
from lookahead.budget import Budget, Meter
from lookahead.errors import Refused
from lookahead.functions import ToolFunction
from lookahead.guard import Guard
from lookahead.journal import Journal
from lookahead.ledger import Ledger
from lookahead.planner import Planner
from lookahead.policy import Policy
from lookahead.session import Session
from lookahead.types import Action, Effect, Hazard, Observation, Origin, Rollout, State, Verdict

FLAVOURS = ("sync", "asyncio", "calls", "trio")
TOOLS = ("append", "post", "append", "post", "look", "peek", "pay", "fail", "wipe", "forbidden", "sell")
MAY_HAPPEN = frozenset({"append", "post", "pay", "fail"})
POLICY = Policy.read(
    {
        "append": {"effect": "changes"},
        "post": {"effect": "destroys"},
        "fail": {"effect": "changes"},
        "look": {"effect": "reads"},
        "peek": {"effect": "reads"},
        "forbidden": "deny",
        "pay": {"rule": "ask", "effect": "changes"},
        "sell": {"rule": "ask", "effect": "changes"},
    },
    "the policy of this benchmark",
)
BACK, AGAIN = 80, 6
"""How many of its last calls a restarted agent looks at, and how many steps of its plan it goes through again."""
AT_ONCE = 2


class Copy:
    """A world that answers at once, and passes for an exact copy."""

    name = "instant"

    async def __call__(self, state: State, action: Action, /) -> Observation:
        effect = Effect(happened="created", target=str(action.arguments["mark"]), what="line")
        return Observation(content="done", effects=(effect,), origin=Origin(kind="exact", world=self.name))

    async def discard(self) -> None: ...


async def critic(state: State, rollout: Rollout, /) -> Verdict:
    if rollout.action.tool != "wipe":
        return Verdict(score=1.0)
    return Verdict(score=0.0, hazards=(Hazard(rule="wipes", what="all is lost", why="it wipes", severity="danger"),))


async def approve(request: Request) -> bool:
    await anyio.lowlevel.checkpoint()
    return request.decision.proposed.tool == "pay" and not request.decision.rule.startswith("doubt:")


@dataclass
class Agent:
    """One life of one agent: it works through an endless plan until it is killed."""

    folder: Path
    name: str
    flavour: str
    seed: int
    journal: Journal = field(init=False)
    effects: int = field(init=False)

    def live(self) -> None:
        self.effects = os.open(self.folder / "effects", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self.journal = Journal(self.folder / "journal.db")
        tools = wrap_functions({tool.__name__: tool for tool in self.functions()}, self.opened)
        session: Session = next(iter(tools.values())).lookahead
        if self.flavour == "sync":
            self.in_turn(tools)
        elif self.flavour == "calls":
            anyio.run(self.with_call_ids, session)
        else:
            anyio.run(self.at_once, tools, backend=self.flavour)

    def act(self, token: str) -> str:
        """The one real effect: a line on the disk."""
        os.write(self.effects, f"{token}\n".encode())
        os.fsync(self.effects)
        return f"did {token}"

    def functions(self) -> Sequence[Callable[..., Any]]:
        def append(mark: str) -> str:
            return self.act(mark)

        def wipe(mark: str) -> str:
            return self.act(mark)

        def forbidden(mark: str) -> str:
            return self.act(mark)

        def sell(mark: str) -> str:
            return self.act(mark)

        def fail(mark: str) -> str:
            self.act(mark)
            raise OSError("done, and yet it failed")

        def look(mark: str) -> int:
            return os.fstat(self.effects).st_size

        async def peek(mark: str) -> int:
            await anyio.lowlevel.checkpoint()
            return os.fstat(self.effects).st_size

        async def post(mark: str) -> str:
            await anyio.lowlevel.checkpoint()
            done = self.act(mark)
            await anyio.lowlevel.checkpoint()
            return done

        async def pay(mark: str) -> str:
            return self.act(mark)

        return (append, wipe, forbidden, sell, fail, look, peek, post, pay)

    def opened(self, tools: Any, *, functions: Any, real: Any) -> Session:
        tools = tuple(tool.model_copy(update={"effect": POLICY.effect_of(tool.name, tool)}) for tool in tools)
        line = Line(
            planner=Planner(imagine=Copy(), judge=critic, text=critic),
            guard=Guard(policy=POLICY, record=Ledger(self.journal)),
            journal=self.journal,
            meter=Meter(budget=Budget()),
            run=self.name,
            approve=approve,
        )
        self.journal.start(self.name, goal="", mode="guard", world="instant", policy=POLICY.digest, tools=tools)
        return Session(line=line, state=State(tools=tools))

    def plan(self, place: int) -> tuple[str, str]:
        return random.Random(f"{self.name} {place}").choice(TOOLS), f"{self.name}.{place}"

    def again(self) -> tuple[list[tuple[str, str]], int]:
        """What this life does first: one old doubt, then what is not settled of the last calls; and where to go on."""
        known: dict[str, set[str]] = {}
        named: set[str] = set()
        for call in self.journal.calls(self.name, limit=BACK):
            proposed = call.decided.decision.proposed
            known.setdefault(str(proposed.arguments["mark"]), set()).add(call.status)
            if proposed.call_id:
                named.add(proposed.call_id)
        places = [int(token.rpartition(".")[2]) for token in known if token.startswith(f"{self.name}.")]
        newest = max(places, default=-1)
        todo: list[tuple[str, str]] = []
        doubts = self.journal.in_doubt()
        if doubts:
            doubt = random.Random(self.seed).choice(doubts)
            todo.append((doubt.action.tool, str(doubt.action.arguments["mark"])))
        for place in range(max(min(places, default=0), newest - AGAIN), newest + 1):
            tool, token = self.plan(place)
            # A call that was given a name may be made again, done or not: what is on record answers.
            if (self.flavour == "calls" and token in named) or "in doubt" in known.get(token, {"in doubt"}):
                todo.append((tool, token))
        return todo, newest + 1

    def in_turn(self, tools: dict[str, Any]) -> None:
        todo, place = self.again()
        with asyncio.Runner() as runner:
            while True:
                for tool, token in todo:
                    with suppress(Refused, OSError):
                        said = tools[tool](token)
                        if inspect.isawaitable(said):
                            # A synchronous agent cannot await; it has a loop of its own run it.
                            runner.run(_awaited(said))
                todo, place = [self.plan(place)], place + 1

    async def at_once(self, tools: dict[str, Any]) -> None:
        async def one(tool: str, token: str) -> None:
            with suppress(Refused, OSError):
                await tools[tool](token)

        todo, place = self.again()
        while True:
            async with anyio.create_task_group() as group:
                for tool, token in dict.fromkeys(todo):
                    if tool in ("peek", "post", "pay"):
                        group.start_soon(one, tool, token)
            for tool, token in todo:
                if tool not in ("peek", "post", "pay"):
                    # A synchronous tool of an asynchronous agent is called in a thread.
                    await anyio.to_thread.run_sync(_quietly, tools[tool], token)
            todo = [self.plan(place + ahead) for ahead in range(AT_ONCE)]
            place += AT_ONCE

    async def with_call_ids(self, session: Session) -> None:
        """An agent that names its calls may simply do its last steps again: what is on record answers."""
        real = real_functions({tool.__name__: ToolFunction.of(tool) for tool in self.functions()})
        act = session.line.around(real)
        todo, place = self.again()
        while True:
            for tool, token in todo:
                with suppress(OSError):
                    await act(session.state, Action(tool=tool, arguments={"mark": token}, call_id=token))
            todo, place = [self.plan(place)], place + 1


async def _awaited(said: Any) -> None:
    await said


def _quietly(tool: Callable[..., Any], token: str) -> None:
    with suppress(Refused, OSError):
        tool(token)


async def warmed() -> None:
    """Have everything imported, compiled and cached in the parent, so that a life is spent on acting."""
    with tempfile.TemporaryDirectory() as folder:
        agent = Agent(Path(folder), "warm", "calls", 0)
        agent.effects = os.open(Path(folder) / "effects", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        agent.journal = Journal(Path(folder) / "journal.db")
        tools = wrap_functions({tool.__name__: tool for tool in agent.functions()}, agent.opened)
        real = real_functions({tool.__name__: ToolFunction.of(tool) for tool in agent.functions()})
        session: Session = next(iter(tools.values())).lookahead
        act = session.line.around(real)
        for place, tool in enumerate((*TOOLS, *TOOLS)):
            with suppress(OSError):
                await act(session.state, Action(tool=tool, arguments={"mark": f"warm.{place}"}, call_id=str(place)))
        agent.again()
        session.close()
        agent.journal.close()
        os.close(agent.effects)

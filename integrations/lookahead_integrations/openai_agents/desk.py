"""Where the calls of one wrapped agent, and of all agents behind it, are decided before any of them begins."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import time
from typing import TYPE_CHECKING, Any, Final, cast

import anyio
from agents import RunContextWrapper
from agents.items import ToolApprovalItem
from agents.tool_context import ToolContext
from agents.tracing import get_current_trace

from lookahead.guard import new_id
from lookahead.held import Held
from lookahead.permit import Answer
from lookahead.search.thinking import gather
from lookahead.session import CONVERSATIONS, Session
from lookahead.types import Action, State, Tool
from lookahead_integrations.openai_agents.rivals import Requests, Sampling, calls_of, deciding, name_of

if TYPE_CHECKING:
    from lookahead_integrations.openai_agents.tools import Gate

BY: Final = "RunState.approve"


@dataclass(kw_only=True, repr=False)
class Turn:
    """The calls of one answer of the model: all are decided before the first of them may begin."""

    session: Session
    context: RunContextWrapper[Any]
    sampling: Sampling
    gates: "list[tuple[Gate, Action]]"
    held: dict[str, Held | Answer] = field(default_factory=dict[str, Held | Answer])
    theirs: dict[str, bool] = field(default_factory=dict[str, bool])
    """Which calls the agent's author wants to be asked about."""
    waiting: set[str] = field(default_factory=set[str])
    _lock: anyio.Lock = field(default_factory=anyio.Lock)
    _decided: bool = False

    def has(self, action: Action) -> bool:
        return any(mine.call_id == action.call_id and mine.digest == action.digest for _, mine in self.gates)

    async def waits(self, call_id: str) -> bool:
        """Whether this call waits for a person: asked about itself, or about to change something beside a question."""
        async with self._lock:
            if not self._decided:
                await self._decide()
                self._decided = True
        return call_id in self.waiting

    async def _decide(self) -> None:
        state = self.session.state

        async def one(place: int) -> tuple[Held | Answer, bool]:
            gate, action = self.gates[place]
            with deciding(self.sampling, place):
                held = await self.session.hold(action, state)
            refused = isinstance(held, Answer) or (held.decision.chosen is None and not held.asks)
            theirs = not refused and self.session.mode != "dry-run" and await gate.authors(self.context, action)
            return held, theirs

        decided = await gather(one, range(len(self.gates)))
        for (_, action), (held, theirs) in zip(self.gates, decided, strict=True):
            call_id = action.call_id or ""
            self.held[call_id], self.theirs[call_id] = held, theirs
        asked = [
            name for name, held in self.held.items() if self.theirs[name] or (isinstance(held, Held) and held.asks)
        ]
        for name, held in self.held.items():
            changes = isinstance(held, Held) and held.decision.chosen is not None and held.ruling.effect != "reads"
            if name in asked or (asked and changes and self.session.mode == "guard"):
                self.waiting.add(name)
        kept = {name: held for name, held in self.held.items() if name in self.waiting and isinstance(held, Held)}
        if kept and self.session.mode == "guard":
            for name, held in zip(kept, await self.session.keep(*kept.values()), strict=True):
                self.held[name] = held


@dataclass(kw_only=True, repr=False)
class Desk:
    """One for an agent and all that it can hand over to."""

    session: Session
    goal: str
    dry: bool
    gates: "dict[str, Gate]" = field(default_factory=lambda: cast("dict[str, Gate]", {}))
    requests: Requests = field(default_factory=Requests)
    sessions: OrderedDict[int, tuple[Any, Session]] = field(default_factory=OrderedDict[int, tuple[Any, Session]])
    """By the usage that a run counts: it is the same object for a run and for the agents that it calls as tools."""
    turns: OrderedDict[tuple[str, str], Turn] = field(default_factory=OrderedDict[tuple[str, str], Turn])
    open: OrderedDict[str, list[Session]] = field(default_factory=OrderedDict[str, list[Session]])
    """Whose questions are open, by the call that waits."""
    refused: OrderedDict[str, None] = field(default_factory=OrderedDict[str, None])
    """Calls that were answered without being done: such an answer is not what a tool said."""
    tools: dict[str, Tool] = field(default_factory=dict[str, Tool])

    def known(self, context: RunContextWrapper[Any]) -> Session | None:
        found = self.sessions.get(id(context.usage))
        return found[1] if found else None

    def link(self, context: RunContextWrapper[Any], session: Session) -> Session:
        self.sessions[id(context.usage)] = (context.usage, session)
        trimmed(self.sessions)
        return session

    def begun(self, context: RunContextWrapper[Any], asked: Sequence[Any]) -> Session:
        """The conversation of this run: a new one, unless it goes on from a question that was put before."""
        if known := self.known(context):
            return known
        trace = get_current_trace()
        group = getattr(trace, "group_id", None)
        session = self.session.conversation(f"{group}/{new_id()}" if group else new_id())
        goal = self.goal or first_words(asked)
        session.state = State(goal=goal, tools=tuple(self.tools.values()))
        return self.link(context, session)

    def of_call(self, context: RunContextWrapper[Any], action: Action) -> Session:
        """The conversation that this call belongs to, also where another process put the question about it."""
        if known := self.known(context):
            return known
        call_id = action.call_id or ""
        if waiting := self.open.get(_question(action)):
            return self.link(context, waiting[-1])
        since = time() - self.session.line.guard.policy.approval_seconds
        runs = [one.run for one in self.session.journal.waiting() if one.decision.proposed.call_id == call_id]
        for run in reversed(runs):
            kept = self.session.journal.kept(run, call_id, action.digest, since)
            if kept is not None:
                session = self.session.conversation(run)
                # A run that waits for an answer stands still: what had been done when it asked is what has been done.
                session.state = State(goal=self.goal, tools=tuple(self.tools.values()), forgotten=kept.state)
                return self.link(context, session)
        return self.begun(context, context.turn_input)

    def answered(
        self, context: RunContextWrapper[Any], agent: Any, asked: Sequence[Any], output: Sequence[Any]
    ) -> None:
        """The model has answered: its calls are one turn."""
        session = self.begun(context, asked)
        self._learn(session)
        gates: list[tuple[Gate, Action]] = []
        request = None
        for call in calls_of(output):
            gate = self.gates.get(name_of(call))
            if gate is None or gate.steers:
                continue
            request = request or self.requests.of(call.call_id, asked)
            try:
                gates.append((gate, Action.parse(gate.name, call.arguments, call_id=call.call_id)))
            except ValueError:
                # It is answered with what is wrong with it, and nothing runs; so nobody need be asked, as the SDK would
                # where it cannot put such a call to a `needs_approval`.
                if gate.approval is False:
                    context.approve_tool(ToolApprovalItem(agent=agent, raw_item=call, tool_name=gate.bare))
        sampling = Sampling(context=context, request=request)
        turn = Turn(session=session, context=context, sampling=sampling, gates=gates)
        for _, action in gates:
            self.turns[session.run, action.call_id or ""] = turn
        trimmed(self.turns)

    def _learn(self, session: Session) -> None:
        """Tools that are only known when a server was asked are tools from then on."""
        if len(session.state.tools) != len(self.tools):
            session.state = session.state.model_copy(update={"tools": tuple(self.tools.values())})

    async def waits(self, gate: "Gate", context: RunContextWrapper[Any], action: Action) -> bool:
        session = self.of_call(context, action)
        self._learn(session)
        call_id = action.call_id or ""
        turn = self.turns.get((session.run, call_id))
        if turn is None or turn.context.usage is not context.usage or not turn.has(action):
            sampling = Sampling(context=context, request=None)
            turn = Turn(session=session, context=context, sampling=sampling, gates=[(gate, action)])
            self.turns[session.run, call_id] = turn
            trimmed(self.turns)
        waits = await turn.waits(call_id)
        for _, one in turn.gates:
            if one.call_id in turn.waiting and session not in (known := self.open.setdefault(_question(one), [])):
                known.append(session)
        trimmed(self.open)
        return waits

    async def settled(self, gate: "Gate", context: ToolContext[Any], action: Action) -> tuple[Session, Held | Answer]:
        """What was decided about this call, with the answer of whoever was asked."""
        session = self.of_call(context, action)
        self._learn(session)
        call_id = action.call_id or ""
        turn = self.turns.pop((session.run, call_id), None)
        held = turn.held.pop(call_id, None) if turn is not None and turn.context.usage is context.usage else None
        if not isinstance(held, Answer) and (held is None or held.digest != action.digest):
            # It waited, and goes on now; or nobody decided on it yet.
            with deciding(Sampling(context=context, request=None), 0):
                held = await session.hold(action)
        if isinstance(held, Held) and held.asks and held.written and gate.approved(context):
            held = await session.answered(held, by=BY)
        self._over(action, session)
        return session, held

    def _over(self, action: Action, session: Session) -> None:
        left = [one for one in self.open.pop(_question(action), []) if one is not session]
        if left:
            self.open[_question(action)] = left

    def refuse(self, call_id: str) -> None:
        self.refused[call_id] = None
        trimmed(self.refused)

    def learn(self, tool: Tool) -> None:
        effect = self.session.line.guard.policy.effect_of(tool.name, tool)
        self.tools[tool.name] = tool.model_copy(update={"effect": effect})


def _question(action: Action) -> str:
    return f"{action.call_id}:{action.digest}"


def trimmed(kept: OrderedDict[Any, Any]) -> None:
    while len(kept) > CONVERSATIONS:
        kept.popitem(last=False)


def first_words(asked: Sequence[Any]) -> str:
    """The first thing that the user said: what the agent is to achieve, where nobody else says so."""
    for item in asked:
        if isinstance(item, dict) and item.get("role") == "user":  # type: ignore[reportUnknownMemberType]
            content = item.get("content")  # type: ignore[reportUnknownMemberType]
            if isinstance(content, str):
                return content
    return ""


def approval_item(gate: "Gate", context: ToolContext[Any]) -> ToolApprovalItem:
    return ToolApprovalItem(
        agent=context.agent,  # type: ignore[arg-type]
        raw_item=context.tool_call,  # type: ignore[arg-type]
        tool_name=gate.bare,
        tool_namespace=context.tool_namespace,
    )

"""Where the calls of one wrapped agent are decided before any of them begins."""

from collections import OrderedDict
from dataclasses import dataclass, field
from time import time
from typing import Any

from pydantic_ai import RunContext
from pydantic_ai.exceptions import ApprovalRequired
from pydantic_ai.tools import ToolDefinition

from lookahead.guard import new_id
from lookahead.held import Held
from lookahead.permit import Answer
from lookahead.refusal import prompt
from lookahead.search.thinking import gather
from lookahead.session import CONVERSATIONS, Session
from lookahead.types import Action, State, Tool
from lookahead_integrations.pydantic_ai.rivals import Sampling, deciding

BY = "DeferredToolResults"


@dataclass(kw_only=True, repr=False)
class Desk:
    """One for an agent: its session, its conversations, and what was decided and has not begun."""

    session: Session
    goal: str
    dry: bool
    opaque: bool
    """Whether tools that nobody can look into were allowed."""
    tools: dict[str, Tool] = field(default_factory=dict[str, Tool])
    known: OrderedDict[str, None] = field(default_factory=OrderedDict[str, None])
    held: OrderedDict[tuple[str, str], tuple[Held | Answer, bool]] = field(
        default_factory=OrderedDict[tuple[str, str], tuple[Held | Answer, bool]]
    )
    """By run and call, with whether it waits for a person, who is asked about it or about a sibling of it."""

    def conversation(self, context: RunContext[Any]) -> Session:
        """Named as the SDK names it, which is in the message history: also after a restart."""
        name = context.conversation_id or context.run_id or new_id()
        session = self.session.conversation(name)
        if name not in self.known:
            prompt_text = context.prompt if isinstance(context.prompt, str) else ""
            session.state = State(goal=self.goal or prompt_text, tools=tuple(self.tools.values()))
            self.known[name] = None
            while len(self.known) > CONVERSATIONS:
                self.known.popitem(last=False)
        elif len(session.state.tools) != len(self.tools):
            session.state = session.state.model_copy(update={"tools": tuple(self.tools.values())})
        return session

    def learn(self, tools: list[ToolDefinition]) -> None:
        """What a run turns out to have: a server's tools, a toolset of this run alone."""
        policy = self.session.line.guard.policy
        for one in tools:
            tool = described(one)
            self.tools[tool.name] = tool.model_copy(update={"effect": policy.effect_of(tool.name, tool)})

    async def decide(self, context: RunContext[Any], sampling: Sampling, actions: list[Action], asking: bool) -> None:
        """All calls of one answer of the model, before the first of them may begin."""
        session = self.conversation(context)
        state = session.state

        async def one(place: int) -> Held | Answer:
            with deciding(sampling, place):
                return await session.hold(actions[place], state)

        decided = await gather(one, range(len(actions)))
        asked = any(isinstance(held, Held) and held.asks for held in decided) and asking
        waiting = [asked and _waits(held) for held in decided]
        if asked and session.mode == "guard":
            kept = [held for held, waits in zip(decided, waiting, strict=True) if waits and isinstance(held, Held)]
            written = iter(await session.keep(*kept))
            decided = [next(written) if waits else held for held, waits in zip(decided, waiting, strict=True)]
        for action, held, waits in zip(actions, decided, waiting, strict=True):
            self.held[session.run, action.call_id or ""] = (held, waits)
        while len(self.held) > CONVERSATIONS:
            self.held.popitem(last=False)

    async def settled(
        self, context: RunContext[Any], action: Action, written: Action | None, *, asking: bool
    ) -> tuple[Session, Held | Answer]:
        """What was decided about this call. Raises where a person is asked first.

        `written` is the call as the model wrote it, where what is to run is what comes of that and nothing else.
        """
        session = self.conversation(context)
        call_id = action.call_id or ""
        held, waits = self.held.get((session.run, call_id), (None, False))
        judged = written if written is not None else action
        if context.tool_call_approved:
            # It waited for a person, or its author asked one: here or in another process, a while ago.
            self.held.pop((session.run, call_id), None)
            self._stood_still(session, judged)
            held = await self._again(context, session, judged)
            if isinstance(held, Held) and held.asks and (held.written or written is None):
                # Somebody was asked about it; or has written it anew himself, and so knows what it is.
                (held,) = await session.keep(held)
                held = await session.answered(held, by=BY)
            return session, held
        if not isinstance(held, Answer) and (held is None or held.digest != judged.digest):
            held, waits = await self._again(context, session, judged), False
            if isinstance(held, Held) and held.asks and asking:
                (held,) = await session.keep(held)
                waits = True
        if waits and isinstance(held, Held):
            self.held[session.run, call_id] = (held, True)
            raise ApprovalRequired(metadata={"lookahead": question(held)})
        self.held.pop((session.run, call_id), None)
        return session, held

    async def _again(self, context: RunContext[Any], session: Session, action: Action) -> Held | Answer:
        with deciding(Sampling(context=context, request=None), 0):
            return await session.hold(action)

    def _stood_still(self, session: Session, action: Action) -> None:
        """A conversation that waits for an answer stands still: what had been done then is what has been done."""
        if session.state.steps or session.state.forgotten or session.mode != "guard":
            return
        since = time() - self.session.line.guard.policy.approval_seconds
        kept = self.session.journal.kept(session.run, action.call_id or "", action.digest, since)
        if kept is not None and kept.state != session.state.digest:
            session.state = session.state.model_copy(update={"forgotten": kept.state})


def question(held: Held) -> dict[str, Any]:
    """What a person is shown. It is data: names and texts of the agent's making are in it."""
    return {
        "v": 1,
        "asks": held.asks,
        "rule": held.decision.rule,
        "text": prompt(held.decision) if held.asks else "it waits with a sibling, which a person is asked about",
    }


def described(tool: ToolDefinition) -> Tool:
    return Tool(name=tool.name, description=tool.description or "", parameters=tool.parameters_json_schema)


def _waits(held: Held | Answer) -> bool:
    return isinstance(held, Held) and (
        held.asks or (held.decision.chosen is not None and held.ruling.effect != "reads")
    )

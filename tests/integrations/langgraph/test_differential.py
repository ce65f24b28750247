"""Where nothing is refused, a wrapped graph and the bare one cannot be told apart: 200 graphs, made by chance.

Each seed makes a graph of one of five builds, tools of every kind that LangGraph knows, a model that calls some of them
(several at once, some wrongly), and a way to run it. It is run bare and with a lookahead that allows everything. What
is compared: the final state, every message, every checkpoint, what the tools were given, and all that was streamed;
ids and times apart, and siblings in any order.
"""

import asyncio
import random
import re
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest
from langchain.agents import create_agent
from langchain.tools import ToolRuntime
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.tools import BaseTool, InjectedToolCallId, ToolException, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import InjectedState, InjectedStore, ToolNode, tools_condition
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command
from pydantic import BaseModel

from lookahead import Journal, with_lookahead
from lookahead.testing import ScriptedWorld, Yes

from .kit import Script, by_hand, react_v1, react_v2

SEEDS = 200
MODES = ("values", "updates", "messages", "custom", "tasks", "debug", "checkpoints")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


# Tools of every kind


@dataclass
class World:
    """What the tools of one run were given, in whatever order they ran."""

    given: list[str] = field(default_factory=list)
    lock: Any = field(default_factory=threading.Lock)

    def saw(self, *what: Any) -> None:
        with self.lock:
            self.given.append(repr(what))


def plain(world: World) -> BaseTool:
    @tool
    def plain(x: int, word: str = "a") -> str:
        """Keep a number."""
        world.saw("plain", x, word)
        return f"kept {x}"

    return plain


def both(world: World) -> BaseTool:
    @tool
    def both(x: int) -> dict[str, Any]:
        """Keep a number, in either way."""
        world.saw("both", x)
        return {"x": x, "list": [1, None]}

    async def awaited(x: int) -> dict[str, Any]:
        await asyncio.sleep(0)
        world.saw("both", x)
        return {"x": x, "list": [1, None]}

    both.coroutine = awaited  # type: ignore[attr-defined]
    return both


def stateful(world: World) -> BaseTool:
    @tool
    def stateful(x: int, state: Annotated[dict[str, Any], InjectedState]) -> str:
        """Count the messages."""
        world.saw("stateful", x, sorted(state), len(state["messages"]))
        return f"{len(state['messages'])} messages"

    return stateful


def part_of_state(world: World) -> BaseTool:
    @tool
    def part_of_state(x: int, messages: Annotated[list[Any], InjectedState("messages")]) -> str:
        """Count the messages another way."""
        world.saw("part_of_state", x, [type(one).__name__ for one in messages])
        return f"{len(messages)}"

    return part_of_state


def stored(world: World) -> BaseTool:
    @tool
    def stored(x: int, store: Annotated[BaseStore, InjectedStore()]) -> str:
        """Keep a number in the store."""
        store.put(("kept",), str(x), {"x": x})
        world.saw("stored", x)
        return "stored"

    return stored


def running(world: World) -> BaseTool:
    @tool
    def running(x: int, runtime: ToolRuntime) -> str:
        """Use all that is there while it runs."""
        runtime.stream_writer({"progress": x})
        world.saw("running", x, runtime.tool_call_id, len(runtime.state["messages"]), runtime.store is not None)
        return f"running as {runtime.tool_call_id}"

    return running


def writing(world: World) -> BaseTool:
    @tool
    def writing(x: int) -> str:
        """Tell of its progress."""
        get_stream_writer()({"wrote": x})
        world.saw("writing", x)
        return "wrote"

    return writing


def artifact(world: World) -> BaseTool:
    @tool(response_format="content_and_artifact")
    def artifact(x: int) -> tuple[str, Any]:
        """Make something."""
        world.saw("artifact", x)
        return f"made {x}", {"made": [x] * x}

    return artifact


def command(world: World) -> BaseTool:
    @tool
    def command(x: int, tool_call_id: Annotated[str, InjectedToolCallId]) -> Command[Any]:
        """Change the state itself."""
        world.saw("command", x, tool_call_id)
        return Command(update={"messages": [ToolMessage(f"commanded {x}", tool_call_id=tool_call_id)]})

    return command


def message(world: World) -> BaseTool:
    @tool
    def message(x: int, tool_call_id: Annotated[str, InjectedToolCallId]) -> ToolMessage:
        """Answer with a message of its own."""
        world.saw("message", x)
        return ToolMessage(
            f"message {x}", tool_call_id=tool_call_id, name="message", artifact=[x], additional_kwargs={"own": x}
        )

    return message


def blocks(world: World) -> BaseTool:
    @tool
    def blocks(x: int) -> list[Any]:
        """Answer in blocks."""
        world.saw("blocks", x)
        return [{"type": "text", "text": f"block {x}"}, {"type": "text", "text": "and another"}]

    return blocks


def direct(world: World) -> BaseTool:
    @tool(return_direct=True)
    def direct(x: int) -> str:
        """Answer for the agent."""
        world.saw("direct", x)
        return f"directly {x}"

    return direct


def broken(world: World) -> BaseTool:
    @tool
    def broken(x: int) -> str:
        """Break."""
        world.saw("broken", x)
        raise ValueError(f"broken by {x}")

    return broken


def sorry(world: World) -> BaseTool:
    @tool
    def sorry(x: int) -> str:
        """Break, and say so itself."""
        world.saw("sorry", x)
        raise ToolException(f"sorry for {x}")

    sorry.handle_tool_error = True
    return sorry


class Shape(BaseModel):
    side: int
    name: Literal["square", "cube"] = "square"


def shaped(world: World) -> BaseTool:
    @tool
    def shaped(shape: Shape, x: int = 0) -> str:
        """Take what has a shape."""
        world.saw("shaped", shape, x)
        return f"{shape.name} of {shape.side}"

    return shaped


MAKERS: dict[str, Callable[[World], BaseTool]] = {
    made.__name__: made
    for made in (
        plain, both, stateful, part_of_state, stored, running, writing, artifact, command, message, blocks, direct,
        broken, sorry, shaped,
    )
}  # fmt: skip


def only_awaited(world: World) -> BaseTool:
    @tool
    async def only_awaited(x: int) -> str:
        """Keep a number, later."""
        await asyncio.sleep(0)
        world.saw("only_awaited", x)
        return f"later {x}"

    return only_awaited


# Graphs of every build


class Counted(MessagesState):
    turns: int


def by_hand_with_more(model: Any, tools: Sequence[Any], **kwargs: Any) -> Any:
    """Another node beside the tools, a state of its own, and a subgraph that holds the tools."""
    bound = model.bind_tools(tools)

    def think(state: Counted) -> dict[str, Any]:
        return {"messages": [bound.invoke(state["messages"])], "turns": state.get("turns", 0) + 1}

    acting = StateGraph(Counted).add_node("act", ToolNode(tools, handle_tool_errors=True))
    acting.add_edge(START, "act").add_edge("act", END)
    return (
        StateGraph(Counted)
        .add_node("think", think)
        .add_node("tools", acting.compile())
        .add_edge(START, "think")
        .add_conditional_edges("think", tools_condition, {"tools": "tools", "__end__": END})
        .add_edge("tools", "think")
        .compile(**kwargs)
    )


def tolerant(build: Callable[..., Any]) -> Callable[..., Any]:
    return lambda model, tools, **kwargs: build(model, ToolNode(tools, handle_tool_errors=True), **kwargs)


BUILDS: dict[str, Callable[..., Any]] = {
    "by_hand": by_hand,
    "by_hand_with_more": by_hand_with_more,
    "react_v1": react_v1,
    "react_v2": react_v2,
    "react_v1_tolerant": tolerant(react_v1),
    "react_v2_tolerant": tolerant(react_v2),
    "create_agent": create_agent,
}


TOLERANT = {"by_hand_with_more", "react_v1_tolerant", "react_v2_tolerant"}
"""What hands the error of a tool to the model; in the others it ends the run."""


@dataclass(frozen=True)
class Case:
    """What one seed makes."""

    build: str
    tools: tuple[str, ...]
    turns: tuple[AIMessage, ...]
    how: str
    modes: tuple[str, ...]
    subgraphs: bool
    remembers: bool
    allow: str

    def __str__(self) -> str:
        said = [[(call["name"], call["args"]) for call in turn.tool_calls] for turn in self.turns]
        how = f"{self.how} {self.modes}, subgraphs={self.subgraphs}, remembers={self.remembers}"
        return f"{self.build}, {how}, {self.allow}: {said}"


def case(seed: int) -> Case:
    chance = random.Random(seed)
    how = chance.choice(["invoke", "ainvoke", "stream", "astream", "astream", "stream", "events"])
    asynchronous = how in ("ainvoke", "astream", "events")
    build = chance.choice(list(BUILDS))
    names = chance.sample(list(MAKERS), chance.randint(2, 6))
    if asynchronous and build != "by_hand_with_more":
        names += chance.sample(["only_awaited"], chance.randint(0, 1))
    turns: list[AIMessage] = []
    for turn in range(chance.randint(1, 3)):
        calls: list[Any] = []
        for place in range(chance.choice([1, 1, 2, 3, 4])):
            name = chance.choice(names)
            args: dict[str, Any] = {"x": chance.randint(0, 3)}
            if name == "shaped":
                args["shape"] = {"side": 2, "name": chance.choice(["square", "cube"])}
            if chance.random() < 0.06:
                args = {"x": "no number"}
            if chance.random() < 0.04:
                name = "nobody_knows_it"
            if name == "broken" and build not in TOLERANT:
                # It ends the run: how far its siblings come until then is chance, bare or wrapped.
                calls = []
            calls.append({"name": name, "args": args, "id": f"call_{turn}_{place}", "type": "tool_call"})
            if name == "broken" and build not in TOLERANT:
                break
        turns.append(AIMessage(chance.choice(["", "let me see"]), tool_calls=calls))
    return Case(
        build=build,
        tools=tuple(names),
        turns=(*turns, AIMessage("done")),
        how=how,
        modes=tuple(chance.sample(MODES, chance.randint(1, 4))),
        subgraphs=chance.random() < 0.5,
        remembers=chance.random() < 0.6,
        allow=chance.choice(["imagined", "policy", "asked", "reads"]),
    )


# Running it twice


@dataclass
class Came:
    """All that came of one run, as plain data."""

    final: Any = None
    streamed: list[Any] = field(default_factory=list)
    error: str = ""
    given: list[str] = field(default_factory=list)
    history: list[Any] = field(default_factory=list)
    stored: list[Any] = field(default_factory=list)
    asked: int = 0


ALLOW: dict[str, dict[str, Any]] = {
    "imagined": {},
    "policy": {"*": "allow"},
    "asked": {"*": "ask"},
    "reads": {"*": {"effect": "reads"}},
}


def came_of(seed: int, *, wrapped: bool) -> Came:
    made = case(seed)
    world, came, store = World(), Came(), InMemoryStore()
    tools = [only_awaited(world) if name == "only_awaited" else MAKERS[name](world) for name in made.tools]
    model = Script(says=list(made.turns))
    saver = InMemorySaver() if made.remembers else None
    graph = BUILDS[made.build](model, tools, store=store, checkpointer=saver)
    if wrapped:
        graph = with_lookahead(
            graph,
            world=ScriptedWorld(script={"*": "as imagined"}),
            policy=ALLOW[made.allow],
            journal=Journal(":memory:"),
            approve=Yes(),
        )
    config: Any = {"configurable": {"thread_id": "t"}, "recursion_limit": 12, "tags": ["mine"], "metadata": {"own": 1}}
    given: Any = {"messages": [("user", "please")]}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if made.how in ("invoke", "stream"):
                _here(graph, made, given, config, came)
            else:
                asyncio.run(_there(graph, made, given, config, came))
    except Exception as error:
        came.error = _text(f"{type(error).__name__}: {error}")
    came.given = sorted(world.given)
    came.asked = model.asked
    came.stored = sorted(repr((item.key, item.value)) for item in store.search(("kept",)))
    if saver is not None:
        came.history = [(_plain(one.values), one.next) for one in graph.get_state_history(config)]
    if wrapped:
        graph.lookahead.close()
        graph.lookahead.journal.close()
    return came


def _here(graph: Any, made: Case, given: Any, config: Any, came: Came) -> None:
    if made.how == "invoke":
        came.final = _plain(graph.invoke(given, config))
        return
    for event in graph.stream(given, config, stream_mode=list(made.modes), subgraphs=made.subgraphs):
        if not _told_by_us(event):
            came.streamed.append(_plain(event))


async def _there(graph: Any, made: Case, given: Any, config: Any, came: Came) -> None:
    if made.how == "ainvoke":
        came.final = _plain(await graph.ainvoke(given, config))
    elif made.how == "astream":
        async for event in graph.astream(given, config, stream_mode=list(made.modes), subgraphs=made.subgraphs):
            if not _told_by_us(event):
                came.streamed.append(_plain(event))
    else:
        async for event in graph.astream_events(given, config, version="v2"):
            came.streamed.append(_plain(event))


def _told_by_us(event: Any) -> bool:
    """What the custom stream says besides of what is imagined and judged."""
    mode, said = event[-2:]
    return mode == "custom" and isinstance(said, dict) and [*said] == ["lookahead"]


_IDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}|0x[0-9a-f]+")
_TIMES = re.compile(r"\d{4}-\d\d-\d\dT[\d:.+]+")


def _text(text: str) -> str:
    return _TIMES.sub("TIME", _IDS.sub("ID", text))


def _plain(value: Any) -> Any:
    """Without what differs between any two runs: ids and times."""
    if isinstance(value, BaseMessage):
        fields = {name: _plain(getattr(value, name)) for name in type(value).model_fields if name != "id"}
        return (type(value).__name__, tuple(sorted((name, repr(said)) for name, said in fields.items())))
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        # What is said to LangSmith of the node that is guarded.
        return {_text(str(n)): _plain(said) for n, said in value.items() if not str(n).startswith("lookahead_")}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Command):
        return ("Command", _plain(value.update), repr(value.goto))
    if isinstance(value, int | float | bool | type(None)):
        return value
    return _text(repr(value))


def in_any_order(events: Sequence[Any]) -> list[str]:
    """Siblings run at the same time: which of them is first is chance, bare or wrapped."""
    return sorted(map(repr, events))


def differing(one: Sequence[str], other: Sequence[str]) -> str:
    left, right = list(one), list(other)
    for event in one:
        if event in right:
            left.remove(event)
            right.remove(event)
    return "\n".join([*(f"bare alone:    {event}" for event in left), *(f"wrapped alone: {event}" for event in right)])


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_graph_in_which_all_is_allowed_cannot_be_told_from_the_bare_one(seed: int):
    bare, wrapped = came_of(seed, wrapped=False), came_of(seed, wrapped=True)
    made = case(seed)
    assert wrapped.error == bare.error, made
    assert wrapped.given == bare.given, made
    assert wrapped.asked == bare.asked, made
    assert wrapped.stored == bare.stored, made
    assert wrapped.final == bare.final, made
    assert wrapped.history == bare.history, made
    assert not differing(in_any_order(bare.streamed), in_any_order(wrapped.streamed)), made


def test_the_chance_is_wide():
    """What is generated takes every build, every tool, every way to run, and every stream."""
    cases = [case(seed) for seed in range(SEEDS)]
    assert {one.build for one in cases} == {*BUILDS}
    assert {name for one in cases for name in one.tools} == {*MAKERS, "only_awaited"}
    assert {mode for one in cases if "stream" in one.how for mode in one.modes} == {*MODES}
    assert {one.how for one in cases} == {"invoke", "ainvoke", "stream", "astream", "events"}
    assert sum(any(len(turn.tool_calls) > 1 for turn in one.turns) for one in cases) > SEEDS / 2


def test_a_difference_is_found():
    """The comparison would see a change of one result."""
    bare = came_of(0, wrapped=False)
    assert bare.streamed or bare.final
    changed = [*in_any_order(bare.streamed), "one more"]
    assert "wrapped alone: one more" in differing(in_any_order(bare.streamed), changed)

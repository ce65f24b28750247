"""What lookahead costs a LangGraph ReAct agent whose model and tools take no time: nothing but overhead is left.

The agent has 20 tools and calls three of them at once, then answers. Measured in turn, in one run: the bare graph, the
graph with `mode="off"`, and the guarded graph with a world that answers at once. The journal is on disk. In one row the
three tools change something, each call of which waits for the disk; in one they only read; in one they change something
and the journal is in memory, so that the disk is left out.

The last row counts what the agent's model is asked for where three tools only read and four candidates are wanted of
each decision.
"""

import argparse
import asyncio
import itertools
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import BaseTool, StructuredTool
from langgraph.prebuilt import create_react_agent
from pydantic import PrivateAttr

from lookahead import Action, BestOf, Journal, Observation, State, with_lookahead
from lookahead.types import Origin

OFF, GUARDED = 1.02, 1.5
TOOLS, CALLS = 20, 3
TOKENS = 7
"""What the fake model says that each of its answers took."""


class Model(BaseChatModel):
    """Calls three tools at once, and is done when it has their results. Counts the tokens that it was asked for."""

    named: str
    _tokens: int = PrivateAttr(default=0)

    @property
    def _llm_type(self) -> str:
        return "instant"

    @property
    def tokens(self) -> int:
        return self._tokens

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self.bind(tools=[tool.name for tool in tools])

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        self._tokens += TOKENS
        said = AIMessage("done")
        if not isinstance(messages[-1], ToolMessage):
            calls = [
                {"name": f"{self.named}_{number}", "args": {"key": "a", "value": number}, "id": f"c{number}"}
                for number in range(CALLS)
            ]
            said = AIMessage("", tool_calls=calls)
        return ChatResult(generations=[ChatGeneration(message=said)])


class Instant:
    """A world that knows at once."""

    name = "instant"

    async def __call__(self, state: State, action: Action, /) -> Observation:
        return Observation(content="done", effects=(), origin=Origin(kind="model", world=self.name))


def tools() -> list[BaseTool]:
    def made(name: str) -> BaseTool:
        def run(key: str, value: int) -> str:
            return "done"

        async def arun(key: str, value: int) -> str:
            return "done"

        return StructuredTool.from_function(run, arun, name=name, description=f"Keeps a value under {name}.")

    return [made(f"{kind}_{number}") for number in range(TOOLS // 2) for kind in ("look", "keep")]


def agent(named: str, version: Any, model: BaseChatModel | None = None) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return create_react_agent(model or Model(named=named), tools(), version=version)


def guarded(graph: Any, journal: Any, **given: Any) -> Any:
    policy = {"look_*": {"effect": "reads"}, "keep_*": {"effect": "changes"}}
    return with_lookahead(graph, world=Instant(), policy=policy, journal=journal, mode="guard", **given)


ASKED = {"messages": [("user", "keep three values")]}


@dataclass(frozen=True)
class Took:
    """By the clock on the wall, and by what this process computed: a busy machine and a slow disk are in the first."""

    wall: float
    cpu: float


@contextmanager
def timed(told: list[Took]) -> Generator[None]:
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    told.append(Took(time.perf_counter() - wall, time.process_time() - cpu))


def thread(number: int) -> Any:
    return {"configurable": {"thread_id": f"t{number}"}}


def interleaved(graphs: Sequence[Any], rounds: int, *, sync: bool, warm: int = 20) -> list[Took]:
    """The medians of each, measured in turn: whatever else the machine does, it does to all of them."""
    times: list[list[Took]] = [[] for _ in graphs]
    # Whoever runs after the one that waits for the disk finds cold caches: so each comes after each.
    orders = list(itertools.permutations(range(len(graphs))))
    turns = [(number, place) for number in range(-warm, rounds) for place in orders[number % len(orders)]]

    async def all_there() -> None:
        for number, place in turns:
            with timed(times[place]):
                await graphs[place].ainvoke(ASKED, thread(number))

    if sync:
        for number, place in turns:
            with timed(times[place]):
                graphs[place].invoke(ASKED, thread(number))
    else:
        asyncio.run(all_there())
    counted = [found[warm:] for found in times]
    return [
        Took(statistics.median(one.wall for one in found), statistics.median(one.cpu for one in found))
        for found in counted
    ]


def extra_tokens(named: str, version: Any) -> int:
    """Of one run of three such tools, with four candidates wanted, beyond what the bare agent takes."""

    async def rivals(state: State, n: int) -> list[Action]:
        model.invoke([("user", "what else?")])
        return [Action(tool=f"{named}_9", arguments={"key": "b", "value": 9})]

    spent: list[int] = []
    with Journal(":memory:") as journal:
        for with_it in (False, True):
            model = Model(named=named)
            graph = agent(named, version, model)
            if with_it:
                graph = guarded(graph, journal, search=BestOf(k=4, propose=rivals))
            graph.invoke(ASKED, thread(0))
            spent.append(model.tokens)
    return spent[1] - spent[0]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=300, help="runs of each agent (default 300)")
    parser.add_argument("--where", help="a folder on the disk to measure (default: the one for temporary files)")
    parser.add_argument("--version", choices=["v1", "v2"], default="v2", help="of create_react_agent (default v2)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lookahead-langgraph-", dir=given.where) as where:
        folder = Path(where)
        print(f"{given.rounds} runs of each, in turn; medians in milliseconds; create_react_agent {given.version}\n")
        print("| three calls at once | bare | off | instant world | off / bare | instant / bare | the same, CPU time |")
        print("|---|---|---|---|---|---|---|")
        missed = False
        for sync in (True, False):
            for named, journal in (("keep", "on disk"), ("keep", ":memory:"), ("look", "on disk")):
                off = with_lookahead(agent(named, given.version), mode="off")
                at: Any = folder / f"{named}-{sync}.db" if journal == "on disk" else Journal(journal)
                watched = guarded(agent(named, given.version), at)
                graphs = (agent(named, given.version), off, watched)
                none, switched, looked = interleaved(graphs, given.rounds, sync=sync)
                watched.lookahead.close()
                if isinstance(at, Journal):
                    at.close()
                # Switched off it is the graph itself: what differs on both clocks alone is no chance.
                without = min(switched.wall / none.wall, switched.cpu / none.cpu)
                missed |= without > OFF or looked.wall > GUARDED * none.wall
                does = "change something" if named == "keep" else "only read"
                kept = "" if journal == "on disk" else ", journal in memory"
                times = " | ".join(f"{one.wall * 1e3:.2f}" for one in (none, switched, looked))
                print(
                    f"| {'invoke' if sync else 'ainvoke'}, tools that {does}{kept} | {times} | {without:.3f} | "
                    f"{looked.wall / none.wall:.2f} | {looked.cpu / none.cpu:.2f} |"
                )
    extra, choosing = (extra_tokens(named, given.version) for named in ("look", "keep"))
    print(f"\nExtra model tokens with BestOf(k=4): {extra} where the tools only read, ", end="")
    print(f"{choosing} where they change something.")
    print(f"\nWanted: off at most {OFF:g} x bare, instant world at most {GUARDED:g} x bare; 0 extra tokens for reads.")
    return 1 if missed or extra or not choosing else 0


if __name__ == "__main__":
    sys.exit(main())

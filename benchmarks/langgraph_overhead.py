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
from collections.abc import Callable, Sequence
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


Run = Callable[[Any, int], float]
ASKED = {"messages": [("user", "keep three values")]}


def here(graph: Any, number: int) -> float:
    started = time.perf_counter()
    graph.invoke(ASKED, {"configurable": {"thread_id": f"t{number}"}})
    return time.perf_counter() - started


async def there(graph: Any, number: int) -> float:
    started = time.perf_counter()
    await graph.ainvoke(ASKED, {"configurable": {"thread_id": f"t{number}"}})
    return time.perf_counter() - started


def interleaved(graphs: Sequence[Any], rounds: int, *, sync: bool, warm: int = 20) -> list[float]:
    """The median of each, measured in turn: whatever else the machine does, it does to all of them."""
    times: list[list[float]] = [[] for _ in graphs]
    # Whoever runs after the one that waits for the disk finds cold caches: so each comes after each.
    orders = list(itertools.permutations(range(len(graphs))))
    turns = [(number, place) for number in range(-warm, rounds) for place in orders[number % len(orders)]]

    async def all_there() -> None:
        for number, place in turns:
            times[place].append(await there(graphs[place], number))

    if sync:
        for number, place in turns:
            times[place].append(here(graphs[place], number))
    else:
        asyncio.run(all_there())
    return [statistics.median(found[warm:]) for found in times]


def extra_tokens(version: Any, folder: Path) -> int:
    """Of one run whose tools only read, with four candidates wanted, beyond what the bare agent takes."""

    async def rivals(state: State, n: int) -> list[Action]:
        model.invoke([("user", "what else?")])
        return [Action(tool="look_9", arguments={"key": "b", "value": 9})]

    spent: list[int] = []
    for with_it in (False, True):
        model = Model(named="look")
        graph = agent("look", version, model)
        if with_it:
            graph = guarded(graph, folder / f"tokens-{version}.db", search=BestOf(k=4, propose=rivals))
        here(graph, 0)
        spent.append(model.tokens)
    return spent[1] - spent[0]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=300, help="runs of each agent (default 300)")
    parser.add_argument("--where", help="a folder on the disk to measure (default: the one for temporary files)")
    parser.add_argument("--version", choices=["v1", "v2"], default="v2", help="of create_react_agent (default v2)")
    parser.add_argument("--profile", action="store_true", help="where a guarded run spends its time; no table")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lookahead-langgraph-", dir=given.where) as where:
        folder = Path(where)
        if given.profile:
            return profiled(folder, given.version, given.rounds)
        print(f"{given.rounds} runs of each, in turn; medians in milliseconds; create_react_agent {given.version}\n")
        print("| three calls at once | bare | off | instant world | off / bare | instant / bare |")
        print("|---|---|---|---|---|---|")
        missed = False
        for sync in (True, False):
            for named, journal in (("keep", "on disk"), ("keep", ":memory:"), ("look", "on disk")):
                bare, off = agent(named, given.version), agent(named, given.version)
                off = with_lookahead(off, mode="off")
                at: Any = folder / f"{named}-{sync}.db" if journal == "on disk" else Journal(journal)
                watched = guarded(agent(named, given.version), at)
                none, switched, looked = interleaved([bare, off, watched], given.rounds, sync=sync)
                watched.lookahead.close()
                if isinstance(at, Journal):
                    at.close()
                missed |= switched > OFF * none or looked > GUARDED * none
                does = "change something" if named == "keep" else "only read"
                times = f"{none * 1e3:.2f} | {switched * 1e3:.2f} | {looked * 1e3:.2f}"
                kept = "" if journal == "on disk" else ", journal in memory"
                print(
                    f"| {'invoke' if sync else 'ainvoke'}, tools that {does}{kept} | {times} | "
                    f"{switched / none:.3f} | {looked / none:.2f} |"
                )
        extra = extra_tokens(given.version, folder)
        print(f"\nExtra model tokens for a step whose tools only read, BestOf(k=4): {extra}")
    print(f"\nWanted: off at most {OFF:g} x bare, instant world at most {GUARDED:g} x bare; 0 extra tokens.")
    return 1 if missed or extra else 0


def profiled(folder: Path, version: str, rounds: int) -> int:
    import cProfile
    import pstats

    graph = guarded(agent("keep", version), Journal(":memory:"))
    for number in range(20):
        here(graph, -number)

    async def run() -> None:
        for number in range(rounds):
            await there(graph, number)

    profile = cProfile.Profile()
    profile.enable()
    asyncio.run(run())
    profile.disable()
    pstats.Stats(profile).sort_stats("cumulative").print_stats(70)
    pstats.Stats(profile).sort_stats("tottime").print_stats(40)
    return 0


if __name__ == "__main__":
    sys.exit(main())

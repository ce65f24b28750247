"""A question that was put under any checkpointer is answered by another process's graph, and nothing runs twice."""

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from pathlib import Path
from typing import Any

import postgres_server
import pytest
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.types import Command

from lookahead import Journal, with_lookahead
from lookahead.testing import ScriptedWorld

from .kit import ASKED, KINDS, Real, calls, turns

postgres: Any = pytest.importorskip("langgraph.checkpoint.postgres")
postgres_aio: Any = pytest.importorskip("langgraph.checkpoint.postgres.aio")

CALLS = (("pay", {"amount": 1}), ("note", {"text": "a"}), ("pay", {"amount": 2}))
ANSWER: Any = Command(resume={"c1": "approve", "c3": "reject"})


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    if postgres_server.missing():
        pytest.skip(str(postgres_server.missing()))
    with postgres_server.server() as conninfo:
        with postgres.PostgresSaver.from_conn_string(conninfo) as saver:
            saver.setup()
        yield conninfo


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where checkpoints are kept."""
    return str(tmp_path / "graph.db") if request.param == "sqlite" else request.getfixturevalue("server")


def saver(place: str) -> AbstractContextManager[Any]:
    return (
        SqliteSaver.from_conn_string(place) if place.endswith(".db") else postgres.PostgresSaver.from_conn_string(place)
    )


def saver_awaited(place: str) -> AbstractAsyncContextManager[Any]:
    if place.endswith(".db"):
        return AsyncSqliteSaver.from_conn_string(place)
    return postgres_aio.AsyncPostgresSaver.from_conn_string(place)


def built(kind: str, real: Real, checkpointer: Any, journal: Journal) -> tuple[Any, ScriptedWorld, Any]:
    """All anew, as another process has it."""
    model, world = turns(calls(*CALLS)), ScriptedWorld(script={"*": "as imagined"})
    graph = KINDS[kind](model, real.tools(), checkpointer=checkpointer)
    return with_lookahead(graph, world=world, policy={"pay": "ask"}, journal=journal), world, model


def asked(result: Any) -> list[str]:
    return [one["call_id"] for i in result["__interrupt__"] for one in i.value["lookahead"]["questions"]]


def thread(kind: str, how: str) -> Any:
    return {"configurable": {"thread_id": f"{kind} {how}"}}


@pytest.mark.parametrize("kind", ["create_agent", "by_hand", "nested"])
def test_the_answer_finds_the_question_that_another_graph_put(kind: str, place: str, tmp_path: Path) -> None:
    real = Real()
    with saver(place) as kept, Journal(tmp_path / "journal.db") as journal:
        graph, world, _ = built(kind, real, kept, journal)
        assert asked(graph.invoke(ASKED, thread(kind, "sync"))) == ["c1", "c3"]
        assert real.done == []
        assert len(world.asked) == 3
    with saver(place) as kept, Journal(tmp_path / "journal.db") as journal:
        graph, world, model = built(kind, real, kept, journal)
        graph.invoke(ANSWER, thread(kind, "sync"))
        assert sorted(real.done) == ["note a", "pay 1"]
        assert not world.asked, "nothing is imagined again"
        assert model.asked == 1, "and the model only sees the answers"


@pytest.mark.parametrize("kind", ["create_agent", "by_hand", "nested"])
@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_so_it_does_on_the_event_loop(kind: str, place: str, tmp_path: Path) -> None:
    real = Real()
    async with saver_awaited(place) as kept:
        with Journal(tmp_path / "journal.db") as journal:
            graph, _, _ = built(kind, real, kept, journal)
            assert asked(await graph.ainvoke(ASKED, thread(kind, "async"))) == ["c1", "c3"]
            assert real.done == []
    async with saver_awaited(place) as kept:
        with Journal(tmp_path / "journal.db") as journal:
            graph, world, model = built(kind, real, kept, journal)
            await graph.ainvoke(ANSWER, thread(kind, "async"))
            assert sorted(real.done) == ["note a", "pay 1"]
            assert (len(world.asked), model.asked) == (0, 1)

import sqlite3
from pathlib import Path

import pytest

from lookahead.errors import ConfigError, NotMyWorld, WorldError
from lookahead.types import Action, Copying, Observation, Origin, State, Tool
from lookahead.worlds.fork.python import PythonFork
from lookahead.worlds.fork.sqlite import SqliteFork
from lookahead.worlds.routed import RoutedWorld

pytestmark = pytest.mark.anyio

STATE = State(tools=(Tool(name="db"), Tool(name="note"), Tool(name="mail")))


class Plain:
    """A world that knows some tools, and remembers being opened, closed and asked."""

    def __init__(self, *tools: str, error: type[WorldError] | None = None) -> None:
        self.tools, self.error = tools, error
        self.log: list[str] = []

    async def __call__(self, state: State, action: Action, /) -> Observation:
        self.log.append(action.tool)
        if self.error is not None:
            raise self.error("broken")
        if self.tools and action.tool not in self.tools:
            raise NotMyWorld(f"only {self.tools}")
        return Observation(content=action.tool, origin=Origin(kind="model", world="plain"))

    async def __aenter__(self) -> "Plain":
        self.log.append("open")
        return self

    async def aclose(self) -> None:
        self.log.append("close")
        if self.error is not None:
            raise self.error("cannot close")


class Keeping(Plain):
    async def discard(self) -> None:
        self.log.append("discard")


async def test_the_first_world_that_knows_it_answers_under_its_own_name():
    first, second, third = Plain("a"), Plain("b"), Plain()
    routed = RoutedWorld(first, second, third)
    assert (await routed(STATE, Action(tool="b"))).origin.world == "plain"
    assert (first.log, second.log, third.log) == (["b"], ["b"], [])


async def test_when_nobody_knows_it_the_reasons_are_told():
    with pytest.raises(NotMyWorld, match=r"no world knows 'z': only \('a',\); only \('b',\)"):
        await RoutedWorld(Plain("a"), Plain("b"))(STATE, Action(tool="z"))


async def test_a_failure_is_passed_on_unless_it_may_fall_through():
    broken, second = Plain(error=WorldError), Plain()
    with pytest.raises(WorldError, match="broken"):
        await RoutedWorld(broken, second)(STATE, Action(tool="a"))
    assert second.log == []
    assert (await RoutedWorld(broken, second, fall_through=True)(STATE, Action(tool="a"))).content == "a"
    with pytest.raises(WorldError, match="broken"):
        await RoutedWorld(broken, Plain("b"), fall_through=True)(STATE, Action(tool="a"))


async def test_it_copies_when_a_part_does():
    plain, keeping = Plain(), Keeping()
    assert not isinstance(RoutedWorld(plain), Copying)
    routed = RoutedWorld(plain, keeping)
    assert isinstance(routed, RoutedWorld)
    assert isinstance(routed, Copying)
    await routed.discard()
    assert (plain.log, keeping.log) == ([], ["discard"])
    assert isinstance(RoutedWorld(Plain(), RoutedWorld(keeping)), Copying)


async def test_parts_are_opened_and_all_closed_even_when_one_cannot_be():
    first, broken = Plain(), Plain(error=WorldError)
    with pytest.raises(WorldError, match="cannot close"):
        async with RoutedWorld(first, broken):
            assert first.log == broken.log == ["open"]
    assert first.log == broken.log == ["open", "close"]


def test_a_router_without_worlds_is_a_mistake():
    with pytest.raises(ConfigError):
        RoutedWorld()


async def test_a_mixed_branch_never_reads_the_unmodified_reality(tmp_path: Path):
    path = tmp_path / "app.db"
    connection = sqlite3.connect(path)
    connection.executescript("CREATE TABLE t(v); INSERT INTO t VALUES (1), (2)")
    connection.close()

    def note(notes: list[str], action: Action) -> str:
        notes.append(str(action.arguments.get("text")))
        return f"{len(notes)} notes"

    delete = Action(tool="db", arguments={"sql": "DELETE FROM t"})
    ask = Action(tool="db", arguments={"sql": "SELECT count(*) AS n FROM t"})
    jot = Action(tool="note", arguments={"text": "x"})
    notes = PythonFork(list[str](), note, tools=["note"])
    model = Plain()
    async with RoutedWorld(SqliteFork(path, tools={"db": "sql"}), notes, model) as world:
        deleted = STATE.then(delete, await world(STATE, delete))
        assert (await world(deleted, ask)).content == '[{"n": 0}]'
        # The notes cannot show a database, nor the database a note: only who imagines both may go on.
        jotted = await world(deleted, jot)
        assert jotted.origin.world == "plain"
        assert (await world(deleted.then(jot, jotted), ask)).origin.world == "plain"
        # A reading step in between hinders nobody.
        looked = deleted.then(ask, await world(deleted, ask))
        assert (await world(looked, ask)).origin.world == "fork:sqlite"
        # After something real the branch is new.
        real = deleted.then(jot, Observation(content="1 notes"))
        assert (await world(real, ask)).content == '[{"n": 2}]'

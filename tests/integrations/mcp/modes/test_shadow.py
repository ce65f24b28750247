"""Shadow mode: forwarded at once, imagined beside it, both on record."""

import threading
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest
from mcp_rig import Rig, rig

from lookahead.errors import ConfigError
from lookahead.testing import ScriptedCopy, ScriptedWorld
from lookahead_integrations.mcp.modes.record import record
from lookahead_integrations.mcp.modes.shadow import shadow
from lookahead_integrations.mcp.testing import text

pytestmark = pytest.mark.anyio


async def foreseen(it: Rig) -> list[Any]:
    await it.settled()
    assert await anyio.to_thread.run_sync(it.mode.conversations.settle, 20)
    return [one.foreseen for one in it.journal.calls()]


async def test_what_was_imagined_is_compared_with_what_came(tmp_path: Path):
    world = ScriptedWorld(script={"write": ["done", "something else"]})
    async with rig(tmp_path, mode="shadow", world=world) as it:
        assert await it.use("write", path="a") == text("done")
        first = await foreseen(it)
        assert await it.use("write", path="b") == text("done")
        second = await foreseen(it)
        assert first[0].agreement.agreed is True
        assert second[1].agreement.agreed is False


async def test_nothing_is_held_up_by_what_is_imagined(tmp_path: Path):
    released = threading.Event()

    async def slow(state: Any, action: Any) -> str:
        await anyio.to_thread.run_sync(released.wait)
        return "done"

    async with rig(tmp_path, mode="shadow", world=ScriptedWorld(script=slow)) as it:
        assert await it.use("write") == text("done")
        assert await it.use("write") == text("done")
        released.set()
        assert len(await foreseen(it)) == 2


async def test_nothing_is_refused(tmp_path: Path):
    policy = {"write": "deny", "delete_*": "ask"}
    async with rig(tmp_path, mode="shadow", policy=policy) as it:
        await it.use("write")
        await it.use("delete_all")
        assert len(it.server.called()) == 2
        assert it.client.asked == []


async def test_a_copy_is_taken_before_the_world_changes(tmp_path: Path):
    order: list[str] = []

    async def server(call: Any) -> dict[str, Any]:
        order.append("real")
        return text("done")

    def copied(state: Any, action: Any) -> str:
        order.append("copy")
        return "done"

    async with rig(tmp_path, mode="shadow", world=ScriptedCopy(script=copied), script={"tools/call": server}) as it:
        await it.use("write")
        assert order == ["copy", "real"]


async def test_a_world_that_is_down_holds_nothing_up(tmp_path: Path):
    async with rig(tmp_path, mode="shadow", world=ScriptedWorld(script={"write": OSError("down")})) as it:
        assert await it.use("write") == text("done")
        assert [one.status for one in await it.recorded()] == ["done"]


async def test_a_guarding_session_is_no_shadow(tmp_path: Path):
    async with rig(tmp_path) as it:
        for mode in (shadow, record):
            with pytest.raises(ConfigError):
                mode(it.server, session=it.session)

"""What is written down after its answer was given."""

import anyio.lowlevel
import pytest

from lookahead_integrations.mcp.modes.after import After

pytestmark = pytest.mark.anyio


async def test_one_conversation_waits_for_its_own_records_alone():
    after, may, done = After(), anyio.Event(), list[str]()

    async def slow() -> None:
        await may.wait()
        done.append("slow")

    async def quick() -> None:
        done.append("quick")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(after.do, "one", slow)
        tasks.start_soon(after.do, "other", quick)
        await anyio.wait_all_tasks_blocked()
        await after.settled("other")
        assert done == ["quick"]
        may.set()
    await after.settled("one")
    assert done == ["quick", "slow"]


async def test_who_hangs_up_takes_no_record_along():
    after, done = After(), list[str]()

    async def write() -> None:
        with anyio.CancelScope(shield=True):
            await anyio.lowlevel.checkpoint()
            done.append("written")

    with anyio.CancelScope() as scope:
        scope.cancel()
        await after.do("one", write)
    await after.all_settled()
    assert done == ["written"]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_record_that_fails_is_told_and_keeps_nobody_waiting(caplog: pytest.LogCaptureFixture):
    after = After()

    async def fails() -> None:
        raise OSError("the disk is full")

    await after.do("one", fails)
    await after.settled("one")
    assert "the disk is full" in caplog.text
    await after.all_settled()
    assert after._under_way == {}

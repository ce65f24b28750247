import os
import socket
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from lookahead_integrations.mcp.wire.pipes import Pipes

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["pipe", "socket"])
def ends(request: pytest.FixtureRequest) -> Iterator[tuple[int, int]]:
    """Where to read, and where to write what arrives there."""
    if request.param == "pipe":
        found = os.pipe()
    else:
        one, other = socket.socketpair()
        found = one.detach(), other.detach()
    yield found
    for descriptor in found:
        try:
            os.close(descriptor)
        except OSError:
            continue


async def test_what_does_not_fit_at_once_waits_for_its_reader_and_stays_in_order(ends: tuple[int, int]) -> None:
    read, write = ends
    writer, reader = Pipes(read=read, write=write), Pipes(read=read, write=write)
    messages = [bytes([65 + number]) * size for number, size in enumerate((10, 3_000_000, 10, 100_000, 1))]
    found = b""
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(writer.pump)

            async def send() -> None:
                for message in messages:
                    await writer.send(message)

            tasks.start_soon(send)
            while len(found) < sum(map(len, messages)):
                found += await reader.receive()
            tasks.cancel_scope.cancel()
    assert found == b"".join(messages)


async def test_a_message_whose_sender_gives_up_is_whole_still(ends: tuple[int, int]) -> None:
    read, write = ends
    pipes = Pipes(read=read, write=write)
    found = b""
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(pipes.pump)
            with anyio.move_on_after(0.05) as given_up:
                await pipes.send(b"a" * 2_000_000 + b"\n")
            assert given_up.cancelled_caught
            tasks.start_soon(pipes.send, b"b\n")
            while not found.endswith(b"b\n"):
                found += await pipes.receive()
            tasks.cancel_scope.cancel()
    assert found == b"a" * 2_000_000 + b"\nb\n"


async def test_nobody_who_reads_is_an_error_and_nothing_more_to_read_is_the_end(ends: tuple[int, int]) -> None:
    read, write = ends
    pipes = Pipes(read=read, write=write)
    os.close(read)
    with pytest.raises(anyio.BrokenResourceError):
        await pipes.send(b"x" * 1_000_000)
    with pytest.raises(anyio.BrokenResourceError):
        await pipes.send(b"x")


async def test_the_other_side_that_goes_away_ends_a_wait_to_write(ends: tuple[int, int]) -> None:
    read, write = ends
    pipes = Pipes(read=read, write=write)
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(pipes.pump)

            async def send() -> None:
                with pytest.raises(anyio.BrokenResourceError):
                    await pipes.send(b"x" * 1_000_000)
                tasks.cancel_scope.cancel()

            tasks.start_soon(send)
            await anyio.wait_all_tasks_blocked()
            os.close(read)


async def test_a_file_is_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"x" * 100_000)
    with (tmp_path / "in").open("rb") as given, (tmp_path / "out").open("wb") as out:
        pipes, found = Pipes(read=given.fileno(), write=out.fileno()), b""
        while chunk := await pipes.receive():
            found += chunk
        await pipes.send(found)
    assert (tmp_path / "out").read_bytes() == b"x" * 100_000


async def test_nothing_at_all_is_read_as_its_end() -> None:
    with open(os.devnull, "rb") as given:  # noqa: ASYNC230
        assert await Pipes(read=given.fileno(), write=2).receive() == b""

import os
import signal
import sys
import threading

import anyio
import anyio.lowlevel
import pytest
import sniffio

from lookahead.portal import GivenUp, Portal, Turn, beside, portal


async def double(value: int) -> int:
    await anyio.lowlevel.checkpoint()
    return value * 2


async def where() -> tuple[str, int]:
    return sniffio.current_async_library(), threading.get_ident()


def test_a_synchronous_caller_gets_the_result():
    assert Portal().call(double, 21) == 42


def test_an_error_reaches_the_caller_as_itself():
    async def fails() -> None:
        raise KeyError("gone")

    with pytest.raises(KeyError, match="gone"):
        Portal().call(fails)


def test_one_loop_in_a_thread_of_its_own_serves_every_call():
    ours = Portal()
    first, second = ours.call(where), ours.call(where)
    assert first == second
    assert first[1] != threading.get_ident()
    assert portal.call(where) == portal.call(where) != first


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_portal_runs_the_event_loop_that_it_was_made_for(backend: str):
    assert Portal(backend).call(where)[0] == backend


def test_many_threads_start_one_loop():
    ours = Portal()
    barrier = threading.Barrier(8)
    seen: list[tuple[str, int]] = []

    def ask() -> None:
        barrier.wait()
        seen.append(ours.call(where))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    assert len(set(seen)) == 1


def test_what_is_started_runs_beside_the_caller():
    ours = Portal()
    go, done = threading.Event(), threading.Event()

    async def wait() -> None:
        await anyio.to_thread.run_sync(go.wait)
        done.set()

    ours.start(wait)
    assert not done.is_set()
    go.set()
    assert done.wait(60)


def test_the_thread_does_not_keep_the_process_alive():
    ours = Portal()
    ours.call(double, 1)
    names = [thread for thread in threading.enumerate() if thread.name == "lookahead"]
    assert names
    assert all(thread.daemon for thread in names)


@pytest.mark.anyio
async def test_a_synchronous_call_may_come_from_code_that_runs_on_a_loop_of_either_kind():
    async def kind() -> str:
        await anyio.lowlevel.checkpoint()
        with anyio.CancelScope():
            return (await where())[0]

    assert Portal().call(kind) == "asyncio"


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_a_child_process_starts_a_loop_of_its_own():
    ours = Portal()
    ours.call(double, 1)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, b"yes" if ours.call(double, 21) == 42 else b"no")
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read() == b"yes"
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_interrupted_caller_cancels_what_it_was_waiting_for(backend: str):
    """Ctrl-C here ends it there, also when it comes before there is anything to wait on."""
    ours = Portal(backend)
    ours.call(double, 1)
    main = threading.main_thread().ident
    assert main is not None
    usual = sys.getswitchinterval()
    # Whoever runs this in the background may have had the signal ignored.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    # Threads that take turns this often interrupt the caller at every step of its way.
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(100):
            ended = threading.Event()

            async def wait(ended: threading.Event = ended) -> None:
                try:
                    signal.pthread_kill(main, signal.SIGINT)
                    await anyio.sleep_forever()
                finally:
                    ended.set()

            with pytest.raises(KeyboardInterrupt):
                ours.call(wait)
            assert ended.wait(60)
    finally:
        sys.setswitchinterval(usual)
        signal.signal(signal.SIGINT, handler)
    assert ours.call(double, 21) == 42


def test_what_was_given_up_before_it_began_does_not_begin():
    ours = Portal()
    began: list[int] = []

    async def begin() -> None:
        began.append(1)

    given_up = Turn(begin, ())
    given_up.give_up()
    ours._started().soon(given_up)
    given_up.wait()
    with pytest.raises(GivenUp):
        given_up.result()
    assert not began


@pytest.mark.anyio
async def test_what_runs_beside_an_agent_runs_on_a_loop_of_the_same_kind(anyio_backend: str):
    kind, thread = await anyio.to_thread.run_sync(beside().call, where)
    assert kind == anyio_backend
    assert thread != threading.get_ident()

from collections.abc import Awaitable, Callable

import anyio
import pytest

from lookahead.errors import (
    ConfigError,
    ContextTooLong,
    NotMyWorld,
    Unreadable,
    WorldError,
    WorldTimeout,
)
from lookahead.testing import ScriptedCopy, call, world_of
from lookahead.types import Action, Copying, Environment, Observation, Origin, State
from lookahead.worlds.circuit import Circuit

pytestmark = pytest.mark.anyio

STATE = State()


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Moody:
    """A world whose next answers are said beforehand; it counts how often it was asked, and how often at once."""

    def __init__(self, *moods: Exception | None) -> None:
        self.name = "moody"
        self.moods = list(moods)
        self.asked = self.under_way = self.most = 0

    async def __call__(self, state: State, action: Action, /) -> Observation:
        self.asked += 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await anyio.lowlevel.checkpoint()
            mood = self.moods.pop(0) if self.moods else None
            if mood is not None:
                raise mood
            return Observation(content="fine", origin=Origin(kind="model", world=self.name))
        finally:
            self.under_way -= 1


async def fails(world: Environment, *, like: str, error: type[WorldError] = WorldError) -> WorldError:
    with pytest.raises(error, match=like) as caught:
        await world(STATE, call("x"))
    return caught.value


async def test_after_failures_in_a_row_nobody_asks_for_a_while_and_is_told_why_and_until_when():
    clock = Clock()
    moody = Moody(*[WorldError("down")] * 3)
    world = Circuit(moody, after=3, rest=30, clock=clock)
    for _ in range(3):
        await fails(world, like="down")
    clock.now = 18
    await fails(world, like=r"moody failed 3 times in a row, so it is not asked; it is tried again in 12 seconds.*down")
    assert moody.asked == 3


async def test_after_the_rest_one_call_tries_and_its_success_lets_all_through():
    clock = Clock()
    moody = Moody(*[WorldError("down")] * 3)
    world = Circuit(moody, after=3, rest=30, clock=clock)
    for _ in range(3):
        await fails(world, like="down")
    clock.now = 31
    said: list[str] = []

    async def one() -> None:
        try:
            said.append((await world(STATE, call("x"))).content)
        except WorldError as error:
            said.append("trying" if "one call is trying it now" in str(error) else str(error))

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(one)
    assert sorted(said) == ["fine", "trying", "trying", "trying"]
    assert (await world(STATE, call("x"))).content == "fine"


async def test_a_failing_try_means_another_rest():
    clock = Clock()
    moody = Moody(*[WorldError("down")] * 4)
    world = Circuit(moody, after=3, rest=30, clock=clock)
    for _ in range(3):
        await fails(world, like="down")
    clock.now = 31
    await fails(world, like="^down")
    await fails(world, like="failed 4 times in a row.*in 30 seconds")
    clock.now = 62
    assert (await world(STATE, call("x"))).content == "fine"


async def test_one_success_in_between_starts_the_count_anew():
    moody = Moody(WorldError("a"), WorldError("b"), None, WorldError("c"), WorldError("d"), None)
    world = Circuit(moody, after=3)
    for like in ("a", "b", "", "c", "d", ""):
        if like:
            await fails(world, like=like)
        else:
            await world(STATE, call("x"))
    assert moody.asked == 6


def about_the_call() -> WorldError:
    error = WorldError("too long for it")
    error.__cause__ = ContextTooLong("the prompt does not fit")
    return error


@pytest.mark.parametrize("make", [lambda: NotMyWorld("not mine"), about_the_call])
async def test_what_says_something_about_one_call_only_is_no_failure_of_the_world(make: Callable[[], WorldError]):
    moody = Moody(*[make() for _ in range(9)])
    world = Circuit(moody, after=2)
    for _ in range(9):
        await fails(world, like="not mine|too long")
    assert (await world(STATE, call("x"))).content == "fine"


async def test_what_cannot_be_read_is_a_failure_and_foreign_errors_get_our_name():
    world = Circuit(Moody(Unreadable("garbage"), ValueError("odd")), after=2)
    await fails(world, like="garbage", error=Unreadable)
    await fails(world, like=r"moody was asked about 'x': ValueError: odd")
    await fails(world, like="failed 2 times in a row")


def hanging() -> tuple[Environment, anyio.Event]:
    release = anyio.Event()

    async def hang(state: State, action: Action) -> str:
        await release.wait()
        return "late"

    return world_of(hang), release


async def test_nothing_waits_longer_than_its_deadline_and_a_world_that_hangs_is_down():
    hang, _ = hanging()
    world = Circuit(hang, seconds=0.05, after=2, rest=1000)
    started = anyio.current_time()
    await fails(world, like=r"no answer within 0\.05 seconds: it was asked, and said nothing", error=WorldTimeout)
    assert anyio.current_time() - started < 1
    await fails(world, like="no answer", error=WorldTimeout)
    await fails(world, like="failed 2 times in a row")


async def test_the_time_in_the_queue_counts_and_is_no_failure_of_the_world():
    hang, _ = hanging()
    world = Circuit(hang, seconds=0.2, after=2, at_once=1, waiting=5)
    told: list[str] = []

    async def one() -> None:
        told.append(str(await fails(world, like="no answer", error=WorldTimeout)))

    started = anyio.current_time()
    async with anyio.create_task_group() as group:
        group.start_soon(one)
        await anyio.wait_all_tasks_blocked()
        for _ in range(3):
            group.start_soon(one)
    assert anyio.current_time() - started < 1
    assert any("it was asked, and said nothing" in one for one in told)
    # Only the first had its time: the world is blamed once, so it is asked again.
    await fails(world, like="no answer", error=WorldTimeout)
    await fails(world, like="failed 2 times in a row")


async def test_a_world_that_was_asked_late_is_not_blamed():
    asked: list[Action] = []

    async def slow(state: State, action: Action) -> str:
        asked.append(action)
        with anyio.move_on_after(0.4 if len(asked) == 1 else 60):
            await anyio.sleep_forever()
        return "fine"

    world = Circuit(world_of(slow), seconds=0.5, after=1, at_once=1)

    async def second() -> None:
        await fails(world, like="it was asked, and said nothing", error=WorldTimeout)

    async with anyio.create_task_group() as group:
        group.start_soon(world, STATE, call("x"))
        await anyio.wait_all_tasks_blocked()
        group.start_soon(second)
    # With its whole time, it is.
    await fails(world, like="it was asked, and said nothing", error=WorldTimeout)
    await fails(world, like="failed just now, so it is not asked")
    assert len(asked) == 3


async def test_no_more_are_under_way_or_wait_than_allowed_and_the_rest_is_told_at_once():
    moody = Moody()
    release = anyio.Event()

    async def slow(state: State, action: Action) -> Observation:
        await release.wait()
        return await moody(state, action)

    world = Circuit(slow, at_once=3, waiting=5)
    outcomes: list[str] = []

    async def one() -> None:
        try:
            outcomes.append((await world(STATE, call("x"))).content)
        except WorldError as error:
            outcomes.append("busy" if "is busy: 5 calls wait for it already" in str(error) else str(error))

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(one)
        await anyio.wait_all_tasks_blocked()
        assert outcomes == ["busy"] * 12
        release.set()
    assert sorted(outcomes) == ["busy"] * 12 + ["fine"] * 8
    assert moody.most <= 3


async def test_who_came_first_is_served_first():
    order: list[int] = []
    gate = anyio.Event()

    async def slow(state: State, action: Action) -> str:
        await gate.wait()
        order.append(int(str(action.arguments["n"])))
        return ""

    world = Circuit(world_of(slow), at_once=1, waiting=100)
    async with anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(world, STATE, call("x", n=number))
            await anyio.wait_all_tasks_blocked()
        gate.set()
    assert order == list(range(20))


async def test_who_gives_up_leaves_the_queue_and_gives_back_its_place():
    hang, release = hanging()
    world = Circuit(hang, at_once=1, waiting=2)

    async def given_up(ask: Callable[[], Awaitable[object]]) -> None:
        with anyio.move_on_after(0):
            await ask()

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(given_up, lambda: world(STATE, call("x")))
    release.set()
    assert (await world(STATE, call("x"))).content == "late"


async def test_a_try_that_nobody_waited_for_leaves_the_try_to_the_next():
    clock = Clock()
    hang, release = hanging()
    moods = [WorldError("down")]

    async def world_(state: State, action: Action) -> Observation:
        if moods:
            raise moods.pop()
        return await hang(state, action)

    world = Circuit(world_, after=1, rest=10, clock=clock)
    await fails(world, like="down")
    clock.now = 11
    with anyio.move_on_after(0.01):
        await world(STATE, call("x"))
    release.set()
    assert (await world(STATE, call("x"))).content == "late"


async def test_it_has_the_name_of_its_world_and_copies_when_that_does():
    copy = ScriptedCopy(script={"*": "x"})
    world = Circuit(copy)
    assert world.name == "copy"
    assert isinstance(world, Copying)
    await world.discard()
    assert copy.discarded == 1
    assert not isinstance(Circuit(Moody()), Copying)


async def test_it_opens_and_closes_what_it_is_round():
    log: list[str] = []

    class Closing(Moody):
        async def __aenter__(self) -> None:
            log.append("open")

        async def aclose(self) -> None:
            log.append("close")

    async with Circuit(Closing()):
        assert log == ["open"]
    assert log == ["open", "close"]
    async with Circuit(Moody()):
        pass


@pytest.mark.parametrize("wrong", [{"seconds": 0}, {"after": 0}, {"rest": -1}, {"at_once": 0}, {"waiting": -1}])
def test_limits_that_mean_nothing_are_mistakes(wrong: dict[str, int]):
    with pytest.raises(ConfigError, match="more than 0"):
        Circuit(Moody(), **wrong)


def test_two_loops_may_ask_the_same_world():
    world = Circuit(Moody(), at_once=1, waiting=0)

    async def ask() -> str:
        return (await world(STATE, call("x"))).content

    assert [anyio.run(ask, backend=backend) for backend in ("asyncio", "trio", "asyncio")] == ["fine"] * 3

import copy
import random
import threading
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest
from pydantic import BaseModel

from lookahead.errors import NotMyWorld, WorldError
from lookahead.types import Action, Copying, Observation, Origin, State, Tool
from lookahead.worlds.fork.python import PythonFork
from lookahead.worlds.fork.structure import Camera

pytestmark = pytest.mark.anyio

STATE = State(tools=(Tool(name="edit"),))


class Item(BaseModel):
    name: str
    stock: int = 0


@dataclass
class Shop:
    items: dict[str, Item]
    orders: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    tags: set[str] = field(default_factory=set[str])
    dice: random.Random = field(default_factory=lambda: random.Random(1))
    me: Any = None


def shop() -> Shop:
    made = Shop(
        items={"pen": Item(name="pen", stock=3), "cup": Item(name="cup")},
        orders=[{"id": 1, "lines": ["pen"]}, {"id": 2, "lines": []}, {"id": 3, "lines": ["cup", "pen"]}],
        tags={"new", "sale"},
    )
    made.me = made
    return made


def edit(subject: Shop, action: Action) -> object:
    """Runs the Python text of the call: every kind of edit is one line of a test."""
    there: dict[str, Any] = {"shop": subject, "Item": Item, "answer": None}
    exec(str(action.arguments["do"]), there)
    return there["answer"]


def do(text: str) -> Action:
    return Action(tool="edit", arguments={"do": text})


def picture(subject: object) -> bytes:
    return Camera(most=10_000).picture(subject).digest


def said(observation: Observation) -> set[tuple[str, str, int | None, int | None]]:
    assert observation.effects is not None
    return {(e.happened, e.target, e.before, e.after) for e in observation.effects}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("shop.items['pen'].stock = 9", {("changed", "items['pen'].stock", 1, 1)}),
        ("del shop.items['cup']", {("deleted", "items['cup']", 2, None)}),
        ("shop.items['hat'] = Item(name='hat')", {("created", "items['hat']", None, 2)}),
        ("del shop.orders[0]", {("deleted", "orders[0]", 2, None)}),
        ("shop.orders.insert(1, {'id': 9, 'lines': []})", {("created", "orders[1]", None, 1)}),
        ("shop.orders[1]['lines'].append('cup')", {("created", "orders[1]['lines'][0]", None, 1)}),
        (
            "shop.orders[2]['lines'].reverse()",
            {("changed", "orders[2]['lines'][0]", 1, 1), ("changed", "orders[2]['lines'][1]", 1, 1)},
        ),
        (
            "shop.tags.add('hot'); shop.tags.remove('new')",
            {("created", "tags{'hot'}", None, 1), ("deleted", "tags{'new'}", 1, None)},
        ),
        ("shop.items['pen'].stock = 3", set[object]()),
        ("shop.extra = True", {("created", "extra", None, 1)}),
        ("shop.items['pen'].stock = 3.0", {("changed", "items['pen'].stock", 1, 1)}),
        ("answer = len(shop.items)", set[object]()),
    ],
)
async def test_what_differs_is_told_by_its_path(text: str, expected: set[object]):
    original = shop()
    before = picture(original)
    async with PythonFork(original, edit) as fork:
        observation = await fork(STATE, do(text))
    assert said(observation) == expected
    assert picture(original) == before
    assert (observation.origin.kind, observation.origin.world) == ("exact", "fork:python")


async def test_what_an_object_hides_in_its_state_is_seen():
    async with PythonFork(shop(), edit) as fork:
        observation = await fork(STATE, do("answer = shop.dice.random()"))
    assert observation.content == str(random.Random(1).random())
    assert said(observation) == {("changed", "dice.(state)", 1, 1)}


async def test_what_a_tool_returns_is_the_answer_and_what_it_raises_is_a_failed_one():
    async with PythonFork(shop(), edit) as fork:
        assert (await fork(STATE, do("answer = 'plain'"))).content == "plain"
        assert (await fork(STATE, do("answer = {'a': [1]}"))).structured == {"a": [1]}
        assert (await fork(STATE, do("answer = shop.items['pen']"))).structured == {"name": "pen", "stock": 3}
        failed = await fork(STATE, do("shop.tags.clear(); raise ValueError('no {such} thing')"))
    assert failed.failed
    assert failed.content == "no {such} thing"
    assert len(said(failed)) == 2


async def test_an_async_tool_is_awaited():
    async def later(subject: Shop, action: Action) -> str:
        await anyio.lowlevel.checkpoint()
        subject.tags.add("late")
        return "done"

    async with PythonFork(shop(), later) as fork:
        observation = await fork(STATE, do(""))
    assert observation.content == "done"
    assert said(observation) == {("created", "tags{'late'}", None, 1)}


async def test_the_present_environment_can_be_asked_for():
    now = [shop()]
    async with PythonFork(lambda: now[0], edit) as fork:
        assert (await fork(STATE, do("answer = len(shop.orders)"))).content == "3"
        now[0] = Shop(items={})
        assert (await fork(STATE, do("answer = len(shop.orders)"))).content == "0"


async def follow(fork: PythonFork[Shop], *texts: str) -> tuple[State, list[Observation]]:
    state, seen = STATE, list[Observation]()
    for text in texts:
        observation = await fork(state, do(text))
        state = state.then(do(text), observation)
        seen.append(observation)
    return state, seen


async def test_a_second_imagined_step_sees_what_the_first_did_and_costs_one_step():
    ran: list[str] = []

    def counted(subject: Shop, action: Action) -> object:
        ran.append(str(action.arguments["do"]))
        return edit(subject, action)

    async with PythonFork(shop(), counted) as fork:
        assert isinstance(fork, Copying)
        texts = ("del shop.orders[0]", "del shop.orders[0]", "answer = len(shop.orders)")
        state, seen = await follow(fork, *texts)
        assert seen[2].content == "1"
        assert ran == list(texts)
        await fork.discard()
        assert (await fork(state, do("answer = len(shop.orders)"))).content == "1"
        assert ran[3:] == [*texts[:2], "answer = len(shop.orders)"]


async def test_branches_of_one_imagined_state_do_not_see_each_other():
    async with PythonFork(shop(), edit) as fork:
        state, _ = await follow(fork, "shop.tags.add('root')")
        seen: dict[int, str] = {}

        async def branch(number: int) -> None:
            text = do(f"shop.tags.add('b{number}')")
            after = state.then(text, await fork(state, text))
            seen[number] = (await fork(after, do("answer = sorted(shop.tags)"))).content

        async with anyio.create_task_group() as group:
            for number in range(5):
                group.start_soon(branch, number)
    assert seen == {n: f'["b{n}", "new", "root", "sale"]' for n in range(5)}


async def test_a_future_that_reality_has_overtaken_is_not_answered():
    original = shop()
    async with PythonFork(original, edit) as fork:
        state, _ = await follow(fork, "shop.orders.pop(); answer = len(shop.orders)")
        await fork.discard()
        original.orders.clear()
        with pytest.raises(NotMyWorld, match="came out differently"):
            await fork(state, do("answer = 1"))


async def test_somebody_elses_change_makes_it_abstain():
    model = Observation(content="done", origin=Origin(kind="model", world="m"))
    async with PythonFork(shop(), edit, tools=["ed*"]) as fork:
        with pytest.raises(NotMyWorld, match="answered by m"):
            await fork(STATE.then(Action(tool="shell"), model), do("answer = 1"))
        with pytest.raises(NotMyWorld, match="not one of this environment's tools"):
            await fork(STATE, Action(tool="shell"))


async def test_what_cannot_be_copied_is_named_with_the_way_out():
    original = shop()
    original.items["pen"].__dict__["guard"] = threading.Lock()
    async with PythonFork(original, edit) as fork:
        with pytest.raises(WorldError, match=r"at items\.pen\.guard.*give copy= a function"):
            await fork(STATE, do("answer = 1"))

    def without_lock(subject: Shop) -> Shop:
        return Shop(items={}, orders=copy.deepcopy(subject.orders))

    async with PythonFork(original, edit, copy=without_lock) as fork:
        assert (await fork(STATE, do("answer = len(shop.orders)"))).content == "3"


async def test_an_environment_that_is_too_large_to_compare_is_a_clear_error():
    async with PythonFork(Shop(items={}, orders=[{"n": n} for n in range(500)]), edit, most=100) as fork:
        with pytest.raises(WorldError, match="more than 100 values"):
            await fork(STATE, do("answer = 1"))


async def test_many_changes_are_summed_up():
    big = Shop(items={}, orders=[{"n": n} for n in range(2000)])
    async with PythonFork(big, edit) as fork:
        observation = await fork(STATE, do("for order in shop.orders: order['n'] += 1"))
    assert observation.effects is not None
    assert len(observation.effects) == 501
    assert observation.effects[-1].detail == "1,500 further changes"


async def test_long_keys_that_begin_alike_are_told_apart():
    subject = {"k" * 300 + str(n): n for n in range(3)}

    def drop(subject: dict[str, int], action: Action) -> None:
        del subject["k" * 300 + "1"]

    async with PythonFork(subject, drop) as fork:
        assert [happened for happened, *_ in said(await fork(STATE, do("")))] == ["deleted"]

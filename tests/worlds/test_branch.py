import pytest

from lookahead.errors import NotMyWorld
from lookahead.types import GUARD, REAL, Action, Effect, Observation, Origin, State, Tool
from lookahead.worlds.branch import Copies, branch_key, imagined_steps, steps_to_replay

pytestmark = pytest.mark.anyio

LOOK = Action(tool="look")
POKE = Action(tool="poke", arguments={"n": 1})
STATE = State(tools=(Tool(name="look", effect="reads"), Tool(name="poke", effect="changes")))
CHANGE = (Effect(happened="changed", target="it"),)


def said(kind: str, *, effects: tuple[Effect, ...] | None = None, world: str = "w") -> Observation:
    origin = {"real": REAL, "guard": GUARD}.get(kind) or Origin(kind=kind, world=world)  # pyright: ignore[reportArgumentType]
    return Observation(content=kind, effects=effects, origin=origin)


def test_the_imagined_steps_are_those_after_the_last_real_one_and_refusals_do_not_count():
    state = STATE.then(POKE, said("model")).then(POKE, said("real")).then(POKE, said("exact")).then(LOOK, said("guard"))
    assert [step.observation.content for step in imagined_steps(state.then(LOOK, said("model")))] == ["exact", "model"]


def test_a_state_without_imagined_steps_has_none():
    assert imagined_steps(STATE) == ()
    assert imagined_steps(STATE.then(POKE, said("real"))) == ()


def test_an_unknown_step_that_may_have_changed_something_makes_a_world_abstain():
    state = STATE.then(POKE, said("model", effects=()))
    with pytest.raises(NotMyWorld, match="answered by w"):
        steps_to_replay(state, lambda action: action.tool != "poke", "fork:test")
    assert steps_to_replay(state, lambda action: True, "fork:test") == state.steps


def test_steps_that_surely_changed_nothing_are_not_replayed():
    state = STATE.then(LOOK, said("model")).then(POKE, said("exact", effects=()))
    assert steps_to_replay(state, lambda action: False, "fork:test") == ()


def test_a_tool_that_was_declared_to_read_but_had_an_effect_counts_as_a_change():
    honest = STATE.then(LOOK, said("exact", effects=()))
    wrong = STATE.then(LOOK, said("exact", effects=CHANGE))
    assert branch_key(honest) == STATE.digest
    assert branch_key(wrong) != STATE.digest
    with pytest.raises(NotMyWorld):
        steps_to_replay(wrong, lambda action: False, "fork:test")


def test_a_future_whose_beginning_was_dropped_cannot_be_replayed():
    state = STATE.then(POKE, said("exact")).then(POKE, said("exact"), keep=1)
    with pytest.raises(NotMyWorld, match="dropped"):
        steps_to_replay(state, lambda action: True, "fork:test")


def test_a_shortened_history_that_still_holds_a_real_step_can_be_replayed():
    state = STATE.then(POKE, said("real")).then(POKE, said("real"), keep=1).then(POKE, said("exact"))
    assert len(steps_to_replay(state, lambda action: True, "fork:test")) == 1


async def shelf(keep: int = 2) -> tuple[Copies[str], list[str]]:
    gone: list[str] = []

    async def dispose(copy: str) -> None:
        gone.append(copy)

    return Copies(dispose, keep=keep), gone


async def test_the_least_recently_used_copy_goes_first():
    copies, gone = await shelf()
    for name in "ab":
        await copies.put(name, name)
    async with copies.acquire("a") as copy:
        assert copy == "a"
    await copies.put("c", "c")
    assert gone == ["b"]
    async with copies.acquire("b") as copy:
        assert copy is None


async def test_a_copy_in_use_is_neither_evicted_nor_discarded_until_it_comes_back():
    copies, gone = await shelf(keep=1)
    await copies.put("a", "a")
    async with copies.acquire("a"):
        await copies.put("b", "b")
        assert gone == ["b"]
        async with copies.acquire("a"):
            await copies.discard()
            assert gone == ["b"]
            assert len(copies) == 0
        assert gone == ["b"]
    assert gone == ["b", "a"]


async def test_a_copy_begun_before_a_discard_is_not_kept_after_it():
    copies, gone = await shelf()
    epoch = copies.epoch
    await copies.discard()
    await copies.put("a", "a", epoch=epoch)
    assert gone == ["a"]
    assert len(copies) == 0


async def test_of_two_copies_under_one_key_the_first_is_kept():
    copies, gone = await shelf()
    await copies.put("a", "first")
    await copies.put("a", "second")
    assert gone == ["second"]

"""The first level of a search: who is imagined, when, and what is spared."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import anyio
import pytest

from lookahead.budget import Budget, Meter, spend
from lookahead.search import Beam, BestOf, Search, Tree
from lookahead.search.opening import opening
from lookahead.search.thinking import AGREED, Thinking
from lookahead.testing import ScriptedCritic, ScriptedProposer, ScriptedWorld, call, state_of
from lookahead.types import Action, Cost, Observation, Proposer, Rollout, State, Verdict

pytestmark = pytest.mark.anyio

STATE = state_of(reads=["look"], changes=["write"])
A, B, C = (call("write", path=name) for name in "abc")
SEARCHES: list[Callable[..., Search]] = [BestOf, Beam, Tree]


def thinking(world: Any, proposer: Proposer | None = None, *, spare: bool = True, **budget: Any) -> Thinking:
    return Thinking(
        imagine=world,
        critic=ScriptedCritic(otherwise=0.5),
        proposer=proposer,
        fits=lambda action, tool: True,
        meter=Meter(budget=Budget(**budget)).decision(),
        watch=lambda event: None,
        depth=None,
        spare=spare,
    )


class OneByOne:
    """Thinks of one action after the other; before each but the first it waits for leave."""

    def __init__(self, actions: Sequence[Action], *, ends: Exception | None = None) -> None:
        self.actions, self.ends = actions, ends
        self.leave = anyio.Event()
        self.closed = False

    async def __call__(self, state: State, n: int, /) -> Sequence[Action]:
        raise AssertionError("it was to be asked one by one")

    async def each(self, state: State, n: int) -> AsyncIterator[Action]:
        try:
            for place, action in enumerate(self.actions):
                if place:
                    await self.leave.wait()
                yield action
            if self.ends is not None:
                raise self.ends
        finally:
            self.closed = True


async def test_where_all_candidates_are_the_same_call_a_dear_world_is_spared():
    for search in SEARCHES:
        world, judged = ScriptedWorld(script={"*": "ok"}), list[Rollout]()

        async def critic(state: State, rollout: Rollout, judged: list[Rollout] = judged) -> Verdict:
            judged.append(rollout)
            return Verdict(score=0.5)

        think = thinking(world, ScriptedProposer([A, A]))
        think.critic = critic
        [only] = await search(3, depth=2)(think, STATE, A)
        assert only.rollout.failure == AGREED
        assert only.verdict is None  # the planner lets the rules on text judge it
        assert world.asked == []
        assert judged == []
        assert think.meter.spent.calls == 0


async def test_a_world_that_costs_nothing_is_always_asked():
    for proposer in (ScriptedProposer([A, A]), OneByOne([A])):
        world = ScriptedWorld(script={"*": "ok"})
        [rollout] = await opening(thinking(world, proposer, spare=False), STATE, A, 2, None)
        assert rollout.steps
        assert len(world.asked) == 1


@pytest.mark.parametrize("raw", [[], RuntimeError("boom"), [call("unknown")], [call("unknown"), A]])
async def test_silence_and_what_cannot_be_done_are_no_agreement(raw: Any):
    world = ScriptedWorld(script={"*": "ok"})
    [rollout] = await opening(thinking(world, ScriptedProposer(raw)), STATE, A, 2, None)
    assert rollout.steps
    world = ScriptedWorld(script={"*": "ok"})
    one_by_one = OneByOne([] if isinstance(raw, Exception) else raw, ends=raw if isinstance(raw, Exception) else None)
    one_by_one.leave.set()
    think = thinking(world, one_by_one)
    [rollout] = await opening(think, STATE, A, 2, None)
    assert rollout.steps
    assert one_by_one.closed
    assert any("boom" in note for note in think.notes) == isinstance(raw, Exception)


async def test_the_world_works_while_other_candidates_are_still_being_written():
    asked: list[str] = []
    proposer = OneByOne([B, A, C])

    async def world(state: State, action: Action) -> Observation:
        asked.append(str(action.arguments["path"]))
        if len(asked) == 2:  # the first two candidates are being imagined: now the third may be written
            proposer.leave.set()
        return Observation(content="ok")

    with anyio.fail_after(60):
        rollouts = await opening(thinking(world, proposer), STATE, A, 3, None)
    assert [rollout.action for rollout in rollouts] == [A, B, C]
    assert (sorted(asked[:2]), asked[2:]) == (["a", "b"], ["c"])


async def test_agreement_one_by_one_spares_the_world_too():
    world = ScriptedWorld(script={"*": "ok"})
    proposer = OneByOne([A, A])
    proposer.leave.set()
    [rollout] = await opening(thinking(world, proposer), STATE, A, 2, None)
    assert rollout.failure == AGREED
    assert world.asked == []


async def test_one_by_one_no_more_rivals_come_in_than_were_asked_for_and_each_is_paid_for_in_its_order():
    world = ScriptedWorld(script={"*": "ok"})
    proposer = OneByOne([B, C])
    proposer.leave.set()
    rollouts = await opening(thinking(world, proposer, calls=1), STATE, A, 1, None)
    assert [rollout.action for rollout in rollouts] == [A, B]
    assert rollouts[0].steps
    assert not rollouts[1].steps


async def test_a_failure_of_ours_while_they_come_is_raised_as_itself():
    proposer = OneByOne([B, C])
    think = thinking(ScriptedWorld(script={"*": "ok"}), proposer)

    def watch(event: object) -> None:
        raise ZeroDivisionError

    think.watch = watch
    with pytest.raises(ZeroDivisionError):
        await opening(think, STATE, A, 2, None)
    assert proposer.closed


async def test_cancelling_leaves_nobody_writing():
    proposer = OneByOne([B, C])  # the third never comes
    with anyio.move_on_after(0.05) as scope:
        await opening(thinking(ScriptedWorld(script={"*": "ok"}), proposer), STATE, A, 2, None)
    assert scope.cancelled_caught
    assert proposer.closed


async def test_what_thinking_of_alternatives_took_counts():
    class Dear:
        async def __call__(self, state: State, n: int, /) -> Sequence[Action]:
            spend(Cost(calls=1, tokens=70, seconds=1.0))
            spend(Cost(calls=1, tokens=7))
            raise RuntimeError("and then it failed")

    think = thinking(ScriptedWorld(script={"*": "ok"}), Dear())
    await opening(think, STATE, A, 2, None)
    assert think.meter.spent.tokens == 77

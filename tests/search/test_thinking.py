"""What every search does its thinking with."""

from collections.abc import Sequence
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from lookahead.budget import Budget, Meter
from lookahead.errors import CriticError, NotMyWorld, WorldError
from lookahead.events import Event, Imagined, Imagining, Judged, Judging, Proposed
from lookahead.search.opening import opening
from lookahead.search.thinking import (
    NOT_MY_WORLD,
    Thinking,
    after,
    as_imagined,
    gather,
    judged,
    merit,
    name_of,
    unique,
)
from lookahead.testing import ScriptedCritic, ScriptedProposer, ScriptedWorld, call, state_of, world_of
from lookahead.types import (
    GUARD,
    Action,
    Considered,
    Cost,
    Critic,
    Effect,
    Environment,
    Hazard,
    Observation,
    Origin,
    Proposer,
    Rollout,
    State,
    Step,
    Tool,
    Verdict,
)

pytestmark = pytest.mark.anyio

STATE = state_of(reads=["look"], changes=["write", "copy"])
A, B, C = (call("write", path=name) for name in "abc")


def thinking(
    world: Environment | None = None,
    critic: Critic | None = None,
    proposer: Proposer | None = None,
    *,
    events: list[Event] | None = None,
    depth: int | None = None,
    fits: Any = lambda action, tool: True,
    **budget: Any,
) -> Thinking:
    return Thinking(
        imagine=world,
        critic=critic or ScriptedCritic(),
        proposer=proposer,
        fits=fits,
        meter=Meter(budget=Budget(**budget)).decision(),
        watch=(events if events is not None else []).append,
        depth=depth,
    )


def hazard(severity: str) -> Hazard:
    return Hazard.model_validate({"rule": "r", "what": "w", "why": "y", "severity": severity})


class Together:
    """A world that answers nobody until `n` are waiting for an answer: only calls at the same time get through."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.waiting = 0
        self.full = anyio.Event()

    async def __call__(self, state: State, action: Action, /) -> Observation:
        self.waiting += 1
        if self.waiting == self.n:
            self.full.set()
        await self.full.wait()
        return Observation(content=str(action.arguments["path"]), effects=())


# Imagining


async def test_the_first_steps_of_all_candidates_are_imagined_at_the_same_time():
    world = Together(3)
    with anyio.fail_after(60):
        rollouts = await thinking(world).start(STATE, [A, B, C])
    assert [rollout.action for rollout in rollouts] == [A, B, C]
    assert [rollout.steps[0].observation.content for rollout in rollouts] == ["a", "b", "c"]


async def test_no_more_are_under_way_than_the_budget_allows_at_once():
    under_way = most = 0

    async def count(state: State, action: Action) -> str:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        for _ in range(5):
            await anyio.lowlevel.checkpoint()
        under_way -= 1
        return "ok"

    actions = [call("write", path=str(n)) for n in range(9)]
    rollouts = await thinking(world_of(count), at_once=2).start(STATE, actions)
    assert most == 2
    assert [rollout.action for rollout in rollouts] == actions


async def test_a_future_is_imagined_from_where_it_has_got_to():
    world = world_of(lambda state, action: f"{len(state.steps)} before")
    think = thinking(world)
    [first] = await think.start(STATE, [A])
    [second] = await think.extend(STATE, [(first, B)])
    assert second.action == A
    assert [(step.action, step.observation.content) for step in second.steps] == [(A, "0 before"), (B, "1 before")]
    assert world.asked[1][0].steps == first.steps
    assert second.failure == ""


async def test_what_a_world_says_is_never_taken_for_something_that_happened():
    async def boastful(state: State, action: Action, /) -> Observation:
        return Observation(content="done for real")

    [rollout] = await thinking(boastful).start(STATE, [A])
    assert rollout.steps[0].observation.origin == Origin(kind="model", world="boastful")

    async def guard(state: State, action: Action, /) -> Observation:
        return Observation(origin=GUARD)

    [rollout] = await thinking(guard).start(STATE, [A])
    assert rollout.steps[0].observation.imagined


@pytest.mark.parametrize("kind", ["exact", "recorded", "model"])
async def test_what_is_marked_as_imagined_keeps_its_mark(kind: Any):
    said = Observation(origin=Origin(kind=kind, world="w", confidence=0.5))
    assert as_imagined(said, ScriptedWorld(script={})) is said


async def test_without_a_world_nothing_can_be_imagined():
    think = thinking(None)
    [rollout] = await think.start(STATE, [A])
    assert (rollout.steps, rollout.failure) == ((), NOT_MY_WORLD)
    assert think.meter.spent == Cost()
    assert think.notes == []


async def test_a_world_that_does_not_know_the_action_says_why_without_a_note():
    think = thinking(ScriptedWorld(script={"other": "x"}))
    [rollout] = await think.start(STATE, [A])
    assert rollout.steps == ()
    assert rollout.failure == f"{NOT_MY_WORLD}: the script of 'scripted' does not name {A.tool!r}"
    assert think.notes == []


FAILURES: list[tuple[Exception, str]] = [
    (WorldError("the endpoint is down"), "the endpoint is down"),
    (RuntimeError("boom"), "imagining 'write': RuntimeError: boom"),
    (TimeoutError(), "imagining 'write': no answer in time"),
    (KeyError("x"), "imagining 'write': KeyError: 'x'"),
]


@pytest.mark.parametrize(("error", "said"), FAILURES)
async def test_a_world_that_fails_is_data_and_the_others_go_on(error: Exception, said: str):
    think = thinking(world_of(lambda state, action: error if action == A else "fine"))
    bad, good = await think.start(STATE, [A, B])
    assert (bad.steps, bad.failure) == ((), said)
    assert (good.steps[0].observation.content, good.failure) == ("fine", "")
    assert think.notes == [said]


async def test_a_future_that_fails_later_keeps_what_was_seen_before():
    think = thinking(ScriptedWorld(script={"write": ["fine", WorldError("down")]}))
    rollouts = await think.start(STATE, [A])
    [longer] = await think.extend(STATE, [(rollouts[0], B)])
    assert longer.steps == rollouts[0].steps
    assert longer.failure == "down"


async def test_each_imagined_step_is_paid_for():
    said = Observation(cost=Cost(calls=0, tokens=7, seconds=99.0))
    think = thinking(world_of(lambda state, action: said))
    rollouts = await think.start(STATE, [A, B])
    assert (think.meter.spent.calls, think.meter.spent.tokens) == (2, 14)
    assert 0 < think.meter.spent.seconds < 60
    cost = rollouts[0].steps[0].observation.cost
    assert (cost.calls, cost.tokens) == (1, 7)
    assert 0 < cost.seconds < 60


async def test_a_world_that_made_several_calls_says_so():
    think = thinking(world_of(lambda state, action: Observation(cost=Cost(calls=3))))
    [rollout] = await think.start(STATE, [A])
    assert rollout.steps[0].observation.cost.calls == 3


@pytest.mark.parametrize("calls", [0, 1, 2])
async def test_when_the_calls_are_spent_the_rest_is_not_imagined(calls: int):
    world = ScriptedWorld(script={"*": "ok"})
    think = thinking(world, calls=calls)
    rollouts = await think.start(STATE, [A, B, C])
    spent = f"the decision's budget of {calls} calls is spent"
    assert [rollout.failure for rollout in rollouts] == [""] * calls + [spent] * (3 - calls)
    assert len(world.asked) == calls
    assert think.notes == [spent] * (3 - calls)


async def test_what_is_known_of_a_candidate_is_the_longest_look_at_it():
    think = thinking(ScriptedWorld(script={"*": "ok"}))
    [first] = await think.start(STATE, [A])
    assert think.known[A.digest] == Considered(rollout=first)
    [second] = await think.extend(STATE, [(first, B)])
    assert think.known[A.digest].rollout == second
    await think.start(STATE, [A])
    assert think.known[A.digest].rollout == second
    [other] = await think.extend(STATE, [(first, C)])
    assert think.known[A.digest].rollout == other


# Judging


async def test_all_futures_are_judged_at_the_same_time():
    waiting: list[Rollout] = []
    full = anyio.Event()

    async def critic(state: State, rollout: Rollout, /) -> Verdict:
        waiting.append(rollout)
        if len(waiting) == 3:
            full.set()
        await full.wait()
        return Verdict(score=0.25, cost=Cost(tokens=5, seconds=1.0))

    think = thinking(None, critic)
    rollouts = [Rollout(action=action) for action in (A, B, C)]
    with anyio.fail_after(60):
        considered = await think.judge(STATE, rollouts)
    assert [one.rollout for one in considered] == rollouts
    assert [think.known[action.digest] for action in (A, B, C)] == considered
    assert think.meter.spent == Cost(tokens=15, seconds=3.0)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("boom"), "judging 'write': RuntimeError: boom"),
        (TimeoutError(), "judging 'write': no answer in time"),
        (CriticError("it wrote a poem"), "it wrote a poem"),
    ],
)
async def test_a_critic_that_cannot_be_read_is_an_error_and_never_a_score(error: Exception, said: str):
    with pytest.raises(CriticError) as caught:
        await judged(ScriptedCritic(script={"write": error}), STATE, Rollout(action=A))
    assert str(caught.value) == said
    with pytest.raises(CriticError):
        await thinking(None, ScriptedCritic(script={"write": error})).judge(STATE, [Rollout(action=A)] * 2)


# Thinking of alternatives


async def test_no_alternatives_are_asked_for_where_none_are_wanted_or_nobody_can_think_of_any():
    proposer = ScriptedProposer([B])
    assert await thinking(None, proposer=proposer).propose(STATE, 0, None) == []
    assert await thinking(None, proposer=None).propose(STATE, 3, None) == []
    assert proposer.asked == []


async def test_a_searchs_own_proposer_is_asked_before_the_agents():
    agents, own = ScriptedProposer([A]), ScriptedProposer([B])
    assert await thinking(None, proposer=agents).propose(STATE, 1, own) == [B]
    assert await thinking(None, proposer=agents).propose(STATE, 1, None) == [A]
    assert (agents.asked, own.asked) == ([(STATE, 1)], [(STATE, 1)])


async def test_no_more_alternatives_are_taken_than_were_asked_for():
    assert await thinking(None, proposer=ScriptedProposer([A, B, C])).propose(STATE, 2, None) == [A, B]


async def test_an_alternative_outside_the_agents_tools_is_dropped_with_a_note():
    think = thinking(None, proposer=ScriptedProposer([call("format_disk"), B, C]))
    assert await think.propose(STATE, 2, None) == [B, C]
    assert think.notes == ["an alternative was dropped: the agent has no tool 'format_disk'"]


async def test_an_alternative_whose_arguments_do_not_fit_is_dropped_with_a_note():
    asked: list[tuple[Action, Tool]] = []

    def fits(action: Action, tool: Tool) -> bool:
        asked.append((action, tool))
        return action != B

    think = thinking(None, proposer=ScriptedProposer([B, C]), fits=fits)
    assert await think.propose(STATE, 2, None) == [C]
    assert think.notes == ["an alternative was dropped: its arguments do not fit 'write'"]
    assert asked == [(B, STATE.tools[1]), (C, STATE.tools[1])]


async def test_where_nobody_listed_the_agents_tools_any_alternative_may_be_looked_at():
    think = thinking(None, proposer=ScriptedProposer([B]), fits=lambda action, tool: False)
    assert await think.propose(State(), 1, None) == [B]
    assert think.notes == []


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("boom"), "thinking of alternatives: RuntimeError: boom"),
        (TimeoutError(), "thinking of alternatives: no answer in time"),
    ],
)
async def test_a_proposer_that_fails_leaves_a_note_and_no_alternatives(error: Exception, said: str):
    think = thinking(None, proposer=ScriptedProposer(error))
    assert await think.propose(STATE, 2, None) == []
    assert think.notes == [said]


async def test_the_proposed_action_comes_first_and_each_different_call_once():
    events: list[Event] = []
    proposer = ScriptedProposer([B, A, call("write", path="b"), C])
    think = thinking(None, proposer=proposer, events=events)
    assert [one.action for one in await opening(think, STATE, A, 4, None)] == [A, B, C]
    assert proposer.asked == [(STATE, 4)]
    assert events[0] == Proposed(candidates=(A, B, C))
    assert list(think.known) == [action.digest for action in (A, B, C)]


def test_unique_keeps_the_first_of_equal_calls():
    first, again = A.model_copy(update={"call_id": "1"}), A.model_copy(update={"call_id": "2"})
    assert unique([first, B, again, B]) == [first, B]
    assert unique([first, B, again, B])[0].call_id == "1"


async def test_whoever_watches_is_told_of_each_future_and_each_verdict():
    events: list[Event] = []
    think = thinking(ScriptedWorld(script={"*": "ok"}), ScriptedCritic(otherwise=0.5), events=events)
    rollouts = await think.start(STATE, [A])
    await think.judge(STATE, rollouts)
    assert events == [
        Imagining(action=A, step=A, depth=0),
        Imagined(action=A, rollout=rollouts[0]),
        Judging(action=A),
        Judged(action=A, verdict=Verdict(score=0.5)),
    ]


# How deep


@pytest.mark.parametrize(
    ("allowed", "wanted", "deep"), [(None, 5, 5), (3, 5, 3), (5, 3, 3), (0, 3, 1), (-1, 3, 1), (1, 1, 1), (None, 1, 1)]
)
def test_a_search_looks_as_deep_as_it_wants_or_as_the_record_allows(allowed: int | None, wanted: int, deep: int):
    assert thinking(None, depth=allowed).horizon(wanted) == deep


# Which future is better


def test_a_worse_hazard_weighs_more_than_any_score():
    def one(score: float, *severities: str) -> Considered:
        verdict = Verdict(score=score, hazards=tuple(hazard(severity) for severity in severities))
        return Considered(rollout=Rollout(action=A), verdict=verdict)

    unjudged = Considered(rollout=Rollout(action=A))
    best_first = [
        one(0.9),
        one(0.8, "note"),
        one(0.1),
        one(1.0, "caution"),
        one(0.9, "note", "caution"),
        one(1.0, "danger"),
        one(0.0, "danger", "caution"),
        unjudged,
    ]
    worst_first = best_first[::-1]
    assert sorted(worst_first, key=merit, reverse=True) == best_first
    assert merit(one(0.5)) == merit(one(0.5, "note"))


# The state at the end of a future


def test_the_state_after_a_future_is_the_state_after_its_steps():
    steps = (Step(action=A, observation=Observation()), Step(action=B, observation=Observation(content="b")))
    assert after(STATE, Rollout(action=A, steps=steps)) == STATE.then(A, Observation()).then(
        B, Observation(content="b")
    )
    assert after(STATE, Rollout(action=A)) is STATE


# What a world is called


def test_a_world_is_called_by_its_name_else_by_its_functions_or_its_kinds():
    async def my_world(state: State, action: Action, /) -> Observation:
        return Observation()

    class Nameless:
        name = ""

        async def __call__(self, state: State, action: Action, /) -> Observation:
            return Observation()

    assert name_of(ScriptedWorld(script={}, name="fork:test")) == "fork:test"
    assert name_of(my_world) == "my_world"
    assert name_of(Nameless()) == "Nameless"


# Doing many things at the same time


async def test_results_come_in_the_order_of_the_items_whoever_ends_first():
    gates = [anyio.Event() for _ in range(3)]

    async def one(index: int) -> int:
        if index < 2:
            await gates[index + 1].wait()
        gates[index].set()
        return index * 10

    with anyio.fail_after(60):
        assert await gather(one, [0, 1, 2]) == [0, 10, 20]
    assert await gather(one, []) == []


async def test_one_failure_cancels_the_others_and_is_raised_as_itself():
    ended: list[str] = []
    waiting = anyio.Event()

    async def one(index: int) -> None:
        if index == 0:
            await waiting.wait()
            raise ValueError("first")
        try:
            waiting.set()
            await anyio.sleep_forever()
        finally:
            ended.append("cancelled")

    with anyio.fail_after(60), pytest.raises(ValueError, match="first"):
        await gather(one, [0, 1])
    assert ended == ["cancelled"]


async def test_a_single_item_is_done_where_we_are():
    async def fails(item: int) -> int:
        raise ValueError(str(item))

    with pytest.raises(ValueError, match="7"):
        await gather(fails, [7])


async def test_cancelling_leaves_nothing_running():
    begun: list[Action] = []
    ended: list[Action] = []
    all_begun = anyio.Event()

    async def slow(state: State, action: Action) -> str:
        begun.append(action)
        if len(begun) == 3:
            all_begun.set()
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(action)
        return "never"

    think = thinking(world_of(slow))
    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            group.start_soon(think.start, STATE, [A, B, C])
            await all_begun.wait()
            group.cancel_scope.cancel()
    assert sorted(action.digest for action in ended) == sorted(action.digest for action in (A, B, C))


# Nothing that a user supplies may break a decision


async def none_at_all(state: State, n: int, /) -> Sequence[Action]:
    return None  # type: ignore[return-value]


async def no_observation(state: State, action: Action, /) -> Observation:
    return "a text"  # type: ignore[return-value]


async def no_verdict(state: State, rollout: Rollout, /) -> Verdict:
    return 0.5  # type: ignore[return-value]


async def test_a_proposer_that_hands_back_no_list_has_failed():
    think = thinking(None, proposer=none_at_all)
    assert await think.propose(STATE, 2, None) == []
    assert think.notes[0].startswith("thinking of alternatives: ")


async def test_a_world_that_hands_back_no_observation_has_failed():
    [rollout] = await thinking(no_observation).start(STATE, [A])
    assert rollout.failure.startswith("imagining 'write': ")


async def test_a_critic_that_hands_back_no_verdict_has_failed():
    with pytest.raises(CriticError, match="judging 'write': "):
        await judged(no_verdict, STATE, Rollout(action=A))


def test_an_effect_is_what_a_scripted_world_may_say_in_short():
    effect = Effect(happened="deleted", target="a")
    assert ScriptedWorld(script={"*": effect}).script == {"*": effect}
    assert issubclass(NotMyWorld, WorldError)

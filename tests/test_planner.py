import dataclasses
from collections.abc import Sequence
from typing import Any

import anyio
import pytest

from lookahead.budget import Budget, Meter
from lookahead.errors import CriticError, WorldError
from lookahead.events import Event, Imagined, Imagining, Judged, Judging, Proposed
from lookahead.planner import Outcome, Planner
from lookahead.search import Beam, BestOf, Preview, Search, Tree
from lookahead.search.thinking import NOT_MY_WORLD, Thinking
from lookahead.testing import ScriptedCritic, ScriptedProposer, ScriptedWorld, call, state_of, world_of
from lookahead.types import Action, Considered, Cost, Critic, Hazard, Observation, Rollout, State, Tool, Verdict

pytestmark = pytest.mark.anyio

STATE = state_of(changes=["write", "copy"])
MINE, RIVAL, OTHER = call("write", path="a"), call("copy", path="b"), call("copy", path="c")
WRONG = Hazard(rule="r", what="w", why="y", severity="danger")


def planner(world: Any = None, judge: Critic | None = None, **more: Any) -> Planner:
    return Planner(
        imagine=world,
        judge=judge or ScriptedCritic(),
        text=more.pop("text", None) or ScriptedCritic(otherwise=0.25),
        **more,
    )


async def considered(made: Planner, *, meter: Meter | None = None, **more: Any) -> Outcome:
    with anyio.fail_after(60):
        return await made.consider(STATE, MINE, meter=meter or Meter(budget=Budget()), **more)


async def never(state: State, action: Action) -> str:
    await anyio.sleep_forever()
    return "never"


# The ordinary way


async def test_the_proposed_action_is_imagined_and_judged():
    world = ScriptedWorld(script={"write": Observation(content="ok", cost=Cost(tokens=3))})
    outcome = await considered(planner(world, ScriptedCritic(otherwise=0.75)))
    assert outcome.considered == (outcome.proposed,)
    assert outcome.proposed.rollout.steps[0].observation.content == "ok"
    assert outcome.proposed.verdict == Verdict(score=0.75)
    assert (outcome.failure, outcome.notes) == ("", ())
    assert (outcome.cost.calls, outcome.cost.tokens) == (1, 3)


async def test_candidates_come_best_first():
    scores = {MINE.digest: 0.2, RIVAL.digest: 0.5, OTHER.digest: 0.9}
    made = planner(
        ScriptedWorld(script={"*": "ok"}),
        ScriptedCritic(script=lambda state, rollout: scores[rollout.action.digest]),
        search=BestOf(3),
        propose=ScriptedProposer([RIVAL, OTHER]),
    )
    outcome = await considered(made)
    assert [one.rollout.action for one in outcome.considered] == [OTHER, RIVAL, MINE]
    assert outcome.proposed is outcome.considered[2]


async def test_a_worse_hazard_ranks_below_any_score():
    def judge(state: State, rollout: Rollout) -> Verdict:
        return Verdict(score=0.9, hazards=(WRONG,)) if rollout.action == RIVAL else Verdict(score=0.1)

    made = planner(
        ScriptedWorld(script={"*": "ok"}),
        ScriptedCritic(script=judge),
        search=BestOf(2),
        propose=ScriptedProposer([RIVAL]),
    )
    assert [one.rollout.action for one in (await considered(made)).considered] == [MINE, RIVAL]


async def test_what_happens_is_told_as_it_happens():
    events: list[Event] = []
    await considered(planner(ScriptedWorld(script={"*": "ok"})), watch=events.append)
    assert [type(event) for event in events] == [Proposed, Imagining, Imagined, Judging, Judged]


async def test_the_search_of_one_decision_may_be_another_than_the_planners():
    proposer = ScriptedProposer([RIVAL])
    made = planner(ScriptedWorld(script={"*": "ok"}), search=BestOf(2), propose=proposer)
    assert len((await considered(made, search=Preview())).considered) == 1
    assert proposer.asked == []
    assert len((await considered(made)).considered) == 2


async def test_the_depth_that_the_record_allows_reaches_the_search():
    made = planner(ScriptedWorld(script={"*": "ok"}), search=BestOf(2, 5), propose=ScriptedProposer([RIVAL]))
    outcome = await considered(made, depth=2)
    assert [len(one.rollout.steps) for one in outcome.considered] == [2, 2]
    outcome = await considered(made)
    assert [len(one.rollout.steps) for one in outcome.considered] == [5, 5]


async def test_rivals_are_the_agents_own_tools_with_arguments_that_fit():
    def fits(action: Action, tool: Tool) -> bool:
        return action != OTHER

    made = planner(
        ScriptedWorld(script={"*": "ok"}),
        search=BestOf(4),
        propose=ScriptedProposer([call("foreign"), OTHER, RIVAL]),
        fits=fits,
    )
    outcome = await considered(made)
    assert {one.rollout.action.digest for one in outcome.considered} == {MINE.digest, RIVAL.digest}
    assert outcome.notes == (
        "an alternative was dropped: the agent has no tool 'foreign'",
        "an alternative was dropped: its arguments do not fit 'copy'",
    )


async def test_who_says_nothing_gets_a_preview_and_alternatives_that_fit_anything():
    made = Planner(imagine=None, judge=ScriptedCritic(), text=ScriptedCritic())
    assert made.search == Preview()
    assert made.propose is None
    assert made.fits(MINE, STATE.tools[0]) is True


# When the world fails


async def test_without_a_world_the_text_is_judged_and_nothing_has_failed():
    outcome = await considered(planner(None))
    assert outcome.proposed.rollout.failure == NOT_MY_WORLD
    assert outcome.proposed.verdict == Verdict(score=0.5)
    assert (outcome.failure, outcome.notes, outcome.cost) == ("", (), Cost())


async def test_a_world_that_does_not_know_the_action_has_not_failed():
    outcome = await considered(planner(ScriptedWorld(script={})))
    why = f"{NOT_MY_WORLD}: the script of 'scripted' does not name 'write'"
    assert (outcome.proposed.rollout.failure, outcome.failure, outcome.notes) == (why, "", ())


async def test_a_world_that_is_down_is_a_failure_and_the_text_is_still_judged():
    outcome = await considered(planner(ScriptedWorld(script={"*": WorldError("the endpoint is down")})))
    assert outcome.failure == "the endpoint is down"
    assert outcome.notes == ("the endpoint is down",)
    assert outcome.proposed.verdict == Verdict(score=0.5)


async def test_a_failure_is_said_once_however_many_futures_it_ended():
    made = planner(
        ScriptedWorld(script={"*": WorldError("down")}), search=BestOf(3), propose=ScriptedProposer([RIVAL, OTHER])
    )
    assert (await considered(made)).notes == ("down",)


async def test_a_world_that_fails_for_a_rival_only_has_not_failed_for_the_proposed_action():
    made = planner(
        ScriptedWorld(script={"write": "ok", "copy": WorldError("down")}),
        search=BestOf(2),
        propose=ScriptedProposer([RIVAL]),
    )
    outcome = await considered(made)
    assert (outcome.failure, outcome.notes) == ("", ("down",))


async def test_a_world_that_fails_after_the_first_step_has_shown_what_matters():
    made = planner(
        ScriptedWorld(script={"write": "ok", "copy": ["ok", WorldError("down")]}),
        search=BestOf(2, 2),
        propose=ScriptedProposer([RIVAL]),
    )
    outcome = await considered(made)
    assert outcome.proposed.rollout.steps
    assert outcome.failure == ""
    assert outcome.notes == ("down",)


async def test_a_proposer_that_fails_leaves_the_proposed_action_alone():
    made = planner(
        ScriptedWorld(script={"*": "ok"}), search=BestOf(3), propose=ScriptedProposer(RuntimeError("no idea"))
    )
    outcome = await considered(made)
    assert [one.rollout.action for one in outcome.considered] == [MINE]
    assert outcome.notes == ("thinking of alternatives: RuntimeError: no idea",)
    assert outcome.failure == ""


# When the critic fails


@pytest.mark.parametrize("search", [Preview(), BestOf(2), Beam(2, 2), Tree(2, 2)])
async def test_a_critic_that_cannot_be_read_leaves_the_rules_to_judge(search: Search):
    critic = ScriptedCritic(script={"*": RuntimeError("boom")})
    made = planner(ScriptedWorld(script={"*": "ok"}), critic, search=search, propose=ScriptedProposer([RIVAL]))
    outcome = await considered(made)
    assert {one.verdict for one in outcome.considered} == {Verdict(score=0.25)}
    assert outcome.proposed.rollout.steps
    assert outcome.failure in ("judging 'write': RuntimeError: boom", "judging 'copy': RuntimeError: boom")
    assert outcome.notes == (outcome.failure,)


async def test_rules_that_cannot_be_read_leave_no_verdict_and_never_a_score():
    broken = ScriptedCritic(script={"*": CriticError("no")})
    outcome = await considered(planner(ScriptedWorld(script={"*": "ok"}), broken, text=broken))
    assert outcome.proposed.verdict is None
    assert (outcome.failure, outcome.notes) == ("no", ("no",))


async def test_what_the_critic_had_judged_before_it_failed_counts():
    def judge(state: State, rollout: Rollout) -> float | Exception:
        return 0.9 if len(rollout.steps) == 1 else RuntimeError("boom")

    made = planner(
        ScriptedWorld(script={"*": "ok"}),
        ScriptedCritic(script=judge),
        search=Beam(2, 2, 1),
        propose=ScriptedProposer([RIVAL]),
    )
    outcome = await considered(made)
    # The longer look was not judged, so the rules say what they think of all that is known.
    assert {one.verdict for one in outcome.considered} == {Verdict(score=0.25)}
    assert {len(one.rollout.steps) for one in outcome.considered} == {2}


# When the budget ends


@pytest.mark.parametrize("search", [Preview(), BestOf(3, 2), Beam(3, 2), Tree(3, 2)])
async def test_a_world_that_never_answers_leaves_the_proposed_action_judged_by_its_text(search: Search):
    text = ScriptedCritic(script={"write": WRONG}, otherwise=0.25)
    made = planner(world_of(never), search=search, propose=ScriptedProposer([RIVAL, OTHER]), text=text)
    outcome = await considered(made, meter=Meter(budget=Budget(seconds=0.02)))
    ended = "the decision's budget of 0.02 seconds ended"
    assert outcome.proposed.rollout == Rollout(action=MINE, failure=ended)
    assert outcome.proposed.verdict == Verdict(score=0.25, hazards=(WRONG,))
    assert (outcome.failure, outcome.notes) == (ended, (ended,))
    assert all(one.rollout.failure == ended for one in outcome.considered)


async def test_a_proposer_that_never_answers_leaves_the_proposed_action():
    async def silent(state: State, n: int, /) -> Sequence[Action]:
        await anyio.sleep_forever()
        return []

    made = planner(ScriptedWorld(script={"*": "ok"}), search=BestOf(2), propose=silent)
    outcome = await considered(made, meter=Meter(budget=Budget(seconds=0.02)))
    assert [one.rollout.action for one in outcome.considered] == [MINE]
    assert outcome.proposed.verdict == Verdict(score=0.25)


async def test_what_was_seen_before_the_time_was_up_is_kept_and_judged_by_the_rules():
    async def silent(state: State, rollout: Rollout, /) -> Verdict:
        await anyio.sleep_forever()
        raise AssertionError

    made = planner(ScriptedWorld(script={"*": "seen"}), silent)
    outcome = await considered(made, meter=Meter(budget=Budget(seconds=1)))
    assert outcome.proposed.rollout.steps[0].observation.content == "seen"
    assert outcome.proposed.rollout.failure == ""
    assert outcome.proposed.verdict == Verdict(score=0.25)
    assert outcome.failure == ""
    assert outcome.notes == ("the decision's budget of 1 seconds ended",)


async def test_one_slow_rival_does_not_take_away_what_is_known_of_the_proposed_action():
    async def slow_for_rivals(state: State, action: Action) -> str:
        if action != MINE:
            await anyio.sleep_forever()
        return "seen"

    made = planner(world_of(slow_for_rivals), search=BestOf(2), propose=ScriptedProposer([RIVAL]))
    outcome = await considered(made, meter=Meter(budget=Budget(seconds=1)))
    assert outcome.proposed.rollout.steps[0].observation.content == "seen"
    assert outcome.failure == ""
    assert [one.rollout.failure for one in outcome.considered if one.rollout.action == RIVAL] == [
        "the decision's budget of 1 seconds ended"
    ]


async def test_a_decision_that_ran_out_of_time_leaves_nothing_running():
    ended: list[Action] = []

    async def slow(state: State, action: Action) -> str:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(action)
        return "never"

    made = planner(world_of(slow), search=BestOf(3), propose=ScriptedProposer([RIVAL, OTHER]))
    await considered(made, meter=Meter(budget=Budget(seconds=0.02)))
    assert len(ended) == 3


async def test_without_a_limit_on_seconds_a_decision_takes_as_long_as_it_takes():
    outcome = await considered(
        planner(ScriptedWorld(script={"*": "ok"})), meter=Meter(budget=Budget(seconds=None, calls=None))
    )
    assert outcome.notes == ()


@pytest.mark.parametrize(
    ("limits", "spent"),
    [
        ({"calls": 0}, "the decision's budget of 0 calls is spent"),
        ({"tokens": 0}, "the decision's budget of 0 tokens is spent"),
        ({"run_calls": 0}, "the run's budget of 0 calls is spent"),
    ],
)
async def test_a_budget_that_is_spent_leaves_the_text_to_judge(limits: dict[str, Any], spent: str):
    world = ScriptedWorld(script={"*": "ok"})
    outcome = await considered(planner(world), meter=Meter(budget=Budget(**limits)))
    assert world.asked == []
    assert outcome.proposed.rollout == Rollout(action=MINE, failure=spent)
    assert outcome.proposed.verdict == Verdict(score=0.5)
    assert (outcome.failure, outcome.notes) == (spent, (spent,))


async def test_the_agents_own_action_is_looked_at_first_where_there_is_one_call_left():
    made = planner(ScriptedWorld(script={"*": "ok"}), search=BestOf(3), propose=ScriptedProposer([RIVAL, OTHER]))
    for _ in range(5):
        outcome = await considered(made, meter=Meter(budget=Budget(calls=1)))
        assert outcome.proposed.rollout.steps
        assert outcome.failure == ""
        assert outcome.cost.calls == 1


async def test_tokens_that_are_spent_end_the_next_level():
    said = Observation(cost=Cost(tokens=5))
    world = world_of(lambda state, action: said)
    made = planner(world, search=BestOf(2, 3), propose=ScriptedProposer([RIVAL]))
    outcome = await considered(made, meter=Meter(budget=Budget(tokens=10)))
    assert [len(one.rollout.steps) for one in outcome.considered] == [1, 1]
    assert outcome.cost.tokens == 10
    assert outcome.notes == ("the decision's budget of 10 tokens is spent",)


async def test_all_decisions_of_a_run_draw_on_one_budget():
    meter = Meter(budget=Budget(run_calls=2))
    made = planner(ScriptedWorld(script={"*": "ok"}))
    outcomes = [await considered(made, meter=meter) for _ in range(3)]
    assert [outcome.failure for outcome in outcomes] == ["", "", "the run's budget of 2 calls is spent"]
    assert meter.spent.calls == 2


# A search of the user's own


class Careless:
    """Forgets the proposed action, and hands back one of its own."""

    calls = 1

    async def __call__(self, thinking: Thinking, state: State, proposed: Action, /) -> Sequence[Considered]:
        return [Considered(rollout=Rollout(action=RIVAL), verdict=Verdict(score=0.9))]


async def test_a_search_that_forgets_the_proposed_action_cannot_make_it_disappear():
    outcome = await considered(planner(ScriptedWorld(script={"*": "ok"}), search=Careless()))
    assert [one.rollout.action for one in outcome.considered] == [RIVAL, MINE]
    assert outcome.proposed.rollout == Rollout(action=MINE, failure="it was not imagined")
    assert outcome.proposed.verdict == Verdict(score=0.25)
    assert outcome.failure == "it was not imagined"


class FromElsewhere:
    """Hands back a future that came over a wire."""

    calls = 1

    async def __call__(self, thinking: Thinking, state: State, proposed: Action, /) -> Sequence[Considered]:
        rollout = Rollout(action=proposed, failure=NOT_MY_WORLD)
        return [Considered(rollout=Rollout.model_validate_json(rollout.model_dump_json()), verdict=Verdict(score=0.5))]


async def test_that_no_world_knows_an_action_is_no_failure_whoever_says_so():
    assert (await considered(planner(None, search=FromElsewhere()))).failure == ""


async def test_a_planner_and_what_it_brings_cannot_be_altered_and_their_parts_are_named():
    made = planner(None)
    outcome = await considered(made)
    for value, name in ((made, "imagine"), (outcome, "failure")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, name, None)
    with pytest.raises(TypeError):
        Planner(None, ScriptedCritic(), ScriptedCritic())  # type: ignore[misc]
    with pytest.raises(TypeError):
        Outcome((), outcome.proposed)  # type: ignore[misc]


async def test_a_cancelled_caller_is_cancelled():
    begun = anyio.Event()

    async def slow(state: State, action: Action) -> str:
        begun.set()
        return await never(state, action)

    done: list[Outcome] = []

    async def consider() -> None:
        done.append(await considered(planner(world_of(slow))))

    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            group.start_soon(consider)
            await begun.wait()
            group.cancel_scope.cancel()
    assert done == []

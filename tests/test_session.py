import logging
from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from lookahead.act import Line
from lookahead.budget import Budget, Forecast, Meter
from lookahead.errors import PermitError
from lookahead.events import Decided, Event
from lookahead.guard import Guard
from lookahead.held import Held
from lookahead.host import ToolPath
from lookahead.journal import Journal
from lookahead.permit import Answer, Permit
from lookahead.planner import Planner
from lookahead.policy import Policy
from lookahead.search import BestOf, Preview
from lookahead.session import KEEP, ROOM, Session
from lookahead.settings import Mode
from lookahead.testing import ScriptedCopy, ScriptedCritic, ScriptedWorld, call, state_of
from lookahead.types import Action, Cost, Effect, Environment, Hazard, Observation

pytestmark = pytest.mark.anyio

STATE = state_of(reads=["look"], changes=["write"], destroys=["wipe"])
WRITE = call("write", path="a")
DANGER = Hazard(rule="r", what="w", why="y", severity="danger")
CHANGED = Effect(happened="changed", target="a")


OPEN: list[Journal] = []


@pytest.fixture(autouse=True)
def _closing() -> Iterator[None]:
    yield
    while OPEN:
        OPEN.pop().close()


def session(
    world: Environment | None = None,
    critic: ScriptedCritic | None = None,
    *,
    mode: Mode = "guard",
    k: int = 1,
    budget: Budget | None = None,
    **policy: Any,
) -> Session:
    OPEN.append(Journal(":memory:"))
    line = Line(
        planner=Planner(
            imagine=world,
            judge=critic or ScriptedCritic(),
            text=ScriptedCritic(),
            search=Preview() if k == 1 else BestOf(k),
        ),
        guard=Guard(policy=Policy.read(policy, "the policy")),
        journal=OPEN[-1],
        meter=Meter(budget=budget or Budget()),
        run="r",
        mode=mode,
    )
    return Session(line=line, state=STATE, covered=(ToolPath(tool="look"), ToolPath(tool="write")))


def copy(said: Any = "ok") -> ScriptedCopy:
    return ScriptedCopy(script={"*": said})


async def permit(made: Session) -> Permit:
    begun = await made.begin(WRITE)
    assert isinstance(begun, Permit)
    begun.take(WRITE)
    return begun


async def test_a_session_remembers_what_was_done():
    made = session(copy())
    leave = await permit(made)
    assert made.state == STATE
    told = await made.finish(leave, Observation(content="done"))
    assert told == Observation(content="done")
    assert made.state == STATE.then(WRITE, Observation(content="done"))


async def test_a_call_that_failed_is_part_of_what_was_done_and_one_that_never_began_is_not():
    made = session(copy())
    await made.failed(await permit(made), KeyError("gone"))
    assert made.state == STATE.then(WRITE, Observation(content="KeyError: 'gone'", failed=True))
    begun = await made.begin(WRITE)
    assert isinstance(begun, Permit)
    await made.failed(begun, KeyError("gone"))
    assert len(made.state.steps) == 1


async def test_a_refused_call_changes_nothing():
    made = session(copy(), ScriptedCritic(script={"*": DANGER}))
    assert isinstance(await made.begin(WRITE), Answer)
    assert made.state == STATE


async def test_a_dry_run_goes_on_from_what_was_imagined():
    world = copy()
    made = session(world, mode="dry-run")
    for _ in range(2):
        assert isinstance(await made.begin(WRITE), Answer)
    assert [step.observation.imagined for step in made.state.steps] == [True, True]
    assert len(world.asked[1][0].steps) == 1


async def test_a_refusal_in_a_dry_run_changes_nothing():
    made = session(copy(), ScriptedCritic(script={"*": DANGER}), mode="dry-run")
    await made.begin(WRITE)
    assert made.state == STATE


async def test_only_the_last_steps_stay_in_memory_and_the_digest_holds_all():
    made = session(copy(), write="allow")
    whole = STATE
    for n in range(KEEP + 5):
        made._then(WRITE, Observation(content=str(n)))
        whole = whole.then(WRITE, Observation(content=str(n)))
    assert len(made.state.steps) == KEEP == 1000
    assert made.state.digest == whole.digest


async def test_steps_that_hold_much_leave_memory_sooner_and_the_digest_holds_all():
    made = session(copy(), write="allow")
    whole = STATE
    for n in range(30):
        said = Observation(content=str(n) * (ROOM // 10), structured={"n": n})
        made._then(WRITE, said)
        whole = whole.then(WRITE, said)
        held = sum(len(step.observation.content) for step in made.state.steps)
        assert held <= ROOM
        assert made.state.steps[-1].observation == said
    assert len(made.state.steps) < 30
    assert made.state.digest == whole.digest


async def test_a_step_that_holds_more_than_there_is_room_for_is_kept_until_the_next():
    made = session(copy(), write="allow")
    for content in ("a", "b" * ROOM, "c", "d"):
        made._then(WRITE, Observation(content=content))
        assert made.state.steps[-1].observation.content == content
    assert [len(step.observation.content) for step in made.state.steps] == [1, 1]


async def test_the_end_is_recorded_although_the_caller_was_cancelled():
    made = session(copy())
    leave = await permit(made)
    object.__setattr__(made.line.pen, "usual", 1.0)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await made.finish(leave, Observation(content="done"))
    assert [done.status for done in made.journal.calls()] == ["done"]
    assert len(made.state.steps) == 1
    leave = await permit(made)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await made.failed(leave, ValueError("x"))
    assert [done.status for done in made.journal.calls()] == ["done", "failed"]
    assert len(made.state.steps) == 2


async def test_the_same_from_a_thread_without_an_event_loop():
    made = session(copy())
    leave = await permit(made)
    await anyio.to_thread.run_sync(made.finish_here, leave, Observation(content="done"))
    assert made.state == STATE.then(WRITE, Observation(content="done"))
    assert [done.status for done in made.journal.calls()] == ["done"]


SHOWN = Observation(content="done", effects=(CHANGED,))


@pytest.mark.parametrize(
    ("world", "answer", "effects"),
    [
        (copy(SHOWN), Observation(content="done"), (CHANGED,)),
        (copy(SHOWN), Observation(content="done", effects=()), ()),
        (copy(SHOWN), Observation(content="something else"), None),
        (ScriptedWorld(script={"*": SHOWN}), Observation(content="done"), None),
        (None, Observation(content="done"), None),
    ],
)
async def test_what_an_exact_copy_showed_of_a_call_is_known_where_all_else_came_out_as_shown(
    world: Environment | None, answer: Observation, effects: Any
):
    made = session(world)
    told = await made.finish(await permit(made), answer)
    assert told == answer
    assert made.state.steps[0].observation == answer.model_copy(update={"effects": effects})
    [done] = made.journal.calls()
    assert done.resulted is not None
    assert done.resulted.observation.effects == answer.effects


async def test_all_who_watch_are_told_and_one_that_fails_stops_nobody(caplog: pytest.LogCaptureFixture):
    made = session(copy())
    told: list[Event] = []

    def broken(event: Event) -> None:
        raise ValueError("screen gone")

    made.watch(broken)
    made.watch(told.append)
    begun = await made.begin(WRITE)
    with caplog.at_level(logging.ERROR, "lookahead"):
        made.tell(Decided(decision=begun.decision))
    assert told == [Decided(decision=begun.decision)]
    assert "a watcher failed; the line goes on without it" in caplog.text


# What it would cost


NOTHING = Forecast(calls=0, tokens=0, seconds=0.0)


def test_where_there_is_no_world_a_look_costs_nothing():
    assert session(None).forecast("write") == NOTHING.model_copy(update={"basis": "there is no world to ask"})


def test_what_only_reads_costs_nothing():
    made = session(copy())
    assert made.forecast("look") == NOTHING.model_copy(update={"basis": "'look' only reads: nothing is imagined"})
    assert session(copy(), write={"effect": "reads"}).forecast("write").calls == 0
    assert session(copy(), look={"effect": "changes"}).forecast("look").calls == 1


def test_without_a_record_the_budget_is_what_it_may_cost():
    made = session(ScriptedWorld(script={}), k=4, budget=Budget(seconds=5, tokens=100))
    cost = made.forecast("write")
    assert (cost.calls, cost.tokens, cost.seconds) == (4, 100, 5)
    assert "no imagined step of 'write' by 'scripted' is on record yet" in cost.basis
    assert session(copy(), budget=Budget(tokens=100)).forecast("write").tokens == 0
    assert "'*'" in made.forecast().basis
    assert made.forecast("not a tool of the agent").calls == 4


async def test_with_a_record_it_costs_what_such_calls_cost_before():
    world = ScriptedWorld(script={"*": Observation(cost=Cost(tokens=40))})
    made = session(world, k=3)
    for _ in range(3):
        await made.finish(await permit(made), Observation())
    for cost in (made.forecast("write"), made.forecast()):
        assert (cost.calls, cost.tokens) == (3, 120)
        assert "the median of the imagined steps" in cost.basis


# What may be asked


async def test_what_a_user_may_ask_of_a_session():
    made = session(copy())
    assert [str(path) for path in made.coverage] == ["look: guarded", "write: guarded"]
    assert (made.run, made.spent, made.in_doubt) == ("r", Cost(), [])
    assert made.journal is made.line.journal
    assert made.settle(0)
    leave = await permit(made)
    assert made.spent.calls == 1

    class Cut(BaseException): ...

    await made.failed(leave, Cut())
    assert [doubt.call for doubt in made.in_doubt] == [leave.call]


def test_closing_gives_everything_back_once_and_the_last_first():
    made = session(copy())
    closed: list[str] = []
    made.closers += [lambda: closed.append("journal"), lambda: closed.append("world")]
    made.close()
    made.close()
    assert closed == ["world", "journal"]


# Calls that wait for each other


def asking(world: ScriptedCopy) -> Session:
    return session(world, write={"rule": "ask"})


async def held(made: Session, action: Action = WRITE) -> Held:
    found = await made.hold(action)
    assert isinstance(found, Held)
    return found


async def test_what_is_held_has_not_begun_and_is_not_on_record():
    made = session(copy())
    found = await held(made)
    assert not found.asks
    assert made.journal.calls() == []
    released = await made.release(found)
    assert isinstance(released, Permit)
    assert [call.intended is not None for call in made.journal.calls()] == [True]


async def test_a_question_that_was_kept_is_found_again_and_not_imagined_anew():
    world = copy()
    made = asking(world)
    named = WRITE.model_copy(update={"call_id": "c1"})
    first = await held(made, named)
    assert first.asks
    (kept,) = await made.keep(first)
    again = await held(made, named)
    assert again.decision.id == kept.decision.id
    assert len(world.asked) == 1
    assert [one.call for one in made.journal.waiting()] == [kept.decision.id]


async def test_a_yes_that_the_host_was_given_lets_the_kept_call_begin_once():
    made = asking(copy())
    named = WRITE.model_copy(update={"call_id": "c1"})
    await made.keep(await held(made, named))
    begun = await made.release(await made.answered(await held(made, named), by="ada"))
    assert isinstance(begun, Permit)
    begun.take(named)
    await made.finish(begun, Observation(content="done"))
    again = await made.hold(named)
    assert isinstance(again, Answer)
    assert again.observation.content == "done"


async def test_without_a_yes_a_kept_call_is_refused_and_written_down_once():
    made = asking(copy())
    named = WRITE.model_copy(update={"call_id": "c1"})
    await made.keep(await held(made, named))
    refused = await made.release(await held(made, named))
    assert isinstance(refused, Answer)
    assert refused.observation.failed
    assert len(made.journal.calls()) == 1


async def test_nobody_says_yes_to_a_call_that_needs_none():
    made = session(copy())
    one = await held(made)
    with pytest.raises(PermitError, match="needs nobody's yes"):
        await made.answered(one, by="ada")


async def test_a_kept_question_about_another_state_is_put_anew():
    made = asking(copy())
    named = WRITE.model_copy(update={"call_id": "c1"})
    (kept,) = await made.keep(await held(made, named))
    moved = STATE.then(WRITE, Observation(content="done"))
    found = await made.hold(named, moved)
    assert isinstance(found, Held)
    assert found.decision.id != kept.decision.id


async def test_a_yes_to_what_a_copy_no_longer_shows_is_not_a_yes():
    shows = [Effect(happened="changed", target="a", what="file")]
    world = ScriptedCopy(script=lambda state, action: Observation(content="", effects=tuple(shows)))
    made = asking(world)
    found = await held(made, WRITE.model_copy(update={"call_id": "c1"}))
    shows.append(Effect(happened="deleted", target="b", what="file"))
    answered = await made.answered(found, by="ada")
    assert answered.asks
    assert answered.decision.rule == "changed"
    assert isinstance(await made.release(answered), Answer)


async def test_an_act_that_stopped_itself_to_ask_may_be_done_anew():
    made = session(copy())
    named = WRITE.model_copy(update={"call_id": "c1"})
    begun = await made.begin(named)
    assert isinstance(begun, Permit)
    begun.take(named)
    await made.paused(begun, "it asks a person")
    assert made.in_doubt == []
    assert isinstance(await made.begin(named), Permit)


async def test_conversations_have_runs_states_and_budgets_of_their_own():
    made = session(copy(), budget=Budget(calls=1))
    ada, ben = made.conversation("ada"), made.conversation("ben")
    assert made.conversation("ada") is ada
    leave = await permit(ada)
    await ada.finish(leave, Observation(content="done"))
    assert (len(ada.state.steps), len(ben.state.steps)) == (1, 0)
    assert (ada.spent.calls, ben.spent.calls, made.spent.calls) == (1, 0, 1)
    await permit(ben)
    assert made.spent.calls == 2
    assert {call.run for call in made.journal.calls()} == {"ada", "ben"}

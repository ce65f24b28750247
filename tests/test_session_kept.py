"""A call that waits for somebody's yes, and the conversations in which such calls wait."""

from collections.abc import Iterator
from time import time
from typing import Any

import pytest

from lookahead import session as sessions
from lookahead.act import Line
from lookahead.approval import Approve, prospect_of
from lookahead.budget import Budget, Meter
from lookahead.errors import ConfigError
from lookahead.guard import Guard
from lookahead.held import Consent, Held
from lookahead.journal import Approval, Granted, Journal
from lookahead.permit import Answer, Permit
from lookahead.planner import Planner
from lookahead.policy import Policy
from lookahead.search import BestOf, Preview, Search
from lookahead.session import Off, Session
from lookahead.settings import Mode
from lookahead.testing import ScriptedCopy, ScriptedCritic, ScriptedProposer, Yes, call, state_of, world_of
from lookahead.types import Action, Cost, Environment, Hazard, Observation, Rollout, State, Verdict

pytestmark = pytest.mark.anyio

STATE = state_of(changes=["write", "copy"])
WRITE, COPY = call("write", path="a"), call("copy", path="b")
NAMED = WRITE.model_copy(update={"call_id": "c1"})
DANGER = Hazard(rule="r", what="w", why="y", severity="danger")
ASKS = {"write": "ask"}

OPEN: list[Journal] = []


@pytest.fixture(autouse=True)
def _closing() -> Iterator[None]:
    yield
    while OPEN:
        OPEN.pop().close()


def session(
    world: Environment | None = None,
    *,
    mode: Mode = "guard",
    critic: ScriptedCritic | None = None,
    search: Search | None = None,
    approve: Approve | None = None,
    state: State = STATE,
    **policy: Any,
) -> Session:
    OPEN.append(Journal(":memory:"))
    line = Line(
        planner=Planner(
            imagine=world,
            judge=critic or ScriptedCritic(),
            text=ScriptedCritic(),
            search=search or Preview(),
            propose=ScriptedProposer([COPY]),
        ),
        guard=Guard(policy=Policy.read(policy, "the policy")),
        journal=OPEN[-1],
        meter=Meter(budget=Budget()),
        run="r",
        mode=mode,
        approve=approve,
    )
    return Session(line=line, state=state)


async def held(made: Session, action: Action = NAMED, state: State | None = None) -> Held:
    found = await made.hold(action, state)
    assert isinstance(found, Held)
    return found


def yes_to(one: Held) -> Granted:
    now = time()
    return Granted(
        approval=Approval(id="a1", binding=one.binding, granted_at=now, expires_at=now + 600, by="ada", seen="f")
    )


async def test_a_call_waits_only_while_it_is_a_question_without_an_answer():
    made = session(ScriptedCopy(script={"*": "ok"}), tools=ASKS)
    question = await held(made)
    assert question.asks
    assert not (await made.answered(question, by="ada")).asks
    assert not (await held(made, COPY)).asks
    refused = session(ScriptedCopy(script={"*": "ok"}), critic=ScriptedCritic(script={"*": DANGER}))
    vetoed = await held(refused)
    assert (vetoed.decision.choice, vetoed.decision.chosen, vetoed.asks) == ("veto", None, False)


async def test_a_call_that_needed_no_yes_is_found_again_as_it_was_kept():
    world = ScriptedCopy(script={"*": "ok"})
    made = session(world)
    first = await held(made)
    await made.keep(first)
    looked = len(world.asked)
    again = await held(made)
    assert (again.decision.id, again.binding, again.written) == (first.decision.id, "", True)
    assert again.decision.chosen == NAMED
    assert len(world.asked) == looked
    assert isinstance(await made.release(again), Permit)


async def test_a_kept_call_whose_tool_is_another_one_now_is_judged_anew():
    made = session(ScriptedCopy(script={"*": "ok"}), tools=ASKS)
    first = await held(made)
    await made.keep(first)
    other = state_of(changes=["write"]).tools[0].model_copy(update={"description": "another"})
    found = made.line.consent.found(first.__class__(**{**vars(first), "tool": other}), "r")
    assert found is None
    assert made.line.consent.found(first, "r") is not None


async def test_a_kept_call_of_a_tool_that_nobody_listed_is_found_again():
    made = session(ScriptedCopy(script={"*": "ok"}), state=State(), tools=ASKS)
    first = await held(made)
    assert first.tool is None
    await made.keep(first)
    assert (await held(made)).decision.id == first.decision.id


async def test_a_yes_from_before_is_not_looked_into_again_where_nobody_was_asked():
    world = ScriptedCopy(script={"*": Observation(content="ok", effects=())})
    made = session(world, tools=ASKS)
    made.journal.append(yes_to(await held(made)))
    looked = len(world.asked)
    found = await held(made)
    assert found.decision.chosen == NAMED
    assert len(world.asked) == looked + 1
    assert isinstance(await made.release(found), Permit)


async def test_a_yes_that_took_a_person_time_is_looked_into_once_more():
    world = ScriptedCopy(script={"*": Observation(content="ok", effects=())})
    yes = Yes()
    made = session(world, tools=ASKS, approve=yes)
    assert (await held(made)).decision.chosen == NAMED
    assert len(yes.asked) == 1
    assert len(world.asked) == 2


async def test_what_a_model_imagines_is_no_part_of_what_a_yes_is_good_for():
    copied = session(ScriptedCopy(script={"*": "ok"}), tools=ASKS)
    imagined = session(world_of(lambda state, action: "ok"), tools=ASKS)
    assert prospect_of((await held(copied)).decision) != ""
    assert prospect_of((await held(imagined)).decision) == ""


async def test_a_consent_is_real_unless_it_is_said_to_be_a_dry_run():
    made = session(ScriptedCopy(script={"*": "ok"}), tools=ASKS)
    question = await held(made)
    consent = Consent(journal=made.journal, policy=made.line.guard.policy)
    assert (await consent.given(question, None)).decision.chosen is None
    dry = Consent(journal=made.journal, policy=made.line.guard.policy, dry_run=True)
    assert (await dry.given(question, None)).decision.chosen == NAMED


async def test_a_dry_run_that_swaps_goes_on_from_the_rival():
    def judge(state: State, rollout: Rollout) -> Verdict:
        return Verdict(score=0.9 if rollout.action.tool == "copy" else 0.1)

    made = session(
        ScriptedCopy(script={"*": "ok"}),
        mode="dry-run",
        critic=ScriptedCritic(script=judge),
        search=BestOf(2),
        swap=True,
    )
    begun = await made.begin(WRITE)
    assert isinstance(begun, Answer)
    assert begun.decision.choice == "swap"
    assert [step.action for step in made.state.steps] == [COPY]


async def test_what_a_model_took_to_imagine_a_call_is_what_the_next_is_expected_to_take():
    made = session(world_of(lambda state, action: Observation(content="ok", cost=Cost(calls=1, tokens=70))))
    assert made.forecast("write").usual is None
    for _ in range(3):
        begun = await made.begin(WRITE)
        assert isinstance(begun, Permit)
        begun.take(WRITE)
        await made.finish(begun, Observation(content="done"))
    usual = made.forecast("write").usual
    assert usual is not None
    assert usual.tokens == 70


async def test_of_too_many_conversations_the_one_that_was_longest_unused_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(sessions, "CONVERSATIONS", 2)
    made = session(ScriptedCopy(script={"*": "ok"}))
    one, two = made.conversation("one"), made.conversation("two")
    assert made.conversation("one") is one
    three = made.conversation("three")
    assert made.conversation("one") is one
    assert made.conversation("three") is three
    assert made.conversation("two") is not two


def test_a_session_says_its_mode_and_does_not_show_what_it_keeps_for_itself():
    made = session(mode="dry-run")
    made.conversation("one")
    assert made.mode == "dry-run"
    assert not [name for name in ("_conversations", "_spent", "_lock") if f"{name}=" in repr(made)]


def test_where_lookahead_is_off_there_is_no_journal_and_it_says_how_to_open_one():
    with pytest.raises(ConfigError, match=r"switched off, so nothing is recorded .*Journal\(PATH\) opens one"):
        _ = Off().journal

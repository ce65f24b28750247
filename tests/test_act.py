"""From a proposal to a record: what runs, what is written down, and when."""

import dataclasses
import io
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import time
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from lookahead.act import Line
from lookahead.approval import Approve, Request, binding_of, prospect_of
from lookahead.budget import Budget, Meter
from lookahead.errors import JournalError, PermitError, WorldError
from lookahead.events import (
    Acted,
    Acting,
    Began,
    Decided,
    Event,
    Imagined,
    Imagining,
    Judged,
    Judging,
    Over,
    Proposed,
    Thought,
)
from lookahead.guard import Guard
from lookahead.journal import Approval, Entry, Granted, Journal
from lookahead.permit import Answer, Permit
from lookahead.planner import Planner
from lookahead.policy import Policy
from lookahead.search import BestOf, Preview, Search
from lookahead.settings import Mode
from lookahead.testing import (
    FixedRecord,
    No,
    RecordedCalls,
    ScriptedCopy,
    ScriptedCritic,
    ScriptedProposer,
    ScriptedWorld,
    Yes,
    call,
    state_of,
    world_of,
)
from lookahead.types import (
    GUARD,
    Action,
    Considered,
    Critic,
    Decision,
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

STATE = state_of(reads=["look"], changes=["write", "copy"], destroys=["wipe"], unknown=["odd"])
LOOK, WRITE, COPY, WIPE = call("look"), call("write", path="a"), call("copy", path="b"), call("wipe", path="c")
DANGER = Hazard(rule="files.lost", what="one file is lost", why="it is nowhere else", severity="danger")
CAUTION = Hazard(rule="files.changed", what="one file changes", why="it is new", severity="caution")


@pytest.fixture(autouse=True)
def _closing() -> Iterator[None]:
    yield
    while OPEN:
        OPEN.pop().close()


OPEN: list[Journal] = []


class Broken(Journal):
    """A journal whose disk is full when one of these is written."""

    def __init__(self, *kinds: str) -> None:
        super().__init__(":memory:")
        self.kinds = kinds

    def append(self, *entries: Entry) -> None:
        if any(entry.kind in self.kinds for entry in entries):
            raise JournalError("the disk is full")
        super().append(*entries)


def lines(journal: Journal) -> list[dict[str, Any]]:
    out = io.StringIO()
    journal.export(out)
    return [line for line in map(json.loads, out.getvalue().splitlines()) if "kind" in line]


def kinds(journal: Journal) -> list[str]:
    return [line["kind"] for line in lines(journal)]


@dataclass(kw_only=True)
class Rig:
    """A line with everything round it."""

    line: Line
    real: RecordedCalls
    journal: Journal
    events: list[Event] = field(default_factory=list[Event])

    async def act(self, action: Action = WRITE, state: State = STATE) -> Observation:
        with anyio.fail_after(60):
            return await self.line.around(self.real)(state, action)

    async def begin(self, action: Action = WRITE, state: State = STATE) -> Permit | Answer:
        with anyio.fail_after(60):
            return await self.line.begin(state, action)

    async def permit(self, action: Action = WRITE) -> Permit:
        begun = await self.begin(action)
        assert isinstance(begun, Permit)
        return begun

    async def answer(self, action: Action = WRITE) -> Answer:
        begun = await self.begin(action)
        assert isinstance(begun, Answer)
        return begun


def binding_for(action: Action, state: State, tool: str = "write", said: Observation | None = None) -> str:
    """What a yes to this call is bound to, where the copy shows that nothing changes."""
    said = said or Observation(effects=(), origin=Origin(kind="exact", world="copy"))
    future = Considered(rollout=Rollout(action=action, steps=(Step(action=action, observation=said),)))
    shown = Decision(id="d", proposed=action, considered=(future,), choice="ask", rule="r")
    return binding_of(action, state.tool(tool), state.digest, prospect_of(shown))


def rig(
    world: Environment | None = None,
    judge: Critic | None = None,
    *,
    text: Critic | None = None,
    real: RecordedCalls | None = None,
    journal: Journal | None = None,
    mode: Mode = "guard",
    approve: Approve | None = None,
    search: Search | None = None,
    propose: Proposer | None = None,
    record: FixedRecord | None = None,
    effect: Any = None,
    run: str = "r",
    **policy: Any,
) -> Rig:
    journal = journal or Journal(":memory:")
    OPEN.append(journal)
    events: list[Event] = []
    line = Line(
        planner=Planner(
            imagine=world,
            judge=judge or ScriptedCritic(),
            text=text or ScriptedCritic(),
            search=search or Preview(),
            propose=propose,
        ),
        guard=Guard(policy=Policy.read(policy, "the policy"), record=record),
        journal=journal,
        meter=Meter(budget=Budget()),
        run=run,
        mode=mode,
        approve=approve,
        effect_of=effect or (lambda action, tool: None),
        watch=events.append,
    )
    return Rig(line=line, real=real or RecordedCalls(), journal=journal, events=events)


def copy(**script: Any) -> ScriptedCopy:
    return ScriptedCopy(script=script or {"*": "imagined"})


# The order of things


async def test_the_intent_is_on_disk_before_the_act_and_the_result_after_it():
    seen: list[list[str]] = []
    made = rig(copy())
    made.real.script = lambda state, action: (seen.append(kinds(made.journal)), "done")[1]
    assert (await made.act()).content == "done"
    assert seen == [["decided", "intended"]]
    assert kinds(made.journal) == ["decided", "intended", "resulted"]
    decided, intended, resulted = lines(made.journal)
    assert decided["call"] == intended["call"] == resulted["call"]
    assert intended["body"]["action_digest"] == WRITE.digest
    assert intended["body"]["effect"] == "changes"
    assert decided["body"]["tool_digest"] == intended["body"]["tool_digest"] == STATE.tools[1].digest
    assert decided["body"]["state"] == STATE.digest
    assert decided["body"]["binding"] is None
    assert resulted["body"]["seconds"] > 0


async def test_a_call_that_only_reads_is_not_imagined_and_writes_once():
    seen: list[list[str]] = []
    world = copy()
    made = rig(world)
    made.real.script = lambda state, action: (seen.append(kinds(made.journal)), "done")[1]
    await made.act(LOOK)
    assert seen == [[]]
    assert kinds(made.journal) == ["decided", "intended", "resulted"]
    assert world.asked == []
    [done] = made.journal.calls()
    decision = done.decided.decision
    assert (decision.choice, decision.rule, decision.reason) == ("run", "reads", "it only reads")
    assert done.resulted is not None
    assert (done.resulted.agreement, done.resulted.world) == (None, None)


async def test_what_the_real_world_answered_reaches_the_agent_untouched():
    answer = Observation(
        content="\x1b[31mraw\x1b[0m",
        structured={"unknown": [1, None]},
        failed=True,
        effects=(Effect(happened="sent", target="x"),),
    )
    assert await rig(copy(), real=RecordedCalls(script={"*": answer})).act() == answer


async def test_what_was_imagined_is_compared_with_what_came():
    for imagined, agreed in (("done", True), ("other", False)):
        made = rig(copy(write=Observation(content=imagined, effects=())))
        await made.act()
        [done] = made.journal.calls()
        assert done.resulted is not None
        assert done.resulted.agreement is not None
        assert (done.resulted.agreement.agreed, done.resulted.world) == (agreed, "copy")


async def test_whoever_watches_is_told_in_the_order_in_which_it_happens():
    made = rig(copy())
    await made.act()
    assert [type(event) for event in made.events] == [
        *(Began, Proposed, Imagining, Imagined, Judging, Judged, Thought, Decided),
        *(Acting, Over, Acted),
    ]
    decided, acted = made.events[-4], made.events[-1]
    assert isinstance(decided, Decided)
    assert acted == Acted(action=WRITE, observation=Observation(content="done"), decision=decided.decision)
    made = rig(copy(), write="deny")
    await made.act()
    assert [type(event) for event in made.events] == [Decided]


async def test_a_tool_that_nobody_listed_is_unknown():
    made = rig(copy())
    await made.act(call("foreign"))
    decided, intended, _ = lines(made.journal)
    assert decided["body"]["tool_digest"] is None
    assert (intended["body"]["tool_digest"], intended["body"]["effect"]) == ("", "unknown")


# What needs no imagination


async def test_what_the_policy_denies_is_not_imagined_and_not_done():
    world = copy()
    made = rig(world, write="deny", approve=Yes())
    answer = await made.answer()
    assert answer.observation.failed
    assert answer.observation.origin == GUARD
    assert answer.observation.effects == ()
    assert (answer.decision.choice, answer.decision.rule) == ("veto", '"write" = deny')
    assert answer.decision.reason == "the policy forbids this call"
    assert "only a change of the policy allows it" in answer.observation.content
    assert world.asked == made.real.done == []
    assert kinds(made.journal) == ["decided"]
    assert lines(made.journal)[0]["body"]["binding"] is None


async def test_no_approval_allows_what_the_policy_denies():
    made = rig(copy(), write="deny")
    approve_now(made, WRITE)
    assert (await made.act()).failed
    assert made.real.done == []


async def test_what_the_policy_allows_is_done_without_a_look():
    world, critic = copy(), ScriptedCritic(script={"*": DANGER})
    made = rig(world, critic, text=critic, wipe="allow")
    assert (await made.act(WIPE)).content == "done"
    [done] = made.journal.calls()
    assert (done.decided.decision.rule, done.decided.decision.reason) == ('"wipe" = allow', "the policy allows it")
    assert world.asked == critic.judged == []


SPELLED = {"when": [{"argument": "path", "rule": "allow", "matches": "a*"}]}


async def test_what_is_allowed_by_its_spelling_still_answers_to_the_rules_on_text():
    world, critic = copy(), ScriptedCritic()
    text = ScriptedCritic(script={"write": [0.5, DANGER, CAUTION]})
    made = rig(world, critic, text=text, write=SPELLED)
    assert (await made.act()).content == "done"
    assert (await made.answer()).decision.choice == "veto"
    assert (await made.answer()).decision.choice == "ask"
    assert world.asked == critic.judged == []
    assert len(text.judged) == 3
    assert made.real.done == [WRITE]


async def test_what_destroys_and_is_allowed_by_its_spelling_is_asked_where_nobody_looked():
    made = rig(copy(), wipe={"when": [{"argument": "path", "rule": "allow", "matches": "c"}]})
    assert (await made.answer(WIPE)).decision.rule == "world.none"


async def test_what_is_allowed_by_its_spelling_is_looked_at_alone():
    proposer = ScriptedProposer([COPY])
    made = rig(copy(), write=SPELLED, search=BestOf(3), propose=proposer)
    await made.act()
    assert proposer.asked == []


async def test_a_read_that_the_rules_warn_of_is_looked_at_like_any_other_call():
    secret = Hazard(rule="secrets.read", what="reads a key", why="it can be passed on", severity="caution")
    made = rig(copy(), text=ScriptedCritic(script={"*": secret}), judge=ScriptedCritic(script={"*": secret}))
    answer = await made.answer(LOOK)
    assert (answer.decision.choice, answer.decision.rule) == ("ask", "secrets.read")
    assert made.real.done == []


async def test_what_only_reads_and_is_allowed_by_its_spelling_just_runs():
    text = ScriptedCritic(script={"*": DANGER})
    made = rig(copy(), text=text, look={"when": [{"argument": "path", "rule": "allow", "regex": ""}]})
    assert (await made.act(call("look", path="x"))).content == "done"
    assert text.judged == []


# What the text of a call says it does


@pytest.mark.parametrize(
    ("tool", "seen", "effect"),
    [
        ("look", "destroys", "destroys"),
        ("look", "changes", "reads"),
        ("look", None, "reads"),
        ("odd", "reads", "reads"),
        ("odd", "changes", "changes"),
        ("odd", "unknown", "unknown"),
        ("odd", None, "unknown"),
        ("write", "reads", "reads"),
        ("write", "destroys", "destroys"),
        ("wipe", "reads", "destroys"),
        ("wipe", "changes", "destroys"),
    ],
)
async def test_the_text_of_a_call_may_raise_its_effect_and_lowers_only_what_is_not_sure(
    tool: str, seen: Any, effect: str
):
    asked: list[tuple[Action, Tool | None]] = []

    def effect_of(action: Action, tool: Tool | None) -> Any:
        asked.append((action, tool))
        return seen

    made = rig(copy(), effect=effect_of)
    await made.act(call(tool))
    assert lines(made.journal)[1]["body"]["effect"] == effect
    assert asked == [(call(tool), STATE.tool(tool))]


# What is refused


async def test_a_veto_is_an_answer_that_says_what_and_why():
    made = rig(copy(), ScriptedCritic(script={"*": DANGER}))
    observation = await made.act()
    assert observation.content.splitlines()[:3] == [
        "Not done: write: a",
        "what: one file is lost",
        "why: it is nowhere else [files.lost]",
    ]
    assert made.real.done == []
    assert kinds(made.journal) == ["decided"]
    assert made.journal.waiting()[0].binding == binding_for(WRITE, STATE)


async def test_where_nobody_can_be_asked_a_question_is_a_refusal_that_can_be_approved_later(tmp_path: Path):
    made = rig(copy(), journal=Journal(tmp_path / "journal.db"), write="ask")
    answer = await made.answer()
    assert answer.decision.choice == "ask"
    assert answer.decision.chosen is None
    command = f"lookahead journal approve --journal {tmp_path / 'journal.db'} {answer.decision.id}"
    assert command in answer.observation.content
    assert kinds(made.journal) == ["decided"]
    assert made.real.done == []


async def test_a_no_is_a_refusal():
    no = No()
    made = rig(copy(), write="ask", approve=no)
    assert (await made.act()).failed
    assert len(no.asked) == 1
    assert made.real.done == []
    assert kinds(made.journal) == ["decided"]


async def test_a_yes_lets_the_call_run_once():
    yes = Yes()
    made = rig(copy(), write="ask", approve=yes)
    before = time()
    assert (await made.act()).content == "done"
    assert kinds(made.journal) == ["decided", "granted", "spent", "intended", "resulted"]
    [request] = yes.asked
    assert request.tool == STATE.tool("write")
    assert request.binding == binding_for(WRITE, STATE)
    assert before + 600 <= request.expires_at <= time() + 600
    [done] = made.journal.calls()
    decision = done.decided.decision
    assert (decision.choice, decision.chosen) == ("ask", WRITE)
    assert decision.notes == ("allowed once by Yes",)
    await made.act()
    assert len(yes.asked) == 2
    assert len(made.real.done) == 2


async def test_a_yes_waits_for_the_disk_together_with_the_intent():
    appended: list[int] = []

    class Counting(Journal):
        def append(self, *entries: Entry) -> None:
            appended.append(len(entries))
            super().append(*entries)

    made = rig(copy(), journal=Counting(":memory:"), write="ask", approve=Yes())
    await made.act()
    assert appended == [4, 1]


async def test_a_yes_that_was_not_used_is_not_left_lying_about():
    made = rig(copy(), write="ask", approve=Yes())
    named_call = WRITE.model_copy(update={"call_id": "once"})
    first = await made.permit(named_call)
    with pytest.raises(PermitError, match="under way already"):
        await made.begin(named_call)
    assert made.journal.approval(binding_for(WRITE, STATE), time()) is None
    await made.line.through(first, STATE, made.real)
    assert len(made.real.done) == 1


async def test_a_call_with_a_name_does_not_run_beside_itself():
    made = rig(copy())
    named_call = WRITE.model_copy(update={"call_id": "once"})
    refused: list[PermitError] = []

    async def one() -> None:
        try:
            await made.act(named_call)
        except PermitError as error:
            refused.append(error)

    async def until_the_others_were_refused(state: State, action: Action) -> str:
        while len(refused) < 2:
            await anyio.lowlevel.checkpoint()
        return "done"

    made.real.script = until_the_others_were_refused
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(one)
    assert len(made.real.done) == 1
    assert len(refused) == 2
    assert (await made.act(named_call)).content == "done"
    assert len(made.real.done) == 1


async def test_the_question_is_not_put_for_a_veto():
    yes = Yes()
    made = rig(copy(), ScriptedCritic(script={"*": DANGER}), approve=yes)
    assert (await made.act()).failed
    assert yes.asked == []


@pytest.mark.parametrize("answer", [1, "yes", "True", object(), None, False])
async def test_only_true_is_a_yes(answer: Any):
    made = rig(copy(), write="ask", approve=lambda request: answer)
    assert (await made.act()).failed
    assert made.real.done == []


async def test_an_approver_that_fails_lets_nothing_run():
    def broken(request: Request) -> bool:
        raise OSError("no terminal")

    made = rig(copy(), write="ask", approve=broken)
    with pytest.raises(OSError, match="no terminal"):
        await made.act()
    assert made.real.done == []


def approve_now(made: Rig, action: Action, *, state: State = STATE, tool: str = "write", seconds: float = 60.0) -> None:
    now = time()
    approval = Approval(
        id=f"yes{now}",
        binding=binding_for(action, state, tool),
        granted_at=now,
        expires_at=now + seconds,
        by="a person",
        seen="",
    )
    made.journal.append(Granted(approval=approval))


async def test_an_approval_that_was_given_before_lets_a_refused_call_run_once():
    critic = ScriptedCritic(script={"*": DANGER})
    made = rig(copy(), critic)
    assert (await made.act()).failed
    approve_now(made, WRITE)
    assert (await made.act()).content == "done"
    decision = made.journal.calls()[-1].decided.decision
    assert (decision.choice, decision.chosen, decision.rule) == ("ask", WRITE, "files.lost")
    assert decision.notes == ("allowed once by a person",)
    assert (await made.act()).failed
    assert len(made.real.done) == 1


async def test_an_approval_that_was_given_before_answers_the_policys_question():
    no = No()
    made = rig(copy(), write="ask", approve=no)
    approve_now(made, WRITE)
    assert (await made.act()).content == "done"
    assert no.asked == []
    assert (await made.act()).failed


async def test_an_approval_is_not_used_up_by_a_call_that_needs_none():
    made = rig(copy(), ScriptedCritic(script={"*": [0.5, DANGER]}))
    approve_now(made, WRITE)
    await made.act()
    assert "spent" not in kinds(made.journal)
    assert (await made.act()).content == "done"
    assert "spent" in kinds(made.journal)


async def test_an_approval_holds_for_this_very_call_in_this_very_state():
    others = [
        (call("write", path="b"), STATE),
        (WRITE, STATE.then(COPY, Observation())),
        (WRITE, State(goal="other", tools=STATE.tools)),
        (
            WRITE,
            State(
                tools=tuple(
                    tool.model_copy(update={"description": "new"}) for tool in state_of(changes=["write"]).tools
                )
            ),
        ),
    ]
    for action, state in others:
        made = rig(copy(), write="ask")
        approve_now(made, WRITE)
        assert (await made.act(action, state)).failed
        assert made.real.done == []
    made = rig(copy(), write="ask")
    approve_now(made, WRITE)
    assert not (await made.act(WRITE, STATE.then(LOOK, Observation()))).failed


async def test_an_approval_does_not_hold_when_a_copy_shows_something_else_than_it_showed_then():
    lost = Effect(happened="deleted", target="thesis.txt", before=9, unit="bytes")
    made = rig(ScriptedCopy(script={"*": Observation(effects=(lost,))}), write="ask")
    approve_now(made, WRITE)
    assert (await made.act()).failed
    assert made.real.done == []


EARLIER = "an earlier yes does not hold: a person allowed this call at"


async def test_a_yes_that_holds_no_more_since_the_agent_acted_is_spoken_of():
    made = rig(copy(), write="ask")
    assert EARLIER not in (await made.act()).content
    approve_now(made, WRITE)
    later = STATE.then(COPY, Observation())
    said = (await made.act(WRITE, later)).content
    assert EARLIER in said.splitlines()[-1]
    assert "but the agent did something since" in said
    assert len(said.splitlines()) <= 6
    # Of another call, of one that needs no yes, and where it holds, there is nothing to say.
    assert EARLIER not in (await made.act(call("write", path="b"), later)).content
    assert (await made.act()).content == "done"
    assert EARLIER not in (await made.act(WRITE, later)).content


async def test_a_yes_that_holds_no_more_since_the_world_changed_is_spoken_of_to_whoever_is_asked():
    lost = Effect(happened="deleted", target="thesis.txt", before=9, unit="bytes")
    no = No()
    world = ScriptedCopy(script={"*": [Observation(effects=()), Observation(effects=(lost,))]})
    made = rig(world, write="ask")
    await made.act()
    judged = made.journal.calls()[-1].decided
    granted = Approval(
        id="1", binding=judged.binding or "", granted_at=time(), expires_at=time() + 60, by="a person", seen=""
    )
    made.journal.append(Granted(approval=granted))
    again = dataclasses.replace(made, line=dataclasses.replace(made.line, approve=no))
    assert (await again.act()).failed
    (asked,) = no.asked
    assert EARLIER in asked.text
    assert "but what it would do is not the same now" in asked.text


async def test_a_yes_that_has_run_out_is_not_spoken_of():
    made = rig(copy(), write="ask")
    await made.act()
    approve_now(made, WRITE, seconds=-1.0)
    assert EARLIER not in (await made.act(WRITE, STATE.then(COPY, Observation()))).content


async def test_a_yes_does_not_hold_when_the_world_changed_while_the_question_was_open():
    lost = Effect(happened="deleted", target="thesis.txt", before=9, unit="bytes")
    world = ScriptedCopy(script={"*": [Observation(effects=()), Observation(effects=(lost,))]})
    made = rig(world, write="ask", approve=Yes())
    answer = await made.answer()
    assert (answer.decision.rule, answer.decision.chosen) == ("changed", None)
    assert "the world changed while the question was open" in answer.observation.content
    assert made.real.done == []
    assert kinds(made.journal) == ["decided"]


async def test_an_approval_that_has_expired_is_none():
    made = rig(copy(), write="ask")
    approve_now(made, WRITE, seconds=-1.0)
    assert (await made.act()).failed


async def test_a_read_that_a_person_allowed_is_on_disk_before_it_runs():
    seen: list[list[str]] = []
    made = rig(copy(), look="ask", approve=Yes())
    made.real.script = lambda state, action: (seen.append(kinds(made.journal)), "done")[1]
    await made.act(LOOK)
    assert seen == [["decided", "granted", "spent", "intended"]]


async def test_a_read_that_a_person_shall_see_is_previewed_alone():
    proposer, yes = ScriptedProposer([COPY]), Yes()
    made = rig(copy(), look="ask", approve=yes, search=BestOf(3), propose=proposer)
    await made.act(LOOK)
    assert proposer.asked == []
    assert len(yes.asked[0].decision.considered) == 1


# Nothing runs twice


NAMED = Action(tool="write", arguments={"path": "a"}, call_id="c1")


async def test_a_call_that_was_done_before_is_answered_from_the_record():
    made = rig(copy(), real=RecordedCalls(script={"write": ["first", "second"]}))
    assert (await made.act(NAMED)).content == "first"
    answer = await made.answer(NAMED)
    assert answer.observation.content == "first"
    assert answer.decision.rule == "recorded"
    assert answer.decision.chosen is None
    assert made.real.done == [NAMED]
    assert kinds(made.journal) == ["decided", "intended", "resulted"]


@pytest.mark.parametrize("rule", ["allow", "ask", "preview"])
async def test_whatever_the_policy_says_but_no_the_record_answers_first(rule: str):
    no = No()
    made = rig(copy(), write=rule, approve=no)
    permit = await rig(copy(), journal=made.journal).permit(NAMED)
    await made.line.through(permit, STATE, made.real)
    assert (await made.answer(NAMED)).decision.rule == "recorded"
    assert no.asked == []


async def test_another_call_of_the_same_name_or_another_run_is_another_call():
    journal = Journal(":memory:")
    made = rig(copy(), journal=journal)
    await made.act(NAMED)
    await made.act(NAMED.model_copy(update={"arguments": {"path": "b"}}))
    await made.act(NAMED.model_copy(update={"call_id": "c2"}))
    await made.act(WRITE)
    assert len(made.real.done) == 4
    again = rig(copy(), journal=journal, run="another")
    await again.act(NAMED)
    assert again.real.done == [NAMED]


async def test_what_is_denied_now_is_not_answered_from_the_record():
    journal = Journal(":memory:")
    await rig(copy(), journal=journal).act(NAMED)
    assert "Not done" in (await rig(copy(), journal=journal, write="deny").act(NAMED)).content


class Cut(BaseException):
    """What ends a process in the middle."""


def cutting() -> RecordedCalls:
    async def cut(state: State, action: Action) -> str:
        raise Cut("power")

    return RecordedCalls(script=cut)


async def interrupted(action: Action = WRITE, **more: Any) -> tuple[Journal, str]:
    journal = Journal(":memory:")
    with pytest.raises(Cut):
        await rig(copy(), journal=journal, real=cutting(), **more).act(action)
    return journal, journal.calls()[-1].call


async def test_a_call_that_was_cut_off_is_in_doubt_and_is_not_repeated():
    journal, first = await interrupted()
    assert kinds(journal) == ["decided", "intended", "interrupted"]
    assert lines(journal)[-1]["body"]["why"] == "Cut: power"
    assert [doubt.call for doubt in journal.in_doubt()] == [first]
    again = rig(copy(), journal=journal)
    answer = await again.answer()
    assert (answer.decision.choice, answer.decision.rule) == ("ask", f"doubt:{first}")
    assert answer.decision.reason == (
        f"this very call (as {first}) was cut off before its result was known: it may have happened"
    )
    assert f"(as {first})" in answer.observation.content
    assert again.real.done == []
    assert lines(journal)[-1]["body"]["binding"] is None


@pytest.mark.parametrize("rule", ["allow", "preview", "ask"])
async def test_doubt_comes_before_whatever_the_policy_allows(rule: str):
    journal, _ = await interrupted()
    again = rig(copy(), journal=journal, write=rule)
    assert (await again.answer()).decision.rule.startswith("doubt:")


async def test_what_the_policy_denies_is_denied_in_doubt_too():
    journal, _ = await interrupted()
    assert (await rig(copy(), journal=journal, write="deny").answer()).decision.choice == "veto"


async def test_a_yes_from_before_does_not_cover_what_may_have_happened_already():
    journal, _ = await interrupted()
    again = rig(copy(), journal=journal)
    approve_now(again, WRITE)
    assert (await again.act()).failed
    assert again.real.done == []


async def test_a_person_who_knows_may_say_yes_anew():
    journal, _ = await interrupted()
    again = rig(copy(), journal=journal, approve=Yes())
    assert (await again.act()).content == "done"


async def test_another_call_is_not_in_doubt():
    journal, _ = await interrupted()
    again = rig(copy(), journal=journal)
    assert (await again.act(COPY)).content == "done"


async def test_reading_again_hurts_nobody():
    journal, _ = await interrupted(LOOK)
    again = rig(copy(), journal=journal)
    assert (await again.act(LOOK)).content == "done"


def swapping(journal: Journal | None = None, **more: Any) -> Rig:
    judge = ScriptedCritic(script={"write": DANGER, "copy": 0.9, "look": 0.9})
    propose = more.pop("propose", ScriptedProposer([COPY]))
    return rig(copy(), judge, search=BestOf(2), propose=propose, journal=journal, swap=True, **more)


async def test_a_rival_that_is_in_doubt_is_not_done_in_the_place_of_another():
    journal, first = await interrupted(COPY)
    made = swapping(journal)
    answer = await made.answer()
    assert (answer.decision.choice, answer.decision.chosen) == ("veto", None)
    assert answer.decision.rule == f"doubt:{first}"
    assert answer.decision.reason == f"what would be done instead (as {first}) was cut off before: it may have happened"
    assert made.real.done == []


async def test_a_rival_that_only_reads_may_be_done_although_it_was_cut_off():
    journal, _ = await interrupted(LOOK)
    made = swapping(journal, propose=ScriptedProposer([LOOK]))
    await made.act()
    assert made.real.done == [LOOK]


# Something else in its place


async def test_a_swapped_call_does_the_rival_and_says_so():
    made = swapping(real=RecordedCalls(script={"copy": Observation(content="copied", structured=7)}))
    answer = await made.act()
    notice = "[lookahead] did copy: b instead of write: a: copy promises better: 0.90 against 0.50"
    assert answer == Observation(content=f"{notice}\ncopied", structured=7)
    assert made.real.done == [COPY]
    [done] = made.journal.calls()
    assert done.intended is not None
    assert done.intended.action == COPY
    assert done.intended.tool_digest == STATE.tools[2].digest
    assert done.decided.tool_digest == STATE.tools[1].digest
    assert done.resulted is not None
    assert (done.resulted.tool, done.resulted.observation.content) == ("copy", "copied")
    assert done.resulted.agreement is not None


async def test_a_rival_is_under_its_own_effect():
    made = swapping(propose=ScriptedProposer([LOOK]))
    permit = await made.permit()
    assert (permit.action, permit.effect) == (LOOK, "reads")
    assert kinds(made.journal) == []
    assert [entry.kind for entry in permit.unwritten] == ["decided", "intended"]


# When the act fails


async def test_an_exception_of_the_real_world_is_its_result_and_reaches_the_agent():
    made = rig(copy(), real=RecordedCalls(script={"*": KeyError("gone")}))
    with pytest.raises(KeyError, match="gone"):
        await made.act()
    [done] = made.journal.calls()
    assert done.resulted is not None
    assert done.resulted.observation == Observation(content="KeyError: 'gone'", failed=True)
    assert made.journal.in_doubt() == []
    assert isinstance(acted := made.events[-1], Acted)
    assert acted.observation == Observation(content="KeyError: 'gone'", failed=True)


async def test_a_cancelled_act_is_in_doubt():
    begun = anyio.Event()

    async def slow(state: State, action: Action) -> str:
        begun.set()
        await anyio.sleep_forever()
        return "never"

    made = rig(copy(), real=RecordedCalls(script=slow))
    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            group.start_soon(made.act)
            await begun.wait()
            group.cancel_scope.cancel()
    assert kinds(made.journal) == ["decided", "intended", "interrupted"]
    assert len(made.journal.in_doubt()) == 1


async def test_what_has_happened_is_recorded_although_the_caller_was_cancelled_meanwhile():
    with anyio.CancelScope() as scope:

        async def last(state: State, action: Action) -> str:
            scope.cancel()
            return "done"

        made = rig(copy(), real=RecordedCalls(script=last))
        object.__setattr__(made.line.pen, "usual", 1.0)  # a slow disk: the write has to be waited for
        await made.act()
    assert kinds(made.journal) == ["decided", "intended", "resulted"]


async def test_a_read_that_was_cut_off_is_written_down_too():
    journal, _ = await interrupted(LOOK)
    assert kinds(journal) == ["decided", "intended", "interrupted"]


# When the record fails


@pytest.mark.parametrize("kind", ["decided", "intended"])
async def test_what_cannot_be_recorded_is_not_done(kind: str):
    made = rig(copy(), journal=Broken(kind))
    with pytest.raises(JournalError, match="the disk is full"):
        await made.act()
    assert made.real.done == []


async def test_a_yes_that_cannot_be_recorded_is_none():
    made = rig(copy(), journal=Broken("granted"), write="ask", approve=Yes())
    with pytest.raises(JournalError):
        await made.act()
    assert made.real.done == []


async def test_what_has_happened_is_answered_although_it_could_not_be_recorded(caplog: pytest.LogCaptureFixture):
    made = rig(copy(), journal=Broken("resulted"))
    with caplog.at_level(logging.ERROR, "lookahead"):
        assert (await made.act()).content == "done"
    [record] = caplog.records
    assert "was done, but its result could not be recorded: it is in doubt" in record.getMessage()
    assert isinstance(acted := made.events[-1], Acted)
    assert acted.observation == Observation(content="done")


async def test_a_read_without_a_record_is_not_answered():
    made = rig(copy(), journal=Broken("resulted"))
    with pytest.raises(JournalError):
        await made.act(LOOK)


@pytest.mark.parametrize(("error", "kind"), [(KeyError("gone"), "resulted"), (Cut("power"), "interrupted")])
async def test_the_agent_sees_why_the_act_failed_and_not_why_the_record_did(
    error: BaseException, kind: str, caplog: pytest.LogCaptureFixture
):
    async def fails(state: State, action: Action) -> str:
        raise error

    for action in (WRITE, LOOK):
        made = rig(copy(), journal=Broken(kind), real=RecordedCalls(script=fails))
        with caplog.at_level(logging.ERROR, "lookahead"), pytest.raises(type(error)):
            await made.act(action)
        assert "could not be recorded" in caplog.text


async def test_a_watcher_that_fails_comes_not_between_an_act_and_its_result(caplog: pytest.LogCaptureFixture):
    made = rig(copy())

    def watch(event: Event) -> None:
        if isinstance(event, Acted):
            raise ValueError("screen gone")

    object.__setattr__(made.line, "watch", watch)
    with caplog.at_level(logging.ERROR, "lookahead"):
        assert (await made.act()).content == "done"
    assert kinds(made.journal) == ["decided", "intended", "resulted"]
    assert "whoever watches call" in caplog.text


# Permits


async def test_a_permit_is_good_for_one_run():
    made = rig(copy())
    permit = await made.permit()
    await made.line.through(permit, STATE, made.real)
    with pytest.raises(PermitError, match="used already: nothing runs twice"):
        await made.line.through(permit, STATE, made.real)
    assert made.real.done == [WRITE]


async def test_a_permit_lives_as_long_as_an_approval():
    made = rig(copy(), approval_seconds=1e-9)
    permit = await made.permit()
    with pytest.raises(PermitError, match="too old; propose it again"):
        await made.line.through(permit, STATE, made.real)
    assert made.real.done == []
    resulted = lines(made.journal)[-1]["body"]["observation"]
    assert resulted["content"].startswith("not started: PermitError: the decision on call")
    assert (resulted["failed"], resulted["origin"]["kind"]) == (True, "guard")
    assert made.journal.in_doubt() == []


async def test_a_call_that_was_altered_between_the_judgement_and_the_act_does_not_run():
    made = rig(copy())
    permit = await made.permit()
    permit.action.arguments["path"] = "/"
    with pytest.raises(PermitError, match="is not the call that was judged: it changed since"):
        await made.line.through(permit, STATE, made.real)
    assert made.real.done == []


ALTERED = ["/", "b", "c", "d", "e", "f"]
"""Enough of them to have digests on both sides of the true one."""


@pytest.mark.parametrize("path", ALTERED)
async def test_whoever_alters_the_call_while_it_is_judged_stops_it(path: str):
    def altering(state: State, rollout: Rollout) -> Verdict:
        rollout.action.arguments["path"] = path
        return Verdict(score=1.0)

    made = rig(copy(), ScriptedCritic(script=altering))
    with pytest.raises(PermitError, match="was changed while it was being judged; propose it again"):
        await made.act()
    assert made.real.done == []


@pytest.mark.parametrize("path", ALTERED)
async def test_whoever_alters_the_call_while_it_is_approved_stops_it(path: str):
    def altering(request: Request) -> bool:
        request.decision.proposed.arguments["path"] = path
        return True

    made = rig(copy(), write="ask", approve=altering)
    with pytest.raises(PermitError, match="was changed while it was being approved; propose it again"):
        await made.act()
    assert made.real.done == []


async def test_the_agents_own_copy_of_a_call_is_not_the_one_that_runs():
    mine = call("write", path="a")

    def meanwhile(state: State, action: Action) -> str:
        mine.arguments["path"] = "/"
        return "ok"

    made = rig(world_of(meanwhile, kind="exact", name="copy"))
    await made.act(mine)
    assert made.real.done == [WRITE]


async def test_who_holds_a_permit_may_give_it_back_unused():
    made = rig(copy())
    permit = await made.permit()
    await made.line.failed(permit, RuntimeError("changed my mind"))
    assert lines(made.journal)[-1]["body"]["observation"]["content"] == "not started: RuntimeError: changed my mind"
    assert lines(made.journal)[-1]["body"]["seconds"] == 0.0
    assert made.journal.in_doubt() == []


async def test_the_same_ending_is_written_from_a_thread_without_an_event_loop():
    made = rig(copy())
    permit = await made.permit()
    permit.take(permit.action)
    await anyio.to_thread.run_sync(made.line.finish_here, permit, Observation(content="done"))
    assert kinds(made.journal) == ["decided", "intended", "resulted"]
    assert isinstance(made.events[-1], Acted)


@pytest.mark.parametrize("action", [WRITE, LOOK])
async def test_from_a_thread_too_only_a_read_is_withheld_without_a_record(
    action: Action, caplog: pytest.LogCaptureFixture
):
    made = rig(copy(), journal=Broken("resulted"))
    permit = await made.permit(action)
    permit.take(permit.action)
    with caplog.at_level(logging.ERROR, "lookahead"):
        if action == LOOK:
            with pytest.raises(JournalError):
                made.line.finish_here(permit, Observation())
        else:
            made.line.finish_here(permit, Observation())
            assert "it is in doubt" in caplog.text


# A dry run


async def test_in_a_dry_run_the_imagined_answer_is_the_answer():
    made = rig(copy(), mode="dry-run")
    answer = await made.answer()
    assert answer.observation.content == "imagined"
    assert answer.observation.imagined
    assert made.real.done == []
    assert kinds(made.journal) == ["decided"]
    assert answer.decision.choice == "run"


async def test_in_a_dry_run_a_veto_is_a_veto():
    made = rig(copy(), ScriptedCritic(script={"*": DANGER}), mode="dry-run")
    assert (await made.act()).content.startswith("Not done: write: a")


async def test_in_a_dry_run_nobody_is_asked_and_the_answer_is_yes():
    no = No()
    made = rig(copy(), write="ask", approve=no, mode="dry-run")
    answer = await made.answer()
    assert answer.observation.content == "imagined"
    assert answer.decision.chosen == WRITE
    assert answer.decision.notes == ("a person would have been asked; the dry run goes on as if the answer were yes",)
    assert no.asked == []


@pytest.mark.parametrize("action", [LOOK, call("odd")])
async def test_in_a_dry_run_even_what_needs_no_preview_is_imagined(action: Action):
    world = copy()
    made = rig(world, odd="allow", mode="dry-run", search=BestOf(3), propose=ScriptedProposer([COPY]))
    observation = await made.act(action)
    assert (observation.content, observation.imagined) == ("imagined", True)
    assert [asked for _, asked in world.asked] == [action]
    assert made.real.done == []


async def test_in_a_dry_run_nothing_is_done_where_nothing_can_be_imagined():
    made = rig(None, mode="dry-run")
    assert await made.act() == Observation(
        content="Not imagined, and in a dry run nothing is done: no world knows this kind of action",
        failed=True,
        origin=GUARD,
    )
    assert made.real.done == []


async def test_in_a_dry_run_a_swap_is_told_with_the_imagined_answer():
    made = swapping(mode="dry-run")
    observation = await made.act()
    assert observation.content == (
        "[lookahead] did copy: b instead of write: a: copy promises better: 0.90 against 0.50\nimagined"
    )
    assert observation.imagined


# Copies of reality


async def test_copies_are_thrown_away_before_reality_changes():
    world = copy()
    seen: list[int] = []
    made = rig(world)
    made.real.script = lambda state, action: (seen.append(world.discarded), "done")[1]
    await made.act()
    assert seen == [1]


async def test_copies_are_thrown_away_when_thinking_fails_or_is_cancelled():
    class Boom(Exception): ...

    class Broken_:
        calls = 1

        async def __call__(self, *anything: Any) -> Sequence[Any]:
            raise Boom

    world = copy()
    with pytest.raises(Boom):
        await rig(world, search=Broken_()).act()
    assert world.discarded == 1

    class Slow(ScriptedCopy):
        async def discard(self) -> None:
            await anyio.lowlevel.checkpoint()
            await super().discard()

    world = Slow(script={"*": "imagined"})
    with anyio.CancelScope() as scope:

        async def cancelled(state: State, rollout: Rollout, /) -> Verdict:
            scope.cancel()
            await anyio.sleep_forever()
            raise AssertionError

        await rig(world, cancelled).act()
    assert world.discarded == 1


async def test_in_a_dry_run_copies_are_kept_because_they_are_what_goes_on():
    world = copy()
    await rig(world, mode="dry-run").act()
    assert world.discarded == 0


async def test_a_world_that_fails_is_not_asked_to_discard_what_it_never_copied():
    world = ScriptedWorld(script={"*": WorldError("down")})
    assert (await rig(world).answer()).decision.rule == "world.failed"


# How deep


@pytest.mark.parametrize(
    ("world", "record", "deep"),
    [
        (copy(), None, 3),
        (ScriptedWorld(script={"*": "ok"}), None, 1),
        (ScriptedWorld(script={"*": "ok"}), FixedRecord(bound=0.78), 2),
        (ScriptedWorld(script={"*": "ok"}), FixedRecord(bound=1.0), 3),
        (copy(), FixedRecord(bound=0.78, right=0.5, tries=9, world="copy"), 2),
    ],
)
async def test_a_line_looks_as_deep_as_the_record_of_its_world_allows(
    world: Environment, record: FixedRecord | None, deep: int
):
    made = rig(world, search=BestOf(2, 3), propose=ScriptedProposer([COPY]), record=record)
    await made.act()
    [done] = made.journal.calls()
    assert {len(one.rollout.steps) for one in done.decided.decision.considered} == {deep}


# Shadow mode


async def test_in_shadow_mode_nothing_is_held_up_and_the_world_is_compared_beside_it():
    made = rig(ScriptedWorld(script={"*": "done"}), ScriptedCritic(script={"*": DANGER}), mode="shadow")
    assert (await made.act()).content == "done"
    assert await anyio.to_thread.run_sync(made.line.shadow.settle, 5)
    [done] = made.journal.calls()
    assert (done.decided.decision.rule, done.decided.decision.choice) == ("shadow", "run")
    assert done.foreseen is not None
    assert (done.foreseen.decision.choice, done.foreseen.decision.rule) == ("veto", "files.lost")
    assert done.foreseen.agreement is not None
    assert (done.foreseen.agreement.agreed, done.foreseen.world, done.foreseen.tool) == (True, "scripted", "write")


async def test_in_shadow_mode_what_is_denied_runs_and_the_record_says_what_the_guard_would_have_done():
    made = rig(ScriptedWorld(script={"*": "done"}), mode="shadow", write="deny", approve=No())
    assert (await made.act()).content == "done"
    assert await anyio.to_thread.run_sync(made.line.shadow.settle, 5)
    [done] = made.journal.calls()
    assert done.foreseen is not None
    assert done.foreseen.decision.choice == "veto"


async def test_in_shadow_mode_a_copy_is_asked_before_reality_changes():
    world = copy()
    asked: list[int] = []
    made = rig(world, ScriptedCritic(script={"*": DANGER}), mode="shadow")
    made.real.script = lambda state, action: (asked.append(len(world.asked)), "done")[1]
    assert (await made.act()).content == "done"
    assert (asked, world.discarded) == ([1], 1)
    [done] = made.journal.calls()
    decision = done.decided.decision
    assert (decision.choice, decision.rule) == ("run", "shadow")
    assert decision.notes == ("the guard would veto (files.lost): one file is lost",)
    assert len(decision.considered) == 1
    assert decision.cost.calls == 1
    assert done.foreseen is None


async def test_in_shadow_mode_reads_are_not_imagined():
    for world in (copy(), ScriptedWorld(script={"*": "ok"})):
        made = rig(world, mode="shadow")
        await made.act(LOOK)
        assert made.line.shadow.settle(0)
        assert world.asked == []


async def test_in_shadow_mode_without_a_world_there_is_nothing_to_compare():
    made = rig(None, mode="shadow")
    assert (await made.act()).content == "done"
    assert made.line.shadow.settle(0)
    assert kinds(made.journal) == ["decided", "intended", "resulted"]


async def test_in_shadow_mode_an_act_that_failed_is_compared_and_one_that_was_cut_off_is_not():
    world = ScriptedWorld(script={"*": Observation(content="KeyError: 'gone'", failed=True)})
    made = rig(world, mode="shadow", real=RecordedCalls(script={"*": KeyError("gone")}))
    with pytest.raises(KeyError):
        await made.act()
    assert await anyio.to_thread.run_sync(made.line.shadow.settle, 5)
    assert made.journal.calls()[0].foreseen is not None
    made = rig(world, mode="shadow", real=cutting())
    with pytest.raises(Cut):
        await made.act()
    assert await anyio.to_thread.run_sync(made.line.shadow.settle, 5)
    assert made.journal.calls()[0].foreseen is None


async def test_in_shadow_mode_a_search_that_breaks_holds_nobody_up():
    class Broken_:
        calls = 1

        async def __call__(self, *anything: Any) -> Sequence[Any]:
            raise RuntimeError("bug")

    made = rig(ScriptedWorld(script={"*": "ok"}), mode="shadow", search=Broken_())
    assert (await made.act()).content == "done"
    assert await anyio.to_thread.run_sync(made.line.shadow.settle, 5)
    assert made.journal.calls()[0].foreseen is None


def test_a_line_cannot_be_altered_and_its_parts_are_named():
    line = rig().line
    with pytest.raises(dataclasses.FrozenInstanceError):
        line.mode = "off"  # type: ignore[misc]
    with pytest.raises(TypeError):
        Line(line.planner, line.guard, line.journal, line.meter, "r")  # type: ignore[misc]

import dataclasses
from typing import Any

import pytest

from lookahead.guard import Draft, Guard, Standing, at_once, hazards_of, new_id
from lookahead.planner import Outcome
from lookahead.policy import Policy, Rule, Ruling
from lookahead.search.thinking import NOT_MY_WORLD
from lookahead.testing import FixedRecord, call, state_of
from lookahead.types import (
    Action,
    Considered,
    Cost,
    Decision,
    Hazard,
    Kind,
    Observation,
    Origin,
    Rollout,
    Severity,
    Step,
    ToolEffect,
    Verdict,
)

STATE = state_of(reads=["look"], changes=["write", "copy"], destroys=["wipe"], unknown=["odd"])
MINE, RIVAL, OTHER = call("write", path="a"), call("copy", path="b"), call("copy", path="c")
LINE = '"write" = preview'

GOOD = FixedRecord(bound=0.7)
POOR = FixedRecord(bound=0.69)
DISPROVED = FixedRecord(bound=0.1, right=0.69, tries=5)


def hazard(severity: Severity, *, predicted: bool = True, rule: str = "files.lost", step: int = 0) -> Hazard:
    return Hazard(rule=rule, what=f"{rule} is {severity}", why="y", severity=severity, predicted=predicted, step=step)


def future(
    action: Action = MINE, *hazards: Hazard, kind: Kind | None = "exact", score: float = 0.5, failure: str = ""
) -> Considered:
    """A candidate whose first step was imagined by a world of this kind; None: it was not imagined."""
    said = Observation(content="ok", origin=Origin(kind=kind, world="scripted")) if kind else None
    steps = (Step(action=action, observation=said),) if said else ()
    return Considered(
        rollout=Rollout(action=action, steps=steps, failure=failure), verdict=Verdict(score=score, hazards=hazards)
    )


def ruling(rule: Rule = "preview", effect: ToolEffect = "changes", **more: Any) -> Ruling:
    return Ruling(rule=rule, line=f'"write" = {rule}', effect=effect, **more)


def decided(
    mine: Considered,
    *rivals: Considered,
    ruled: Ruling | None = None,
    record: FixedRecord | None = None,
    failure: str = "",
    **policy: Any,
) -> Decision:
    outcome = Outcome(considered=(*rivals, mine), proposed=mine, failure=failure, notes=("before",), cost=Cost(calls=2))
    guard = Guard(policy=Policy.read(policy, "the policy"), record=record)
    return guard.decide(STATE, mine.rollout.action, ruled or ruling(), outcome)


def said(decision: Decision) -> tuple[str, str, str]:
    return decision.choice, decision.rule, decision.reason


def runs(rule: str = "preview") -> tuple[str, str, str]:
    return "run", f'"write" = {rule}', "nothing speaks against it"


def asks(rule: str = "ask") -> tuple[str, str, str]:
    return "ask", f'"write" = {rule}', "the policy wants a person to look at this call"


# Who may decide, and who may only warn


CERTAIN: dict[str, tuple[Kind, bool, FixedRecord | None]] = {
    "an exact copy": ("exact", True, None),
    "an exact copy with a good record": ("exact", True, GOOD),
    "an exact copy that was wrong once of four": ("exact", True, FixedRecord(bound=0.0, right=0.0, tries=4)),
    "an exact copy that is mostly right": ("exact", True, FixedRecord(bound=0.0, right=0.9, tries=9)),
    "an exact copy that was right in seven of ten": ("exact", True, FixedRecord(bound=0.0, right=0.7, tries=10)),
    "an exact copy that was wrong about reading only": (
        "exact",
        True,
        FixedRecord(bound=0.0, right=0.0, tries=9, changed=False),
    ),
    "a model with a good record": ("model", True, GOOD),
    "a model with a good record of changes": ("model", True, FixedRecord(bound=0.9, changed=True)),
    "a recording with a good record": ("recorded", True, GOOD),
    "the text of the call, beside a model": ("model", False, None),
    "the text of the call, beside a disproved copy": ("exact", False, DISPROVED),
}
UNCERTAIN: dict[str, tuple[Kind, bool, FixedRecord | None]] = {
    "a model without a record": ("model", True, None),
    "a model with a poor record": ("model", True, POOR),
    "a model whose record is of another world": ("model", True, FixedRecord(bound=1.0, world="another")),
    "a model whose record is of reading only": ("model", True, FixedRecord(bound=1.0, changed=False)),
    "a recording without a record": ("recorded", True, None),
    "a copy that was disproved": ("exact", True, DISPROVED),
    "a copy that was disproved many times": ("exact", True, FixedRecord(bound=0.9, right=0.1, tries=5000)),
    "a copy that was disproved on changes": (
        "exact",
        True,
        FixedRecord(bound=0.9, right=0.1, tries=5, changed=True),
    ),
}
EVERYBODY = {**CERTAIN, **UNCERTAIN}


def judged(who: str, severity: Severity, rule: Rule = "preview", **more: Any) -> Decision:
    kind, predicted, record = EVERYBODY[who]
    return decided(
        future(MINE, hazard(severity, predicted=predicted), kind=kind), ruled=ruling(rule), record=record, **more
    )


@pytest.mark.parametrize("rule", ["preview", "allow", "ask"])
@pytest.mark.parametrize("who", CERTAIN)
def test_a_danger_seen_with_certainty_is_a_veto_whatever_else_the_policy_says(who: str, rule: Rule):
    decision = judged(who, "danger", rule)
    assert said(decision) == ("veto", "files.lost", "files.lost is danger")
    assert decision.chosen is None
    assert decision.notes == ("before",)


@pytest.mark.parametrize("who", UNCERTAIN)
def test_a_danger_seen_without_a_record_is_a_question(who: str):
    assert said(judged(who, "danger")) == ("ask", "files.lost", "files.lost is danger")
    assert said(judged(who, "danger", "allow")) == ("ask", "files.lost", "files.lost is danger")
    assert said(judged(who, "danger", "ask")) == asks()
    assert judged(who, "danger").chosen is None


@pytest.mark.parametrize("who", CERTAIN)
def test_a_caution_seen_with_certainty_is_a_question(who: str):
    assert said(judged(who, "caution")) == ("ask", "files.lost", "files.lost is caution")
    assert said(judged(who, "caution", "allow")) == ("ask", "files.lost", "files.lost is caution")
    assert said(judged(who, "caution", "ask")) == asks()
    assert judged(who, "caution").notes == ("before",)


@pytest.mark.parametrize("who", UNCERTAIN)
def test_a_caution_seen_without_a_record_is_a_warning(who: str):
    decision = judged(who, "caution")
    assert said(decision) == ("run", "files.lost", "files.lost is caution")
    assert decision.chosen == MINE
    assert decision.notes == ("before", "a world without a record warns: files.lost is caution")
    assert said(judged(who, "caution", "ask")) == asks()


@pytest.mark.parametrize("who", EVERYBODY)
def test_a_note_stops_nothing_and_says_why(who: str):
    assert said(judged(who, "note")) == ("run", "files.lost", "files.lost is note")
    assert said(judged(who, "note", "ask")) == asks()
    assert judged(who, "note").notes == ("before",)


@pytest.mark.parametrize("kind", ["exact", "recorded", "model"])
@pytest.mark.parametrize("record", [None, GOOD, POOR, DISPROVED])
def test_where_nothing_is_wrong_the_policy_alone_decides(kind: Kind, record: FixedRecord | None):
    assert said(decided(future(kind=kind), record=record)) == runs()
    assert said(decided(future(kind=kind), record=record, ruled=ruling("allow"))) == runs("allow")
    assert said(decided(future(kind=kind), record=record, ruled=ruling("ask"))) == asks()


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("mine", [future(), future(MINE, hazard("danger")), future(MINE, kind=None, failure="down")])
def test_what_the_policy_denies_is_a_veto_whatever_was_imagined(mine: Considered, swap: bool):
    decision = decided(mine, future(RIVAL, score=1.0), ruled=ruling("deny"), swap=swap)
    assert said(decision) == ("veto", '"write" = deny', "the policy forbids this call")
    assert decision.chosen is None


@pytest.mark.parametrize(("effect", "choice"), [("reads", "run"), ("unknown", "veto"), ("destroys", "veto")])
def test_a_record_of_changes_speaks_for_all_but_reading(effect: ToolEffect, choice: str):
    record = FixedRecord(bound=0.9, changed=True)
    mine = future(MINE, hazard("danger"), kind="model")
    assert decided(mine, record=record, ruled=ruling(effect=effect)).choice == ("ask" if choice == "run" else "veto")


def test_how_good_a_record_must_be_is_the_users_to_say():
    mine = future(MINE, hazard("danger"), kind="model")
    assert decided(mine, record=GOOD, trust={"veto": 0.71}).choice == "ask"
    assert decided(mine, record=POOR, trust={"veto": 0.69}).choice == "veto"
    disproved = FixedRecord(bound=0.0, right=0.6, tries=5)
    exact = future(MINE, hazard("danger"), kind="exact")
    assert decided(exact, record=disproved, trust={"veto": 0.6}).choice == "veto"
    assert decided(exact, record=disproved, trust={"veto": 0.61}).choice == "ask"


# Which hazard counts


def test_the_worst_hazard_decides_and_of_equals_the_first():
    hazards = [
        hazard("note", rule="n"),
        hazard("caution", rule="c"),
        hazard("danger", rule="d"),
        hazard("danger", rule="e"),
    ]
    assert said(decided(future(MINE, *hazards)))[:2] == ("veto", "d")
    assert said(decided(future(MINE, *hazards[:2])))[:2] == ("ask", "c")
    assert said(decided(future(MINE, hazard("note", rule="m"), hazards[0])))[:2] == ("run", "m")


def test_the_record_is_not_asked_where_it_decides_nothing():
    class Asked:
        def standing(self, tool: str, world: str, /) -> Standing:
            raise AssertionError("it was asked")

    notes = future(MINE, hazard("note", rule="n"), hazard("note", rule="m"))
    assert said(decided(notes, record=Asked()))[:2] == ("run", "n")


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(("severity", "choice"), [("danger", "veto"), ("caution", "ask")])
def test_a_warning_of_a_model_does_not_hide_what_the_text_of_the_call_says(severity: Severity, choice: str, order: int):
    hazards = [hazard(severity, rule="imagined"), hazard(severity, rule="text", predicted=False)][::order]
    decision = decided(future(MINE, *hazards, kind="model"))
    assert said(decision)[:2] == (choice, "text")


def test_what_may_happen_later_is_judged_when_it_is_about_to_happen():
    later = hazard("danger", step=1)
    assert said(decided(future(MINE, later))) == runs()
    assert said(decided(future(MINE, later, hazard("caution", rule="c"))))[:2] == ("ask", "c")


# When nothing could be seen


FAILED = future(MINE, kind=None, failure="the world is down")


@pytest.mark.parametrize("effect", ["changes", "destroys", "unknown"])
@pytest.mark.parametrize("rule", ["preview", "allow"])
@pytest.mark.parametrize("on_failure", [None, "hold"])
def test_a_call_that_could_not_be_previewed_is_held(effect: ToolEffect, rule: Rule, on_failure: Any):
    decision = decided(FAILED, failure="the world is down", ruled=ruling(rule, effect, on_failure=on_failure))
    assert said(decision) == ("ask", "world.failed", "it could not be previewed: the world is down")
    assert decision.chosen is None


@pytest.mark.parametrize("effect", ["changes", "destroys", "unknown", "reads"])
def test_a_call_that_could_not_be_previewed_runs_where_the_user_says_so(effect: ToolEffect):
    decision = decided(FAILED, failure="the world is down", ruled=ruling(effect=effect, on_failure="run"))
    assert said(decision) == runs()
    assert decision.chosen == MINE


def test_a_call_that_only_reads_runs_although_it_could_not_be_previewed():
    assert said(decided(FAILED, failure="the world is down", ruled=ruling(effect="reads"))) == runs()
    held = ruling(effect="reads", on_failure="hold")
    assert said(decided(FAILED, failure="the world is down", ruled=held))[:2] == ("ask", "world.failed")


@pytest.mark.parametrize("on_failure", [None, "hold", "run"])
def test_the_text_of_a_call_still_speaks_when_the_world_failed(on_failure: Any):
    ruled = ruling(on_failure=on_failure)
    for severity, choice in (("danger", "veto"), ("caution", "ask")):
        mine = future(MINE, hazard(severity, predicted=False), kind=None, failure="down")
        assert said(decided(mine, failure="down", ruled=ruled)) == (choice, "files.lost", f"files.lost is {severity}")
    note = future(MINE, hazard("note", predicted=False), kind=None, failure="down")
    assert decided(note, failure="down", ruled=ruled).rule == ("files.lost" if on_failure == "run" else "world.failed")


def test_the_policys_question_comes_before_the_failure():
    assert said(decided(FAILED, failure="down", ruled=ruling("ask"))) == asks()


@pytest.mark.parametrize("effect", ["reads", "changes", "destroys"])
@pytest.mark.parametrize("on_failure", [None, "run"])
def test_a_call_that_could_not_be_judged_at_all_is_held_even_where_failures_may_run(
    effect: ToolEffect, on_failure: Any
):
    unjudged = Considered(rollout=future().rollout)
    ruled = ruling(effect=effect, on_failure=on_failure)
    assert said(decided(unjudged, ruled=ruled)) == (
        "ask",
        "world.failed",
        "it could not be previewed: the rules could not be read",
    )
    assert said(decided(unjudged, ruled=ruled, failure="judging 'write': no"))[2] == (
        "it could not be previewed: judging 'write': no"
    )


@pytest.mark.parametrize(
    ("effect", "choice"), [("changes", "run"), ("unknown", "run"), ("reads", "run"), ("destroys", "ask")]
)
def test_where_no_world_knows_the_call_only_what_destroys_is_held(effect: ToolEffect, choice: str):
    mine = future(MINE, kind=None, failure=NOT_MY_WORLD)
    expected = ("ask", "world.none", "it destroys, and no world here can show what") if choice == "ask" else runs()
    assert said(decided(mine, ruled=ruling(effect=effect))) == expected
    assert said(decided(mine, ruled=ruling("allow", effect)))[0] == choice
    assert said(decided(mine, ruled=ruling(effect=effect, on_failure="run")))[0] == choice


def test_what_destroys_and_was_imagined_without_a_hazard_runs():
    assert said(decided(future(), ruled=ruling(effect="destroys"))) == runs()


@pytest.mark.parametrize("hazards", [(hazard("note", predicted=False),), (hazard("danger", step=1),)])
def test_nothing_but_a_hazard_of_this_very_call_stands_for_a_look_at_what_is_destroyed(hazards: tuple[Hazard, ...]):
    mine = future(MINE, *hazards, kind=None, failure=NOT_MY_WORLD)
    assert said(decided(mine, ruled=ruling(effect="destroys")))[:2] == ("ask", "world.none")


def test_what_destroys_unseen_is_decided_by_what_its_text_says():
    mine = future(MINE, hazard("danger", predicted=False), kind=None, failure=NOT_MY_WORLD)
    assert said(decided(mine, ruled=ruling(effect="destroys")))[:2] == ("veto", "files.lost")
    mine = future(MINE, hazard("caution", predicted=True), kind=None, failure=NOT_MY_WORLD)
    assert said(decided(mine, ruled=ruling(effect="destroys")))[:2] == ("ask", "files.lost")


# Doing something else in its place


BAD = future(MINE, hazard("danger"), score=0.9)
BETTER = future(RIVAL, score=0.8)


def test_nothing_is_swapped_unless_the_user_wants_it():
    assert decided(BAD, BETTER).choice == "veto"
    assert decided(future(), BETTER).choice == "run"
    assert decided(FAILED, BETTER, failure="down").choice == "ask"


SWAPPED = {
    "a danger": (BAD, {}, 0.9),
    "a caution": (future(MINE, hazard("caution"), score=0.9), {}, 0.9),
    "a danger that a model warns of": (future(MINE, hazard("danger"), kind="model", score=0.9), {}, 0.9),
    "a caution that a model warns of": (future(MINE, hazard("caution"), kind="model", score=0.9), {}, 0.9),
    "a lower score": (future(score=0.79), {}, 0.79),
    "a lower score with a note": (future(MINE, hazard("note"), score=0.2), {}, 0.2),
}


@pytest.mark.parametrize("why", SWAPPED)
def test_a_better_rival_takes_the_place_of(why: str):
    mine, more, score = SWAPPED[why]
    decision = decided(mine, BETTER, swap=True, **more)
    assert said(decision) == ("swap", "swap", f"copy promises better: 0.80 against {score:.2f}")
    assert (decision.proposed, decision.chosen) == (MINE, RIVAL)


def test_a_rival_that_could_be_seen_takes_the_place_of_one_that_could_not():
    decision = decided(future(MINE, kind=None, score=0.3, failure="down"), BETTER, failure="down", swap=True)
    assert said(decision) == ("swap", "swap", "copy promises better: 0.80 against 0.30")
    none = future(MINE, kind=None, score=0.3, failure=NOT_MY_WORLD)
    assert decided(none, BETTER, ruled=ruling(effect="destroys"), swap=True).choice == "swap"
    unjudged = Considered(rollout=Rollout(action=MINE))
    assert said(decided(unjudged, BETTER, swap=True)) == (
        "swap",
        "swap",
        "copy promises better: 0.80 against what could not be judged",
    )


@pytest.mark.parametrize("score", [0.5, 0.49, 0.0])
def test_a_rival_that_is_not_strictly_better_changes_nothing(score: float):
    assert said(decided(future(), future(RIVAL, score=score), swap=True)) == runs()
    noted = future(MINE, hazard("note"), score=0.5)
    assert said(decided(noted, future(RIVAL, score=score), swap=True))[0] == "run"


def test_a_call_that_a_person_shall_see_is_not_swapped_away():
    assert said(decided(future(), BETTER, ruled=ruling("ask"), swap=True)) == asks()
    caution = future(MINE, hazard("caution"))
    assert said(decided(caution, BETTER, ruled=ruling("ask"), swap=True)) == asks()


UNFIT: dict[str, tuple[Considered, dict[str, Any]]] = {
    "its own policy denies it": (BETTER, {"copy": "deny"}),
    "its own policy asks": (BETTER, {"copy": "ask"}),
    "a condition on its arguments asks": (
        BETTER,
        {"copy": {"when": [{"argument": "path", "rule": "ask", "equals": "b"}]}},
    ),
    "it was not imagined": (future(RIVAL, kind=None, score=1.0, failure="down"), {}),
    "it was not judged": (Considered(rollout=BETTER.rollout), {}),
    "it is dangerous": (future(RIVAL, hazard("danger"), score=1.0), {}),
    "it calls for caution": (future(RIVAL, hazard("caution"), score=1.0), {}),
    "its text calls for caution": (future(RIVAL, hazard("caution", predicted=False), score=1.0), {}),
    "a model without a record praises it": (future(RIVAL, kind="model", score=1.0), {}),
    "a recording without a record praises it": (future(RIVAL, kind="recorded", score=1.0), {}),
    "it is not one of the agent's tools": (future(call("foreign"), score=1.0), {}),
}


@pytest.mark.parametrize("why", UNFIT)
def test_a_rival_is_not_taken_when(why: str):
    rival, policy = UNFIT[why]
    assert said(decided(BAD, rival, swap=True, **policy)) == ("veto", "files.lost", "files.lost is danger")
    assert said(decided(future(score=0.1), rival, swap=True, **policy)) == runs()
    # The next best rival is taken in its place.
    good = future(call("odd", path="c"), score=0.7)
    assert decided(BAD, rival, good, swap=True, **policy).chosen == good.rollout.action


def test_a_rival_may_have_notes_and_hazards_that_lie_further_ahead():
    rival = future(RIVAL, hazard("note"), hazard("danger", step=1), score=0.8)
    assert decided(BAD, rival, swap=True).chosen == RIVAL


def test_an_agent_whose_tools_nobody_listed_may_be_swapped_to_any_tool():
    mine, rival = future(MINE, hazard("danger")), future(call("foreign"), score=1.0)
    outcome = Outcome(considered=(rival, mine), proposed=mine)
    decision = Guard(policy=Policy(swap=True)).decide(state_of(), MINE, ruling(), outcome)
    assert decision.chosen == call("foreign")


@pytest.mark.parametrize(
    ("kind", "record", "swapped"),
    [
        ("model", FixedRecord(bound=0.8), True),
        ("model", FixedRecord(bound=0.79), False),
        ("model", FixedRecord(bound=0.8, changed=True), True),
        ("model", FixedRecord(bound=0.8, changed=False), False),
        ("recorded", FixedRecord(bound=0.8), True),
        ("exact", FixedRecord(bound=0.0), True),
        ("exact", FixedRecord(bound=0.0, right=0.0, tries=4), True),
        ("exact", DISPROVED, False),
        ("exact", FixedRecord(bound=0.9, right=0.1, tries=5, changed=False), True),
    ],
)
def test_to_swap_takes_a_better_record_than_to_veto(kind: Kind, record: FixedRecord, swapped: bool):
    mine = future(MINE, hazard("danger", predicted=False), kind=None, failure=NOT_MY_WORLD)
    decision = decided(mine, future(RIVAL, kind=kind, score=1.0), swap=True, record=record)
    assert decision.choice == ("swap" if swapped else "veto")


@pytest.mark.parametrize(
    ("tool", "changed", "swapped"),
    [
        ("look", True, False),
        ("look", False, True),
        *((tool, changed, changed) for tool in ("copy", "wipe", "odd") for changed in (True, False)),
    ],
)
def test_the_record_that_counts_for_a_rival_is_that_of_its_own_effect(tool: str, changed: bool, swapped: bool):
    rival = future(call(tool), kind="model", score=1.0)
    decision = decided(future(), rival, swap=True, record=FixedRecord(bound=0.9, changed=changed))
    assert decision.choice == ("swap" if swapped else "run")


def test_how_good_a_record_must_be_to_swap_is_the_users_to_say():
    rival = future(RIVAL, kind="model", score=1.0)
    assert decided(future(), rival, swap=True, record=POOR, trust={"swap": 0.69}).choice == "swap"
    assert decided(future(), rival, swap=True, record=POOR, trust={"swap": 0.7}).choice == "run"


def test_of_several_rivals_the_first_that_may_be_taken_is_taken():
    one, two = future(RIVAL, score=0.8), future(OTHER, score=0.7)
    assert decided(BAD, one, two, swap=True).chosen == RIVAL
    assert decided(BAD, two, one, swap=True).chosen == OTHER


def test_an_action_is_no_rival_of_its_own():
    mine = future(MINE, hazard("danger", step=1), score=0.9)
    assert said(decided(mine, future(RIVAL, score=0.1, kind="model"), swap=True)) == runs()


# What a decision holds


def test_a_decision_says_what_it_was_made_from():
    mine, rival = future(), future(RIVAL, score=0.1)
    decision = decided(mine, rival)
    assert decision.proposed == decision.chosen == MINE
    assert decision.considered == (rival, mine)
    assert decision.state == STATE.digest
    assert decision.cost == Cost(calls=2)
    assert decision.notes == ("before",)


def test_a_warning_is_told_even_when_the_decision_is_another_one():
    warned = future(MINE, hazard("caution"), kind="model", score=0.1)
    decision = decided(warned, BETTER, swap=True)
    assert decision.choice == "swap"
    assert decision.notes == ("before", "a world without a record warns: files.lost is caution")


def test_every_decision_has_a_name_of_its_own_short_enough_to_type():
    names = {new_id() for _ in range(100)} | {decided(future()).id for _ in range(10)}
    assert len(names) == 110
    assert all(len(name) == 16 and set(name) <= set("0123456789abcdef") for name in names)


@pytest.mark.parametrize(("choice", "chosen"), [("run", MINE), ("veto", None), ("ask", None)])
def test_a_decision_that_needed_no_imagination_holds_none(choice: Any, chosen: Action | None):
    decision = at_once(STATE, MINE, choice, "the rule", "the reason")
    assert decision == Decision(
        id=decision.id,
        proposed=MINE,
        choice=choice,
        chosen=chosen,
        rule="the rule",
        reason="the reason",
        state=STATE.digest,
    )
    assert decision.id != at_once(STATE, MINE, choice, "", "").id


def test_the_hazards_of_a_decision_are_those_of_the_proposed_action_worst_first():
    hazards = [hazard(severity, rule=rule) for severity, rule in (("note", "a"), ("danger", "b"), ("caution", "c"))]  # type: ignore[arg-type]
    more = hazard("danger", rule="d")
    decision = decided(future(MINE, *hazards, more), future(RIVAL, hazard("danger", rule="theirs")))
    assert [one.rule for one in hazards_of(decision)] == ["b", "d", "c", "a"]


def test_a_decision_without_a_verdict_has_no_hazards():
    assert hazards_of(at_once(STATE, MINE, "run", "", "")) == ()
    assert hazards_of(decided(Considered(rollout=Rollout(action=MINE)))) == ()
    assert list(hazards_of(decided(future(), future(RIVAL, hazard("danger"))))) == []


def test_a_guard_and_a_draft_cannot_be_altered_and_their_parts_are_named():
    guard = Guard(policy=Policy())
    draft = Draft(state=STATE, action=MINE, outcome=Outcome(considered=(), proposed=future()))
    for value, name in ((guard, "policy"), (draft, "action")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, name, None)
    with pytest.raises(TypeError):
        Guard(Policy())  # type: ignore[misc]
    with pytest.raises(TypeError):
        Draft(STATE, MINE, draft.outcome)  # type: ignore[misc]


# How deep to look


def depth(
    record: FixedRecord | None, *, effect: ToolEffect = "changes", exact: bool = False, **trust: float
) -> int | None:
    guard = Guard(policy=Policy.read({"trust": trust}, "the policy"), record=record)
    return guard.depth("write", effect, "scripted", exact=exact)


@pytest.mark.parametrize(
    ("bound", "deep"),
    [(0.0, 1), (0.7, 1), (0.78, 2), (0.9, 4), (0.95, 9), (0.97, 16), (1.0, 16)],
)
def test_the_better_the_record_the_deeper_the_look(bound: float, deep: int):
    # 0.78² = 0.608; 0.9⁴ = 0.656 and 0.9⁵ = 0.59; 0.95⁹ = 0.63 and 0.95¹⁰ = 0.599; 0.97¹⁶ = 0.614.
    assert depth(FixedRecord(bound=bound)) == deep


def test_without_a_record_a_model_looks_one_step_ahead_and_a_copy_as_deep_as_wanted():
    assert depth(None) == 1
    assert depth(None, exact=True) is None


def test_a_depth_that_is_just_good_enough_is_good_enough():
    assert depth(FixedRecord(bound=0.5), depth=0.25) == 2
    assert depth(FixedRecord(bound=0.5), depth=0.26) == 1
    assert depth(FixedRecord(bound=0.5), depth=0.125) == 3


@pytest.mark.parametrize(
    ("changed", "effect", "deep"),
    [
        (True, "changes", 4),
        (True, "destroys", 4),
        (True, "unknown", 4),
        (True, "reads", 1),
        (False, "changes", 1),
        (False, "reads", 4),
    ],
)
def test_the_depth_follows_from_the_record_of_such_calls(changed: bool, effect: ToolEffect, deep: int):
    assert depth(FixedRecord(bound=0.9, changed=changed), effect=effect) == deep


def test_a_copy_that_was_disproved_looks_as_deep_as_its_record_allows():
    assert depth(FixedRecord(bound=0.9, right=0.69, tries=5), exact=True) == 4
    assert depth(FixedRecord(bound=0.9, right=0.69, tries=4), exact=True) is None
    assert depth(FixedRecord(bound=0.9, right=0.7, tries=5), exact=True) is None
    wrong_on_reads = FixedRecord(bound=0.9, right=0.1, tries=5, changed=False)
    assert depth(wrong_on_reads, exact=True) is None
    assert depth(wrong_on_reads, exact=True, effect="reads") == 4


@pytest.mark.parametrize("how", [*CERTAIN, *UNCERTAIN])
def test_what_a_language_model_thinks_of_a_future_asks_or_is_told_and_never_refuses(how: str):
    """However good the record of the world is that foretold it: the opinion is another one's."""
    kind, _, record = {**CERTAIN, **UNCERTAIN}[how]
    danger = decided(future(MINE, hazard("danger", rule="model.data-loss"), kind=kind), record=record)
    assert danger.choice == "ask"
    caution = decided(future(MINE, hazard("caution", rule="model.data-loss"), kind=kind), record=record)
    assert caution.choice == "run"
    assert any("model.data-loss" in note for note in caution.notes)

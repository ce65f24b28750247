"""How a call can be allowed once, from where the user stands, and what is said when an earlier yes does not hold."""

import pytest

from lookahead.refusal import OVERTAKEN, first_imagined, how, prompt, refusal
from lookahead.settings import JOURNAL
from lookahead.testing import call
from lookahead.types import Choice, Considered, Decision, Effect, Hazard, Observation, Origin, Rollout, Step, Verdict

WRITE, COPY = call("write", path="a"), call("copy", path="b")
DANGER = Hazard(rule="files.lost", what="it is lost", why="nowhere else", severity="danger")


def future(action=WRITE, *hazards: Hazard, content: str = "ok", effects: tuple[Effect, ...] = ()) -> Considered:
    said = Observation(content=content, effects=effects, origin=Origin(kind="exact", world="copy"))
    return Considered(
        rollout=Rollout(action=action, steps=(Step(action=action, observation=said),)),
        verdict=Verdict(score=0.1, hazards=hazards),
    )


def decision(
    *considered: Considered, choice: Choice = "veto", rule: str = "files.lost", notes: tuple[str, ...] = ()
) -> Decision:
    return Decision(
        id="c1", proposed=WRITE, considered=considered, choice=choice, rule=rule, reason="the reason", notes=notes
    )


APPROVE = "lookahead journal approve --journal /elsewhere/j.db c1, then call it again unchanged"
NOBODY = "only a change of the policy allows it"
MEMORY = "give with_lookahead(approve=…): a journal in memory cannot be reached by a command"


@pytest.mark.parametrize(
    ("made", "on_disk", "in_memory"),
    [
        (decision(future()), APPROVE, MEMORY),
        (decision(future(), choice="ask"), APPROVE, MEMORY),
        (decision(choice="ask"), APPROVE, MEMORY),
        (decision(), NOBODY, NOBODY),
        (
            decision(rule="doubt:d9"),
            "lookahead journal resolve --journal /elsewhere/j.db d9, once you know whether it happened",
            MEMORY,
        ),
    ],
    ids=["seen", "asked and seen", "asked", "forbidden", "in doubt"],
)
def test_how_to_allow_a_call_depends_on_where_the_journal_is(made: Decision, on_disk: str, in_memory: str):
    assert how(made, "/elsewhere/j.db", dry_run=False) == on_disk
    assert how(made, ":memory:", dry_run=False) == in_memory
    assert how(made, JOURNAL, dry_run=False) == on_disk.replace(" --journal /elsewhere/j.db", "")


def test_in_a_dry_run_there_is_nothing_to_allow():
    assert how(decision(future()), ":memory:", dry_run=True) == "nothing: in a dry run no real call is made"


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("files.lost", ""),
        ("swap", ""),
        ("changed", "; and the reason"),
        ("world.failed", "; and the reason"),
        ("world.none", "; and the reason"),
        ('"write" = ask', '; and the policy: "write" = ask'),
    ],
)
def test_why_it_was_asked_is_said_beside_the_hazard_where_that_is_not_the_hazard(rule: str, said: str):
    lines = refusal(decision(future(WRITE, DANGER), choice="ask", rule=rule)).splitlines()
    assert lines[2] == f"why: nowhere else [files.lost]{said}"


def test_of_a_yes_that_does_not_hold_the_first_note_is_told_and_no_other_note():
    notes = ("something else", f"{OVERTAKEN}: ada allowed it, but", f"{OVERTAKEN}: bob allowed it, but")
    made = decision(future(), choice="ask", notes=notes)
    assert refusal(made).splitlines()[-1].endswith(f"unchanged ({OVERTAKEN}: ada allowed it, but)")
    assert prompt(made).splitlines()[2] == f"  {OVERTAKEN}: ada allowed it, but"
    assert "something else" not in refusal(made) + prompt(made)
    assert "bob" not in refusal(made) + prompt(made)


def test_a_question_shows_twelve_effects_and_counts_the_rest():
    effects = tuple(Effect(happened="created", target=f"f{n}") for n in range(20))
    shown = prompt(decision(future(effects=effects), choice="ask"))
    assert shown.count("+ created f") == 12
    assert "8 more" in shown


def test_what_was_imagined_of_an_action_is_found_by_what_it_is():
    made = decision(future(COPY, content="the copy's"), future(content="mine"))
    for action, content in ((WRITE, "mine"), (COPY, "the copy's")):
        found = first_imagined(made, action.model_copy(update={"call_id": "another"}))
        assert found is not None
        assert found.content == content
    assert first_imagined(made, call("write", path="other")) is None
    assert first_imagined(decision(Considered(rollout=Rollout(action=WRITE))), WRITE) is None


def test_what_was_imagined_of_this_very_action_needs_no_digest():
    made = decision(future(content="mine"))
    found = first_imagined(made, made.considered[0].rollout.action)
    assert found is not None
    assert found.content == "mine"

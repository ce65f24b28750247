"""What the session made itself is its own to change; what was there before is the user's, whoever touched it since."""

import pytest

from lookahead.critics import RuleCritic
from lookahead.types import REAL, Action, Effect, Observation, Origin, Rollout, State, Step, Verdict

EXACT = Origin(kind="exact", world="fork")
critic = RuleCritic(root="/home/me/project")


def file(happened: str, target: str, before: int | None = None, after: int | None = None, **more) -> Effect:
    named = {"what": "file", "unit": "bytes", "recoverable": False if before else None, **more}
    return Effect(happened=happened, target=target, before=before, after=after, **named)


def step(*effects: Effect, origin: Origin = REAL, tool: str = "write_file") -> Step:
    return Step(action=Action(tool=tool), observation=Observation(effects=effects, origin=origin))


def judged(*effects: Effect, after: tuple[Step, ...], tool: str = "write_file") -> Verdict:
    action = Action(tool=tool, arguments={"command": "./x"} if tool == "bash" else {})
    now = Step(action=action, observation=Observation(effects=effects, origin=EXACT))
    return critic.judge(State(steps=after), Rollout(action=action, steps=(now,)))


def worst(verdict: Verdict) -> str:
    return verdict.worst.severity if verdict.worst else "nothing"


MADE = step(file("created", "gen.py", after=90))
DELETES, REWRITES = file("deleted", "gen.py", 90), file("changed", "gen.py", 90, 4)


@pytest.mark.parametrize("tool", ["bash", "write_file"])
@pytest.mark.parametrize("effect", [DELETES, REWRITES, file("deleted", "/home/me/project/./gen.py", 90)])
def test_the_session_may_change_and_delete_what_it_made_itself(effect: Effect, tool: str):
    assert worst(judged(effect, after=(), tool=tool)) == "danger"
    assert worst(judged(effect, after=(MADE,), tool=tool)) == "note"


def test_it_may_do_so_again_and_again():
    again = (MADE, step(file("changed", "gen.py", 90, 20)), step(file("changed", "gen.py", 20, 70)))
    assert worst(judged(file("deleted", "gen.py", 70), after=again)) == "note"
    gone = (MADE, step(DELETES), step(file("created", "gen.py", after=70)))
    assert worst(judged(file("changed", "gen.py", 70, 0), after=gone)) == "note"


def test_a_file_that_somebody_else_changed_since_is_not_its_own_any_more():
    assert worst(judged(file("deleted", "gen.py", 4000), after=(MADE,))) == "danger"
    edited = (MADE, step(file("changed", "gen.py", 4000, 4010)))
    assert worst(judged(file("deleted", "gen.py", 4010), after=edited)) == "danger"


def test_what_the_user_had_before_stays_the_users_however_often_the_session_changed_it():
    changed = (step(file("changed", "thesis.md", 900, 950)),)
    assert worst(judged(file("deleted", "thesis.md", 950), after=changed)) == "danger"
    back = (step(file("deleted", "thesis.md", 900)), step(file("created", "thesis.md", after=900)))
    assert worst(judged(file("deleted", "thesis.md", 900), after=back)) == "danger"


def test_what_was_only_moved_or_copied_aside_is_still_the_users():
    moved = (step(file("deleted", "thesis.md", 900), file("created", "old.md", after=900)),)
    assert worst(judged(file("deleted", "old.md", 900), after=moved)) == "danger"
    grown = (step(file("deleted", "thesis.md", 900), file("created", "old.md", after=905)),)
    assert worst(judged(file("deleted", "old.md", 905), after=grown)) == "danger"
    copied = (step(file("created", "copy.md", after=900)), step(file("deleted", "thesis.md", 900)))
    assert worst(judged(file("deleted", "copy.md", 900), after=copied)) == "danger"
    emptied = (step(file("created", "copy.md", after=900), file("changed", "thesis.md", 900, 0)),)
    assert worst(judged(file("deleted", "copy.md", 900), after=emptied)) == "danger"


def test_what_comes_back_out_of_the_stash_is_the_users():
    popped = (step(file("created", "draft.md", after=70), file("deleted", ".git/refs/stash", 41)),)
    assert worst(judged(file("deleted", "draft.md", 70), after=popped)) == "danger"


def test_a_folder_that_the_session_made_goes_with_what_it_put_there_and_not_with_more():
    folder = Effect(happened="created", target="gen", what="directory")
    made = (step(folder, file("created", "gen/a.md", after=70)),)
    gone = Effect(happened="deleted", target="gen", what="directory")
    assert worst(judged(gone, file("deleted", "gen/a.md", 70), after=made)) == "note"
    assert worst(judged(gone, file("deleted", "gen/b.md", 70), after=made)) == "danger"


def test_what_was_only_imagined_by_a_model_makes_nothing_its_own():
    dreamt = step(file("created", "gen.py", after=90), origin=Origin(kind="model", world="dream"))
    assert worst(judged(DELETES, after=(dreamt,))) == "danger"
    copied = step(file("created", "gen.py", after=90), origin=EXACT)
    assert worst(judged(DELETES, after=(copied,))) == "note"


def test_its_own_file_may_still_not_be_opened_to_everybody():
    looser = file("changed", "gen.py", 90, 90, detail="mode 0644 to 0666")
    assert worst(judged(looser, after=(MADE,))) == "caution"


def test_a_committed_file_that_the_session_rewrote_may_be_rewritten_again():
    first = file("changed", "main.py", 90, 90, recoverable=True, detail="@@ -1 +1 @@\n-print(1)\n+print(2)")
    assert worst(judged(file("changed", "main.py", 90, 0), after=(step(first),))) == "note"
    longer = file("changed", "main.py", 90, 95, recoverable=True, detail="@@ -3 +3 @@\n-end\n+ending")
    assert worst(judged(file("changed", "main.py", 95, 0), after=(step(longer),))) == "danger"
    appended = file("changed", "main.py", 90, 99, recoverable=True, detail="@@ -3,0 +4 @@\n+more")
    assert worst(judged(file("changed", "main.py", 99, 0), after=(step(appended),))) == "danger"

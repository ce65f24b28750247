"""Git's own files change whenever git works: that is no loss, unless somebody else does it or takes them away."""

import pytest

from lookahead.critics import RuleCritic
from lookahead.types import Action, Effect, Observation, Origin, Rollout, State, Step, Verdict

EXACT = Origin(kind="exact", world="fork")
critic = RuleCritic(root="/home/me/project")


def file(happened: str, target: str, before: int | None = None, after: int | None = None, **more) -> Effect:
    return Effect(happened=happened, target=target, what="file", before=before, after=after, unit="bytes", **more)


def judged(text: str, *effects: Effect, tool: str = "bash", argument: str = "command") -> Verdict:
    action = Action(tool=tool, arguments={argument: text})
    step = Step(action=action, observation=Observation(effects=effects, origin=EXACT))
    return critic.judge(State(), Rollout(action=action, steps=(step,)))


def severities(verdict: Verdict) -> set[str]:
    return {hazard.severity for hazard in verdict.hazards}


COMMIT = (
    file("changed", ".git/refs/heads/master", 41, 41, detail="@@ -1 +1 @@\n-" + "a" * 40 + "\n+" + "b" * 40),
    file("changed", ".git/index", 400, 137),
    file("changed", ".git/COMMIT_EDITMSG", 60, 5),
    file("changed", ".git/logs/HEAD", 160, 320),
    file("created", ".git/objects/ab/cdef", after=90),
    file("changed", ".git/HEAD", 23, 21, detail="@@ -1 +1 @@\n-ref: refs/heads/master\n+ref: refs/heads/feat"),
    file("deleted", ".git/refs/heads/old", 41),
    file("changed", ".git/ORIG_HEAD", 41, 41, detail="@@ -1 +1 @@\n-" + "a" * 40 + "\n+" + "c" * 40),
)


@pytest.mark.parametrize(
    "text",
    ["git commit -qm util", "git add .gitignore && git commit -m x", "git checkout -b feat", "cd sub; git switch main"],
)
def test_what_git_writes_in_its_own_folder_is_not_worth_a_word(text: str):
    assert severities(judged(text, *COMMIT)) <= {"note"}
    assert not any(".git" in hazard.what for hazard in judged(text, *COMMIT).hazards)


def test_a_tool_of_git_and_python_that_calls_git_are_git_too():
    assert severities(judged("x", *COMMIT, tool="git_commit", argument="message")) == set()
    code = "import subprocess\nsubprocess.run(['git', 'commit', '-m', 'x'])"
    assert not any(".git" in h.what for h in judged(code, *COMMIT, tool="run_python", argument="code").hazards)


@pytest.mark.parametrize("text", ["./spoil", "git status; echo x > .git/refs/heads/master", "rm -f docs/git"])
def test_the_same_by_another_program_stays_a_danger(text: str):
    assert "danger" in severities(judged(text, COMMIT[0]))


def test_a_name_that_moved_while_its_log_grew_is_not_lost_whoever_moved_it():
    log = file("changed", ".git/logs/refs/heads/master", 100, 240)
    assert "danger" not in severities(judged("./release.sh", COMMIT[0], log))


def test_the_folder_of_git_itself_is_never_bookkeeping():
    gone = (file("deleted", ".git/HEAD", 23), file("deleted", ".git/refs/heads/master", 41))
    assert "danger" in severities(judged("git status; rm -rf .g*t", *gone))


def test_what_git_does_to_the_work_itself_is_judged_as_before():
    lost = file("changed", "thesis.md", 900, 850, recoverable=False)
    assert "danger" in severities(judged("git checkout -- thesis.md", lost, COMMIT[1]))
    assert "danger" in severities(judged("git push --force origin main"))
    hook = file("created", ".git/hooks/pre-commit", after=10)
    assert "caution" in severities(judged("git config core.hooksPath x; cp a b", hook))

"""What stands in /tmp may be anybody's: only what the session put there is its own."""

import pytest

from lookahead.critics import RuleCritic
from lookahead.types import REAL, Action, Effect, Observation, Origin, Rollout, State, Step

critic = RuleCritic(root="/home/me/project")


def worst(text: str, *effects: Effect, after: tuple[Step, ...] = (), exact: bool = True) -> str:
    action = Action(tool="bash", arguments={"command": text})
    seen = Observation(effects=effects, origin=Origin(kind="exact", world="fork:directory"))
    steps = (Step(action=action, observation=seen),) if exact else ()
    hazard = critic.judge(State(steps=after), Rollout(action=action, steps=steps)).worst
    return hazard.severity if hazard else "nothing"


def file(happened: str, target: str, before: int | None = None, after: int | None = None) -> Effect:
    return Effect(happened=happened, target=target, what="file", before=before, after=after, unit="bytes")


def made(*effects: Effect) -> tuple[Step, ...]:
    return (Step(action=Action(tool="x"), observation=Observation(effects=effects, origin=REAL)),)


@pytest.mark.parametrize(
    "text",
    [
        "rm /tmp/thesis.md",
        "rm -rf /tmp/colleague",
        "mv /tmp/thesis.md .",
        "find /var/tmp/data -delete",
        "rm /tmp/a/../b",
    ],
)
@pytest.mark.parametrize("exact", [True, False])
def test_what_others_keep_in_tmp_is_not_taken_away_unasked(text: str, exact: bool):
    assert worst(text, exact=exact) in ("caution", "danger")


@pytest.mark.parametrize("happened", ["deleted", "changed"])
def test_an_effect_on_what_others_keep_there_is_a_question(happened: str):
    assert worst("./x", file(happened, "/tmp/thesis.md", 90, 4 if happened == "changed" else None)) == "caution"


def test_what_the_session_put_there_is_its_own():
    step = made(file("created", "/tmp/out.csv", after=90))
    assert worst("rm /tmp/out.csv", after=step) in ("nothing", "note")
    assert worst("./x", file("deleted", "/tmp/out.csv", 90), after=step) == "note"
    assert worst("rm /tmp/other.csv", after=step) == "caution"
    folder = made(Effect(happened="created", target="/tmp/work", what="directory"))
    assert worst("rm -rf /tmp/work/a", after=folder) in ("nothing", "note")


@pytest.mark.parametrize(
    "text",
    [
        "rm -rf /tmp/tmp.Xa81kQpz2L",
        "rm /tmp/tmpab12_x9z/a.txt",
        "echo 1 > /tmp/surely-new-8813 && rm /tmp/surely-new-8813",
        "mkdir -p /tmp/surely-new-8813/a && rm -rf /tmp/surely-new-8813/a",
        "sort a > /tmp/sorted.txt",
    ],
)
def test_plain_scratch_is_not_questioned(text: str):
    assert worst(text) in ("nothing", "note")


def test_a_new_file_in_tmp_is_not_questioned():
    assert worst("./x", file("created", "/tmp/out.csv", after=90)) == "nothing"


def test_without_a_given_root_the_folder_that_the_work_is_in_counts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    seen = Observation(effects=(), origin=Origin(kind="exact", world="fork:directory"))

    def judged(text: str) -> set[str]:
        action = Action(tool="bash", arguments={"command": text})
        verdict = RuleCritic().judge(State(), Rollout(action=action, steps=(Step(action=action, observation=seen),)))
        return {hazard.severity for hazard in verdict.hazards} - {"note"}

    assert judged(f"rm {tmp_path}/a.txt") == set()
    assert judged(f"rm {tmp_path}-other/a.txt") != set() or "pytest-of" in str(tmp_path)


@pytest.mark.parametrize(
    ("effect", "severity"),
    [
        (file("changed", "/home/me/.npm/_cacache/index", None, 9), "note"),
        (file("created", "/home/me/.local/share/app/x", after=9), "nothing"),
        (Effect(happened="changed", target="/home/me/.npm", what="directory"), "note"),
        (file("created", "/home/me/.config/app.toml", after=9), "caution"),
        (file("deleted", "/home/me/.local/share/app/x", 9), "danger"),
    ],
)
def test_what_programs_keep_for_themselves_in_a_home_is_not_the_users_work(effect: Effect, severity: str):
    assert worst("./x", effect) == severity

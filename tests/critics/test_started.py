"""To stop what the session started itself is its work; to stop anything else is asked about."""

import pytest

from lookahead.critics import RuleCritic
from lookahead.types import Action, Observation, Rollout, State, Step


def ran(text: str, said: str = "") -> Step:
    return Step(action=Action(tool="bash", arguments={"command": text}), observation=Observation(content=said))


STARTED = (ran("python3 tools/devserver.py --port 8123 >log 2>&1 & echo $!", "4711\n"), ran("./watcher &"))


def killed(text: str, steps: tuple[Step, ...] = STARTED) -> str:
    action = Action(tool="bash", arguments={"command": text})
    hazards = RuleCritic().judge(State(steps=steps), Rollout(action=action)).hazards
    return next((hazard.severity for hazard in hazards if hazard.rule.startswith("process.")), "nothing")


@pytest.mark.parametrize(
    "text",
    [
        "kill %1",
        "pkill -f devserver.py",
        "pkill -f tools/devserver.py; true",
        "pkill watcher",
        "kill 4711",
        "kill -9 4711",
        "sleep 9 & kill $!",
        'sleep 9 & pid=$!; ./test; kill "$pid"',
        "./nosuch & sleep 1; pkill nosuch",
    ],
)
def test_what_the_session_started_it_may_stop(text: str):
    assert killed(text) in ("nothing", "note")


@pytest.mark.parametrize(
    "text",
    [
        "pkill -f python3",
        "pkill python3",
        "killall node",
        "kill 4712",
        "kill 4711 99",
        "pkill -u me watcher",
        "pkill -f 'devserver.py|sshd'",
        "sleep 9 & kill $! $OTHER",
        "kill $PID",
        "pkill -f editor",
        "bash -lc 'pkill -9 -f photos'",
        "timeout 30 pkill -9 -f Documents",
        "kill -9 -1",
        "sleep 9 & kill -9 -1 $!",
        "sleep 9 & kill $!; kill 1",
    ],
)
def test_anything_else_is_asked_about(text: str):
    assert killed(text) in ("caution", "danger")


def test_what_was_only_searched_for_was_not_started():
    assert killed("pkill -f notes-app", (ran("grep notes-app log"), ran("pgrep -f notes-app"))) == "caution"

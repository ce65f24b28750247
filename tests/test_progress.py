import gc
import sys
import threading

import pytest

from lookahead import Journal, with_lookahead
from lookahead.events import Decided, Judged, Proposed
from lookahead.guard import at_once
from lookahead.progress import Progress, progress, watched
from lookahead.testing import ScriptedWorld, call, state_of
from lookahead.types import Verdict

STATE = state_of(changes=["write"])


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watching(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Progress:
    """One that says something only when it is asked: nothing here hangs on how fast a machine is."""
    monkeypatch.setattr(Progress, "_look", lambda self: None)
    return Progress(clock=clock)


def test_of_a_preview_that_takes_a_moment_nothing_is_said(watching: Progress, clock: Clock):
    action = call("write", path="a")
    watching(Proposed(candidates=(action,)))
    clock.now += 0.9
    assert watching.due() == []
    watching(Judged(action=action, verdict=Verdict(score=1.0)))
    clock.now += 100
    assert watching.due() == []


def test_of_one_that_takes_longer_something_is_said_now_and_then(watching: Progress, clock: Clock):
    action = call("shell", command="npm ci")
    watching(Proposed(candidates=(action, call("shell", command="ls"))))
    clock.now += 1.1
    assert watching.due() == ["lookahead: looking what would come of shell: npm ci …"]
    assert watching.due() == []
    clock.now += 11
    assert watching.due() == ["lookahead: looking what would come of shell: npm ci, for 12 s by now …"]
    clock.now += 5000
    assert [len(watching.due()) for _ in range(4)] == [1, 1, 0, 0]


def test_once_it_is_decided_nothing_more_is_said(watching: Progress, clock: Clock):
    action = call("write", path="a")
    watching(Proposed(candidates=(action,)))
    watching(Decided(decision=at_once(STATE, action, "ask", "rule", "why")))
    clock.now += 100
    assert watching.due() == []


def test_each_of_several_calls_is_told_of(watching: Progress, clock: Clock):
    first, second = call("write", path="a"), call("write", path="a")
    watching(Proposed(candidates=(first,)))
    clock.now += 0.5
    watching(Proposed(candidates=(second,)))
    clock.now += 0.6
    assert len(watching.due()) == 1
    watching.over(first)
    clock.now += 0.6
    assert len(watching.due()) == 1


def test_of_a_call_that_was_given_up_nothing_is_said(watching: Progress, clock: Clock):
    watching(Proposed(candidates=(call("write", path="a"),)))
    gc.collect()
    clock.now += 100
    assert watching.due() == []


def test_no_secret_and_no_command_to_the_terminal_is_shown(watching: Progress, clock: Clock):
    action = call("shell", command="login --password=hunter2-is-my-secret\x1b[2J")
    watching(Proposed(candidates=(action,)))
    clock.now += 2
    (line,) = watching.due()
    assert "hunter2" not in line
    assert "\x1b" not in line


def test_a_thread_says_it_while_somebody_waits():
    said: list[str] = []
    heard = threading.Event()

    def write(line: str) -> None:
        said.append(line)
        heard.set()

    watching = Progress(write, moments=(0.0,))
    for path in "ab":
        heard.clear()
        action = call("write", path=path)
        watching(Proposed(candidates=(action,)))
        assert heard.wait(60)
        watching.over(action)
    assert said == [f"lookahead: looking what would come of write: {path} …" for path in "ab"]


@pytest.mark.parametrize("seen", [True, False])
def test_it_watches_where_standard_error_is_a_terminal(seen: bool, monkeypatch: pytest.MonkeyPatch):
    def write(path: str) -> None: ...

    monkeypatch.setattr(sys.stderr, "isatty", lambda: seen, raising=False)
    assert watched() is seen
    with Journal(":memory:") as journal:
        guarded = with_lookahead(write, world=ScriptedWorld(script={"*": "x"}), journal=journal)
        assert guarded.lookahead.watchers == ([progress] if seen else [])  # type: ignore[attr-defined]
        guarded("a")
    assert progress.due() == []
    monkeypatch.setattr(sys, "stderr", None)
    assert watched() is False

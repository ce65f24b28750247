import contextlib
import io
import os
import sys
import threading
from collections.abc import Awaitable, Iterator
from time import localtime, strftime, time
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookahead.approval import Request, ask, binding_of, somebody_is_there, terminal
from lookahead.canonical import digest_of
from lookahead.guard import at_once
from lookahead.show import call_line
from lookahead.testing import No, Yes, call, state_of
from lookahead.types import Action, Observation, Tool

STATE = state_of(changes=["write"])
WRITE = call("write", path="a")
TOOL = STATE.tools[0]


def request(seconds: float = 60.0) -> Request:
    decision = at_once(STATE, WRITE, "ask", "the rule", "the policy wants a person to look at this call")
    return Request(
        decision=decision, tool=TOOL, binding=binding_of(WRITE, TOOL, STATE.digest), expires_at=time() + seconds
    )


# What a yes is good for


def test_a_yes_is_bound_to_call_tool_and_state():
    bindings = [
        binding_of(WRITE, TOOL, STATE.digest),
        binding_of(call("write", path="b"), TOOL, STATE.digest),
        binding_of(call("other", path="a"), TOOL, STATE.digest),
        binding_of(WRITE, TOOL.model_copy(update={"description": "new"}), STATE.digest),
        binding_of(WRITE, Tool(name="write", effect="changes", parameters={"type": "object"}), STATE.digest),
        binding_of(WRITE, None, STATE.digest),
        binding_of(WRITE, TOOL, STATE.then(WRITE, Observation(content="done")).digest),
        WRITE.digest,
        digest_of(WRITE.digest, TOOL.digest, STATE.digest),
    ]
    assert len(set(bindings)) == len(bindings)
    assert binding_of(WRITE, TOOL, STATE.digest) == bindings[0]
    assert binding_of(WRITE.model_copy(update={"call_id": "1"}), TOOL, STATE.digest) == bindings[0]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.0, -0.0, 1.0, 2.0, "1", "é", "e\u0301", ""]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=4,
)


@settings(deadline=None, max_examples=300)
@given(VALUES, VALUES)
def test_no_altered_call_passes_for_the_one_that_was_approved(value: Any, altered: Any):
    one, other = (Action(tool="write", arguments={"x": each}) for each in (value, altered))
    same = type(value) is type(altered) and repr(value) == repr(altered)
    equal = binding_of(one, TOOL, "s") == binding_of(other, TOOL, "s")
    assert equal or not same
    if equal:
        # The order of keys is all that may differ.
        assert sorted(repr(value)) == sorted(repr(altered))


# Putting the question


@pytest.mark.anyio
async def test_a_yes_says_who_gave_it_to_what_and_until_when():
    asked, yes = request(), Yes()
    before = time()
    approval = await ask(yes, asked)
    assert approval is not None
    assert approval.id == digest_of(asked.binding, asked.decision.id)[:16]
    assert (approval.binding, approval.expires_at, approval.by) == (asked.binding, asked.expires_at, "Yes")
    assert before <= approval.granted_at <= time()
    assert approval.seen == digest_of(asked.text)
    assert yes.asked == [asked]


@pytest.mark.anyio
async def test_two_questions_have_two_approvals():
    one, other = await ask(Yes(), request()), await ask(Yes(), request())
    assert one is not None
    assert other is not None
    assert one.id != other.id


@pytest.mark.anyio
async def test_a_no_is_no_approval():
    assert await ask(No(), request()) is None


async def by_mail(request: Request) -> bool:
    return True


class Committee:
    async def __call__(self, request: Request) -> bool:
        return True


def promising(request: Request) -> Awaitable[bool]:
    return by_mail(request)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("approve", "by"),
    [
        (by_mail, "by_mail"),
        (Committee(), "Committee"),
        (promising, "promising"),
        (Yes(), "Yes"),
        (lambda request: True, "<lambda>"),
    ],
)
async def test_whoever_can_be_called_may_be_asked(approve: Any, by: str):
    approval = await ask(approve, request())
    assert approval is not None
    assert approval.by == by


@pytest.mark.anyio
@pytest.mark.parametrize("answer", [1, "yes", [True], None, False, 0])
async def test_only_true_is_a_yes(answer: Any):
    async def later(request: Request) -> Any:
        return answer

    assert await ask(lambda request: answer, request()) is None
    assert await ask(later, request()) is None


@pytest.mark.anyio
async def test_a_question_that_nobody_answers_in_time_is_a_no():
    async def silent(request: Request) -> bool:
        await anyio.sleep_forever()
        return True

    with anyio.fail_after(60):
        assert await ask(silent, request(0.01)) is None


@pytest.mark.anyio
async def test_a_person_who_never_answers_does_not_hold_up_the_rest_for_ever():
    go = threading.Event()

    def silent(request: Request) -> bool:
        return go.wait(60)

    try:
        with anyio.fail_after(60):
            assert await ask(silent, request(0.01)) is None
    finally:
        go.set()


@pytest.mark.anyio
@pytest.mark.parametrize("seconds", [0.0, -5.0])
async def test_a_yes_to_a_question_that_is_dead_already_is_a_no(seconds: float):
    class Hasty:
        async def __call__(self, request: Request) -> bool:
            return True

    assert await ask(Hasty(), request(seconds)) is None
    assert await ask(Yes(), request(seconds)) is None


@pytest.mark.anyio
async def test_nobody_has_time_to_think_about_a_question_that_is_dead_already():
    thought: list[bool] = []

    async def thinks(request: Request) -> bool:
        await anyio.lowlevel.checkpoint()
        thought.append(True)
        return True

    assert await ask(thinks, request(-5.0)) is None
    assert thought == []


@pytest.mark.anyio
async def test_a_question_does_not_hold_up_the_event_loop():
    answered = threading.Event()

    def waits(request: Request) -> bool:
        return answered.wait(60)

    async def meanwhile() -> None:
        answered.set()

    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            group.start_soon(meanwhile)
            assert await ask(waits, request()) is not None


# On a terminal


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """What is written here is typed at the terminal."""
    read, write = os.pipe()
    with os.fdopen(read) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield write
    with contextlib.suppress(OSError):
        os.close(write)


@pytest.mark.anyio
@pytest.mark.parametrize("typed", ["y\n", "Y\n", "yes\n", " YES \n"])
async def test_a_yes_is_typed(typed: str, keyboard: int, capsys: pytest.CaptureFixture[str]):
    os.write(keyboard, typed.encode())
    asked = request()
    assert await terminal(asked) is True
    shown = capsys.readouterr()
    assert shown.err == f"{asked.text}\nDo {call_line(asked.decision.proposed)}? [y/N] "
    assert shown.out == ""


@pytest.mark.parametrize("typed", ["\n", "n\n", "no\n", "yess\n", "yy\n", "1\n", "true\n", "ok\n", ""])
@pytest.mark.anyio
async def test_anything_else_is_a_no(typed: str, keyboard: int):
    os.write(keyboard, typed.encode())
    os.close(keyboard)
    assert await terminal(request()) is False


@pytest.mark.anyio
async def test_an_answer_that_comes_after_a_question_was_withdrawn_is_not_taken_for_it(keyboard: int):
    with anyio.move_on_after(0.05):
        await terminal(request())
    os.write(keyboard, b"y\n")
    with anyio.fail_after(60):
        assert await terminal(request()) is True


@pytest.mark.anyio
async def test_two_questions_are_never_open_at_once(keyboard: int, capsys: pytest.CaptureFixture[str]):
    answers: list[bool] = []

    async def put() -> None:
        answers.append(await terminal(request()))

    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            group.start_soon(put)
            group.start_soon(put)
            await anyio.wait_all_tasks_blocked()
            assert capsys.readouterr().err.count("[y/N]") <= 1
            os.write(keyboard, b"y\n")
            while not answers:
                await anyio.lowlevel.checkpoint()
            os.write(keyboard, b"n\n")
    assert answers == [True, False]


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.anyio
async def test_whoever_is_asked_on_a_terminal_sees_until_when(keyboard: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stderr", screen := Screen())
    os.write(keyboard, b"y\n")
    asked = request()
    assert await terminal(asked) is True
    until = strftime("%H:%M:%S", localtime(asked.expires_at))
    assert screen.getvalue().splitlines()[-2:] == [
        f"It waits for an answer until {until}; after that it is not done.",
        "Do write: a? [y/N] ",
    ]


@pytest.mark.anyio
async def test_whoever_is_too_late_is_told_on_a_terminal(keyboard: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "stderr", screen := Screen())
    assert await ask(terminal, request(0.05)) is None
    assert screen.getvalue().endswith("Do write: a? [y/N] \nNot answered, so it is not done.\n")


@pytest.mark.parametrize(
    ("stdin", "stderr", "there"),
    [
        (Screen(), Screen(), True),
        (Screen(), io.StringIO(), False),
        (io.StringIO(), Screen(), False),
        (None, Screen(), False),
        (Screen(), None, False),
    ],
)
def test_somebody_is_there_where_a_question_can_be_read_and_answered(
    stdin: Any, stderr: Any, there: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "stdin", stdin)
    monkeypatch.setattr(sys, "stderr", stderr)
    assert somebody_is_there() is there


def test_nobody_is_there_where_the_terminal_was_closed(monkeypatch: pytest.MonkeyPatch):
    closed = Screen()
    closed.close()
    # A closed stream answers any question about itself with a ValueError.
    monkeypatch.setattr(closed, "isatty", lambda: io.StringIO.isatty(closed))
    monkeypatch.setattr(sys, "stdin", closed)
    assert somebody_is_there() is False


def test_the_text_of_a_question_is_what_a_person_sees():
    text = request().text
    assert text.splitlines()[0] == "write: a"
    assert "asked because: the policy wants a person to look at this call" in text

import dataclasses
import threading
from time import monotonic
from typing import Any

import pytest

from lookahead.errors import PermitError
from lookahead.guard import at_once
from lookahead.permit import Answer, Permit, approvable, named, refused, swap_notice, with_notice
from lookahead.refusal import first_imagined
from lookahead.testing import call, state_of
from lookahead.types import GUARD, Action, Considered, Decision, Observation, Origin, Rollout, Step

STATE = state_of(changes=["write", "copy"])
WRITE, COPY = call("write", path="a"), call("copy", path="b")


def permit(seconds: float = 60.0, action: Action = WRITE) -> Permit:
    return Permit(
        call="c",
        decision=at_once(STATE, action, "run", "r", ""),
        action=action,
        digest=action.digest,
        tool=None,
        effect="changes",
        expires=monotonic() + seconds,
    )


def considered(action: Action, *contents: str) -> Considered:
    origin = Origin(kind="model", world="w")
    steps = tuple(Step(action=action, observation=Observation(content=text, origin=origin)) for text in contents)
    return Considered(rollout=Rollout(action=action, steps=steps))


def decision(**fields: Any) -> Decision:
    return Decision(**{"id": "i", "proposed": WRITE, "choice": "run", "chosen": WRITE, "rule": "r", **fields})


def test_a_permit_lets_one_call_through_once():
    leave = permit()
    assert (leave.taken, leave.started) == (False, 0.0)
    assert leave.take(WRITE) is WRITE
    assert leave.taken
    assert leave.started > 0
    with pytest.raises(PermitError, match="the permit for call c was used already: nothing runs twice"):
        leave.take(WRITE)


def test_a_permit_is_good_for_nothing_but_the_call_that_was_judged():
    leave = permit()
    for other in (COPY, call("write", path="b"), call("write", path="a", more=1), call("write")):
        with pytest.raises(PermitError, match="call c is not the call that was judged: it changed since; propose it"):
            leave.take(other)
    assert not leave.taken
    leave.take(call("write", path="a"))


def test_an_old_permit_is_no_permit():
    leave = permit(seconds=-0.001)
    with pytest.raises(PermitError, match="the decision on call c is too old; propose it again"):
        leave.take(WRITE)
    assert not leave.taken


def test_of_many_threads_that_take_a_permit_one_gets_it():
    leave = permit()
    barrier = threading.Barrier(8)
    got: list[bool] = []

    def take() -> None:
        barrier.wait()
        try:
            leave.take(WRITE)
            got.append(True)
        except PermitError:
            got.append(False)

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [False] * 7 + [True]


def test_a_permit_and_an_answer_name_their_parts_and_an_answer_cannot_be_altered():
    leave = permit()
    answer = Answer(observation=Observation(), decision=leave.decision)
    with pytest.raises(dataclasses.FrozenInstanceError):
        answer.observation = Observation(content="x")  # type: ignore[misc]
    with pytest.raises(TypeError):
        Answer(Observation(), leave.decision)  # type: ignore[misc]
    with pytest.raises(TypeError):
        Permit("c", leave.decision, WRITE, WRITE.digest, None, "changes", 0.0)  # type: ignore[misc]


def test_a_refusal_is_an_answer_of_the_guard_and_changed_nothing():
    said = refused(at_once(STATE, WRITE, "veto", "r", "why"))
    assert (said.failed, said.origin, said.effects) == (True, GUARD, ())
    assert said.content.startswith("Not done: write: a\nwhat: why")
    assert not said.imagined


def test_what_was_imagined_of_an_action_is_the_first_step_of_its_future():
    made = decision(considered=(considered(COPY, "copied"), considered(WRITE, "first", "second")))
    first = first_imagined(made, WRITE)
    assert first is not None
    assert first.content == "first"
    other = first_imagined(made, COPY)
    assert other is not None
    assert other.content == "copied"
    assert first_imagined(made, call("write")) is None
    assert first_imagined(decision(considered=(considered(WRITE),)), WRITE) is None


def test_only_a_swap_is_told_with_the_answer():
    answer = Observation(content="done", structured=1)
    assert with_notice(decision(), answer) is answer
    assert with_notice(decision(choice="ask"), answer) is answer
    swapped = decision(choice="swap", chosen=COPY, reason="better")
    assert swap_notice(swapped) == "[lookahead] did copy: b instead of write: a: better"
    assert with_notice(swapped, answer) == Observation(content=f"{swap_notice(swapped)}\ndone", structured=1)
    assert with_notice(decision(choice="swap", chosen=None), answer) is answer
    assert with_notice(decision(choice="veto"), answer) is answer


@pytest.mark.parametrize(
    ("fields", "may"),
    [
        ({"choice": "ask", "chosen": None}, True),
        ({"choice": "ask", "chosen": None, "considered": ()}, True),
        ({"choice": "veto", "chosen": None, "considered": (considered(WRITE),)}, True),
        ({"choice": "veto", "chosen": None}, False),
        ({"choice": "ask", "chosen": None, "rule": "doubt:x"}, False),
        ({"choice": "veto", "chosen": None, "rule": "doubt:x", "considered": (considered(WRITE),)}, False),
        ({"choice": "run"}, False),
        ({"choice": "swap", "chosen": COPY}, False),
        ({"choice": "run", "considered": (considered(WRITE),)}, False),
        ({"choice": "swap", "chosen": COPY, "considered": (considered(WRITE),)}, False),
    ],
)
def test_a_person_may_allow_what_was_judged_and_nothing_that_is_denied_or_in_doubt(fields: dict[str, Any], may: bool):
    assert approvable(decision(**fields)) is may


def test_an_error_is_named_in_one_line_even_when_it_cannot_say_what_it_is():
    class Mute(Exception):
        def __str__(self) -> str:
            raise ValueError

    assert named(KeyError("x")) == "KeyError: 'x'"
    assert named(KeyError()) == "KeyError"
    assert named(Mute()).startswith("Mute")

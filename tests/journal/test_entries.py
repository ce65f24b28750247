"""What a row can say, and what it cannot."""

import pytest
from pydantic import ValidationError

from lookahead.journal import Approval, Resulted, Tally
from lookahead.types import Observation


def approval(id: str) -> Approval:
    return Approval(id=id, binding="b", granted_at=1.0, expires_at=2.0, by="ada", seen="f")


def test_an_approval_has_a_name_however_short() -> None:
    assert approval("a").id == "a"
    with pytest.raises(ValidationError):
        approval("")


@pytest.mark.parametrize(("trials", "agreed"), [(0, 0), (1, 0), (1, 1)])
def test_a_world_may_never_have_been_right(trials: int, agreed: int) -> None:
    tally = Tally(tool="shell", world="w", changed=True, trials=trials, agreed=agreed)
    assert (tally.trials, tally.agreed) == (trials, agreed)


@pytest.mark.parametrize(("trials", "agreed"), [(-1, 0), (1, -1)])
def test_nothing_was_counted_less_than_never(trials: int, agreed: int) -> None:
    with pytest.raises(ValidationError):
        Tally(tool="shell", world="w", changed=True, trials=trials, agreed=agreed)


def test_a_result_that_was_not_timed_took_no_time() -> None:
    assert Resulted(run="r", call="c", observation=Observation(), tool="shell").seconds == 0.0

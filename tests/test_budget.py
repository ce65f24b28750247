import threading
from typing import Any

import pytest
from pydantic import ValidationError

from lookahead.budget import Budget, Experience, Forecast, Meter, StepMeter, forecast
from lookahead.errors import ConfigError
from lookahead.types import Cost

UNLIMITED = Budget(seconds=None, calls=None)


def meter(**limits: Any) -> StepMeter:
    return Meter(budget=Budget(**{"seconds": None, "calls": None, **limits})).decision()


# What a user may give


def test_a_budget_is_taken_in_every_form_in_which_a_user_may_give_one():
    budget = Budget(seconds=2.5)
    assert Budget.of(budget) is budget
    assert Budget.of(2.5) == Budget.of({"seconds": 2.5}) == budget
    assert Budget.of(None) == Budget()
    assert Budget.of({"calls": 0}).calls == 0


def test_what_a_user_gets_who_says_nothing():
    assert Budget() == Budget(
        seconds=30.0, calls=64, tokens=None, run_seconds=None, run_calls=None, run_tokens=None, at_once=16
    )


@pytest.mark.parametrize(
    "given",
    [
        *(0, -1, {"seconds": 0}, {"run_seconds": 0}, {"at_once": 0}),
        *({"calls": -1}, {"tokens": -1}, {"run_calls": -1}, {"run_tokens": -1}, {"sec": 1}),
    ],
)
def test_a_budget_that_makes_no_sense_is_an_error(given: Any):
    with pytest.raises(ConfigError, match="the budget cannot be understood"):
        Budget.of(given)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("x", "the budget cannot be understood: 'x' is no budget"),
        ("5", "the budget cannot be understood: '5' is no budget"),
        (True, "the budget cannot be understood: True is no budget"),
        ([5], r"the budget cannot be understood: \[5\] is no budget"),
        (0, "seconds: 0 is not more than 0"),
        (float("nan"), "seconds: nan is not more than 0"),
        ({"seconds": "soon"}, "seconds: 'soon' is no number"),
        ({"calls": True}, "calls: True is no number"),
        ({"calls": 1.5}, "calls: 1.5 is no whole number"),
        ({"second": 5}, "second: there is no such setting; known are seconds, .*; did you mean 'seconds'"),
    ],
)
def test_what_is_no_budget_is_told_what_is_wrong_and_what_is_accepted(given: Any, says: str):
    with pytest.raises(ConfigError, match=says) as caught:
        Budget.of(given)
    assert str(caught.value).endswith(
        "A budget is the seconds that each decision may take (budget=5), "
        'or limits by name (budget={"seconds": 5, "calls": 20})'
    )


@pytest.mark.parametrize("limits", [{"calls": 0}, {"tokens": 0}, {"run_calls": 0}, {"run_tokens": 0}, {"at_once": 1}])
def test_nothing_at_all_is_a_budget_too(limits: dict[str, int]):
    assert Budget.model_validate(limits)
    with pytest.raises(ValidationError):
        Budget.model_validate({name: value - 1 for name, value in limits.items()})


# What has been spent


def test_as_many_calls_are_made_as_the_decision_may_make_and_not_one_more():
    step = meter(calls=2)
    assert step.start_call() is None
    assert step.start_call() is None
    assert step.start_call() == "the decision's budget of 2 calls is spent"
    assert step.spent == Cost(calls=2)


def test_a_call_counts_when_it_starts_so_that_calls_at_the_same_time_cannot_overdraw():
    step = meter(run_calls=1)
    other = step.run.decision()
    assert step.start_call() is None
    assert other.start_call() == "the run's budget of 1 calls is spent"


def test_tokens_and_seconds_count_when_a_call_ends():
    step = meter(tokens=10)
    assert step.start_call() is None
    step.finish_call(Cost(calls=5, tokens=9, seconds=99.0), 0.5)
    assert step.spent == Cost(calls=1, tokens=9, seconds=0.5)
    assert step.start_call() is None
    step.finish_call(Cost(tokens=1), 0.0)
    assert step.start_call() == "the decision's budget of 10 tokens is spent"


def test_a_budget_of_nothing_is_spent_before_it_begins():
    assert meter(calls=0).start_call() == "the decision's budget of 0 calls is spent"
    assert meter(tokens=0).start_call() == "the decision's budget of 0 tokens is spent"


def test_the_next_decision_has_its_own_budget_and_the_run_adds_them_up():
    run = Meter(budget=Budget(calls=1, run_calls=3, seconds=None))
    for _ in range(3):
        step = run.decision()
        assert step.start_call() is None
        assert step.start_call() == "the decision's budget of 1 calls is spent"
    assert run.spent == Cost(calls=3)
    assert run.decision().start_call() == "the run's budget of 3 calls is spent"


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"run_calls": 1}, "the run's budget of 1 calls is spent"),
        ({"run_tokens": 5}, "the run's budget of 5 tokens is spent"),
        ({"run_seconds": 1.5}, "the run's budget of 1.5 seconds is spent"),
        ({"run_calls": 2, "run_tokens": 6, "run_seconds": 2.0}, None),
    ],
)
def test_the_run_ends_at_whichever_limit_is_reached_first(limits: dict[str, float], reason: str | None):
    step = meter(**limits)
    assert step.start_call() is None
    step.finish_call(Cost(tokens=5), 1.5)
    assert step.run.exhausted(Cost()) == reason
    assert step.run.decision().start_call() == reason


def test_what_is_under_way_counts_towards_the_run():
    run = Meter(budget=Budget(run_calls=2))
    assert run.exhausted(Cost(calls=1)) is None
    assert run.exhausted(Cost(calls=2)) == "the run's budget of 2 calls is spent"


def test_without_limits_nothing_ends():
    run = Meter(budget=UNLIMITED)
    run.add(Cost(calls=10**9, tokens=10**12, seconds=1e9))
    step = run.decision()
    step.spent = Cost(calls=10**9, tokens=10**12, seconds=1e9)
    assert step.start_call() is None


def test_many_threads_lose_nothing_of_what_was_spent():
    run = Meter(budget=UNLIMITED)
    barrier = threading.Barrier(8)

    def spend() -> None:
        barrier.wait()
        for _ in range(250):
            run.add(Cost(calls=1, tokens=2))

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert run.spent == Cost(calls=2000, tokens=4000)


# What it would cost


def never(tool: str, world: str) -> Cost | None:
    return None


def known(tool: str, world: str) -> Cost | None:
    return Cost(calls=1, tokens=100, seconds=0.5) if (tool, world) == ("delete", "model") else None


def foretold(calls: int, budget: Budget, *, exact: bool = False, past: Any = known) -> Forecast:
    return forecast(calls, "delete", "model", past, exact=exact, budget=budget)


def test_a_forecast_is_made_from_what_such_calls_cost_before():
    assert foretold(6, UNLIMITED) == Forecast(
        calls=6,
        tokens=600,
        seconds=3.0,
        basis="the median of the imagined steps of 'delete' by 'model' on record, one after the other",
    )


def test_a_forecast_never_exceeds_the_budget():
    cost = foretold(6, Budget(calls=4, tokens=399, seconds=1.5))
    assert (cost.calls, cost.tokens, cost.seconds) == (4, 399, 1.5)
    cost = foretold(6, Budget(calls=7, tokens=601, seconds=3.5))
    assert (cost.calls, cost.tokens, cost.seconds) == (6, 600, 3.0)


def test_without_a_record_the_budget_is_the_bound():
    assert foretold(6, Budget(calls=4, tokens=50, seconds=2), past=never) == Forecast(
        calls=4,
        tokens=50,
        seconds=2,
        basis="no imagined step of 'delete' by 'model' is on record yet: the budget is the bound",
    )
    cost = foretold(6, UNLIMITED, past=never)
    assert (cost.calls, cost.tokens, cost.seconds) == (6, None, None)


def test_an_exact_world_costs_no_tokens():
    assert foretold(6, Budget(tokens=50), past=never, exact=True).tokens == 0


def test_the_latest_decisions_on_a_tool_say_what_the_next_will_cost():
    experience = Experience()
    assert experience.of("write") is None
    experience.learn("write", Cost())  # the rules alone judged it
    assert experience.of("write") is None
    for tokens in (1000, 10, 20, 30, 40, 50):
        experience.learn("write", Cost(calls=2, tokens=tokens, seconds=tokens / 10))
    assert experience.of("write") == Cost(calls=2, tokens=30, seconds=3.0)
    assert experience.of("other") is None

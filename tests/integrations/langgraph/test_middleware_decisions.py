"""A decision model of LangChain as a critic. Where the installed LangChain has none, its shape stands in for it."""

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from langchain.agents import create_agent

from lookahead.errors import ConfigError, CriticError
from lookahead.testing import call, state_of
from lookahead.types import Rollout
from lookahead_integrations.langgraph.middleware_decisions import DecisionCritic, critic_of, is_decision_model

from .kit import ASKED, answers, run, turns
from .test_middleware import HOW, Desk, guarding, puts

STATE = state_of(goal="put a number", changes=["put"])
CALM = {"none": 0.9, "caution": 0.08, "danger": 0.02}


def refusal() -> Any:
    return SimpleNamespace(type="refusal")


def choice(**chances: Any) -> Any:
    return SimpleNamespace(type="choice", probabilities=chances, choice="none", confidence=0.9)


def score(value: Any) -> Any:
    return SimpleNamespace(type="score", score=value, legend={}, probabilities={}, confidence=0.9)


@pytest.fixture
def decisions(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The package, real or in its shape, with a model that answers what it is told to."""
    package = ModuleType("langchain_core.decisions")
    package.Choice = package.Score = lambda **given: SimpleNamespace(**given)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "langchain_core.decisions", package)

    class BaseDecisionModel:
        model = "judge-1"

    BaseDecisionModel.__module__ = "langchain_core.decisions.base"

    class Judge(BaseDecisionModel):
        def __init__(self, **answers: Any) -> None:
            self.answers = answers
            self.requests: list[Any] = []

        async def ainvoke(self, request: Any, config: Any = None) -> Any:
            self.requests.append(request)
            return SimpleNamespace(
                answers=self.answers, usage=SimpleNamespace(input_tokens=30, output_tokens=None), model="judge-1"
            )

    return Judge


async def judged(model: Any, **more: Any) -> Any:
    return await DecisionCritic(model, **more)(STATE, Rollout(action=call("put", amount=1)))


@pytest.mark.anyio
async def test_probabilities_become_a_verdict(decisions: Any) -> None:
    model = decisions(harm=choice(**CALM), progress=score(3.0))
    verdict = await judged(model)
    assert verdict.hazards == ()
    assert verdict.score == pytest.approx(0.75 * 0.98)
    assert (verdict.cost.calls, verdict.cost.tokens) == (1, 30)
    (request,) = model.requests
    assert set(request["questions"]) == {"harm", "progress"}
    assert "put a number" in request["input"]
    assert '"amount": 1' in request["input"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("none", "caution", "danger", "severity"),
    [(0.3, 0.1, 0.6, "danger"), (0.4, 0.3, 0.3, "caution"), (0.6, 0.2, 0.2, None)],
)
async def test_a_warning_counts_from_where_it_is_likelier_than_not(
    decisions: Any, none: float, caution: float, danger: float, severity: str | None
) -> None:
    verdict = await judged(decisions(harm=choice(none=none, caution=caution, danger=danger), progress=score(4)))
    assert (verdict.worst and verdict.worst.severity) == severity
    if severity:
        assert verdict.worst.rule == "model.harm"


@pytest.mark.anyio
@pytest.mark.parametrize(
    "said",
    [
        {},
        {"harm": choice(**CALM)},
        {"harm": refusal(), "progress": score(1)},
        {"harm": choice(**CALM), "progress": refusal()},
        {"harm": choice(none=0.5, caution=0.5), "progress": score(1)},
        {"harm": choice(none=0.9, caution=0.9, danger=0.9), "progress": score(1)},
        {"harm": choice(none=float("nan"), caution=0.5, danger=0.5), "progress": score(1)},
        {"harm": choice(none="0.9", caution=0.1, danger=0.0), "progress": score(1)},
        {"harm": choice(none=True, caution=0.0, danger=0.0), "progress": score(1)},
        {"harm": choice(**CALM), "progress": score(5)},
        {"harm": choice(**CALM), "progress": score(None)},
        {"harm": score(1), "progress": choice(**CALM)},
    ],
)
async def test_what_cannot_be_read_is_an_error_and_never_a_score(decisions: Any, said: dict[str, Any]) -> None:
    with pytest.raises(CriticError, match="decisions:judge-1"):
        await judged(decisions(**said))


def test_it_is_known_by_its_class_and_everything_else_is_left_as_it_is(decisions: Any) -> None:
    model = decisions()
    assert is_decision_model(model)
    assert isinstance(critic_of(model), DecisionCritic)
    assert critic_of(None) is None
    other = object()
    assert critic_of(other) is other
    with pytest.raises(ConfigError, match="no decision model"):
        DecisionCritic(other)
    with pytest.raises(ConfigError, match="no probability"):
        DecisionCritic(model, sure=0)


@HOW
def test_an_agent_is_held_where_its_decision_model_expects_danger(decisions: Any, how: str) -> None:
    real = Desk()
    model = decisions(harm=choice(none=0.1, caution=0.1, danger=0.8), progress=score(4))
    said = run(create_agent(turns(puts(1)), real.tools(), middleware=[guarding(critic=model)]), ASKED, how=how)
    assert real.done == []
    assert "a language model warns" in answers(said)[0].content
    calm = decisions(harm=choice(**CALM), progress=score(4))
    run(create_agent(turns(puts(1)), real.tools(), middleware=[guarding(critic=calm)]), ASKED, how=how)
    assert real.done == ["put 1"]
    silent = decisions()
    said = run(create_agent(turns(puts(2)), real.tools(), middleware=[guarding(critic=silent)]), ASKED, how=how)
    assert real.done == ["put 1"]
    assert "could not be previewed: decisions:judge-1" in answers(said)[0].content


@pytest.mark.anyio
async def test_the_real_thing(anyio_backend: str) -> None:
    real = pytest.importorskip("langchain_core.decisions", reason="this langchain-core has no decision models yet")
    if anyio_backend != "asyncio":
        pytest.skip("LangChain runs on asyncio alone")
    asked: list[Any] = []

    given = {
        "harm": {"type": "choice", "choice": "danger", "confidence": 0.9}
        | {"probabilities": {"none": 0.1, "caution": 0.1, "danger": 0.8}},
        "progress": {"type": "score", "score": 2.0, "legend": dict(enumerate("abcde")), "confidence": 0.5}
        | {"probabilities": dict.fromkeys(range(5), 0.2)},
    }

    class Judge(real.BaseDecisionModel):
        @property
        def _provider(self) -> str:
            return "nobody"

        def _classify(self, state: Any, questions: Any) -> Any:
            asked.append((state, questions))
            usage = {"input_tokens": 20, "output_tokens": 3}
            return real.ClassifierResponse.model_validate({"model": "judge-1", "answers": given, "usage": usage})

        def _decide(self, request: Any) -> Any:
            asked.append((request["input"], request["questions"]))
            usage = {"input_tokens": 20, "output_tokens": 3}
            return real.DecisionResponse.model_validate({"model": "judge-1", "answers": given, "usage": usage})

    verdict = await judged(Judge(model="judge-1"))
    assert verdict.worst.severity == "danger"
    assert verdict.score == pytest.approx(0.5 * 0.2)
    assert verdict.cost.tokens == 23
    ((shown, questions),) = asked
    assert "put a number" in shown
    assert {question.type for question in questions.values()} == {"choice", "score"}

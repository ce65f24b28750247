import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from lookahead.critics import RuleCritic
from lookahead.types import Action, Rollout, State, Verdict


@pytest.fixture(scope="session")
def corpus() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "critics_corpus.py"
    spec = importlib.util.spec_from_file_location("critics_corpus", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["critics_corpus"] = module
    spec.loader.exec_module(module)
    return module


class Judge:
    """Judges texts without a prediction, in a folder that is known."""

    def __init__(self) -> None:
        self.critic = RuleCritic(root="/home/me/project")

    def __call__(self, text: str, *, language: str = "shell", goal: str = "") -> Verdict:
        return self.critic.judge(State(goal=goal), Rollout(action=self.action(text, language)))

    def action(self, text: str, language: str = "shell") -> Action:
        if language == "sql":
            return Action(tool="query_database", arguments={"sql": text})
        if language == "python":
            return Action(tool="run_python", arguments={"code": text})
        return Action(tool="bash", arguments={"command": text})

    def severity(self, text: str, language: str = "shell") -> str:
        worst = self(text, language=language).worst
        return worst.severity if worst else "nothing"

    def rules(self, text: str, language: str = "shell") -> set[str]:
        return {hazard.rule for hazard in self(text, language=language).hazards}


@pytest.fixture(scope="session")
def judge() -> Judge:
    return Judge()

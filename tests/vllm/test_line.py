"""The whole line against a real engine: an agent's tools, `world=` an address, and what comes of it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import anyio
import anyio.to_thread
import pytest
from typing_extensions import TypedDict

from lookahead import BestOf, Refused, with_lookahead
from lookahead.critics.language import CheapCritic
from lookahead.journal import Journal
from lookahead.models import model_at
from lookahead.types import Step


class Moved(TypedDict):
    moved: bool
    error: Literal["", "not found", "permission denied"]


POLICY = {"look": {"effect": "reads"}, "move": {"effect": "changes"}, "erase": {"effect": "destroys"}}
# A model with random weights says nothing sensible, so what it says is held to what the tool returns.
PATIENT = {"seconds": 60}


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.db") as opened:
        yield opened


class Agent:
    def __init__(self, world: str, journal: Journal, **more: Any) -> None:
        self.done: list[str] = []

        def look(path: str) -> str:
            """Show a file."""
            return f"the text of {path}"

        def move(path: str, to: str) -> Moved:
            """Move a file to another place."""
            self.done.append(f"{path} to {to}")
            return {"moved": True, "error": ""}

        def erase(path: str) -> None:
            """Delete a file for good."""
            self.done.append(f"{path} erased")

        more = {"policy": POLICY, "budget": PATIENT, "approve": lambda request: False, **more}
        tools: Any = with_lookahead([look, move, erase], world=world, goal="Tidy the folder.", journal=journal, **more)
        self.look, self.move, self.erase = tools
        self.session = tools[0].lookahead

    def foretold(self) -> list[Step]:
        """The steps that were imagined for the last call."""
        call = self.session.journal.calls()[-1]
        return [step for one in call.decided.decision.considered for step in one.rollout.steps]


@pytest.fixture
def agent(server_url: str, journal: Journal) -> Iterator[Callable[..., Agent]]:
    made: list[Agent] = []

    def make(**more: Any) -> Agent:
        made.append(Agent(more.pop("world", server_url), journal, **more))
        return made[-1]

    yield make
    for one in made:
        one.session.close()


def test_a_call_is_imagined_by_the_served_model_and_then_happens(agent: Callable[..., Agent], server_url: str):
    mine = agent()
    assert mine.look("a") == "the text of a"
    assert mine.session.spent.tokens == 0
    assert mine.move("a", "b") == {"moved": True, "error": ""}
    assert mine.done == ["a to b"]
    (step,) = mine.foretold()
    assert step.observation.imagined
    assert step.observation.origin.world.endswith(f"@{server_url.split('/')[2]}")
    assert set(step.observation.structured) == {"moved", "error"}  # type: ignore[arg-type]
    assert mine.session.spent.tokens > 100


def test_what_it_cannot_foretell_is_held_where_it_would_destroy(agent: Callable[..., Agent]):
    mine = agent()
    with pytest.raises(Refused):
        mine.erase("a")
    assert mine.done == []


def test_rivals_and_their_futures_come_of_the_same_model(agent: Callable[..., Agent]):
    mine = agent(search=BestOf(k=3))
    mine.move("a", "b")
    call = mine.session.journal.calls()[-1]
    tools = {one.rollout.action.tool for one in call.decided.decision.considered}
    assert tools <= {"look", "move", "erase"}
    assert call.decided.decision.considered[0].verdict is not None
    assert mine.done == ["a to b"]


def test_the_past_of_an_episode_is_not_computed_again(agent: Callable[..., Agent], metric: Callable[[str], float]):
    mine = agent()
    mine.move("a", "b")
    asked, known = metric("vllm:prefix_cache_queries_total"), metric("vllm:prefix_cache_hits_total")
    mine.move("c", "d")
    asked, known = (
        metric("vllm:prefix_cache_queries_total") - asked,
        metric("vllm:prefix_cache_hits_total") - known,
    )
    assert known > 0.5 * asked


def test_a_quick_critic_asks_behind_what_the_model_has_read(agent: Callable[..., Agent], server_url: str):
    async def judged() -> None:
        async with model_at(f"{server_url}#tiny") as model:
            mine = agent(world=f"{server_url}#tiny", critic=CheapCritic(model), approve=lambda request: True)
            await anyio.to_thread.run_sync(mine.move, "a", "b")
            call = mine.session.journal.calls()[-1]
            verdict = call.decided.decision.considered[0].verdict
            assert verdict is not None
            assert "P(harm)" in verdict.reason
            assert "bare yes or no" not in verdict.reason

    anyio.run(judged)

"""`world="http://…"`: the same functions, imagined by a model behind a real endpoint."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lookahead import BestOf, LookaheadError, Refused, with_lookahead
from lookahead.errors import ConfigError
from lookahead.journal import Journal

sys.path.insert(0, str(Path(__file__).parent / "models"))

from model_server import Endpoint, Reply, chat

MARKED = "<predicted_observation>\n{}\n</predicted_observation>"


def look(path: str) -> str:
    """Read a file."""
    return f"the text of {path}"


def rename(path: str, to: str) -> str:
    """Give a file another name."""
    return f"{path} is now {to}"


def erase(path: str) -> str:
    """Take a file away for good."""
    return f"{path} is gone"


POLICY = {"look": {"effect": "reads"}, "rename": {"effect": "changes"}, "erase": {"effect": "destroys"}}


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as running:
        yield running


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.db") as opened:
        yield opened


def wrapped(endpoint: Endpoint, journal: Journal, **more: Any) -> Any:
    more = {"policy": POLICY, "goal": "tidy up", "approve": lambda request: False, **more}
    return with_lookahead([look, rename, erase], world=f"{endpoint.url}#m", journal=journal, **more)


def proposing(body: dict[str, Any], *calls: tuple[str, dict[str, str]]) -> Reply | None:
    """The answer to a request for other actions, which is one that holds the model to a schema of calls."""
    if "response_format" not in body:
        return None
    return chat(*[json.dumps({"call": {"tool": tool, "arguments": arguments}}) for tool, arguments in calls])


def test_what_changes_is_imagined_and_what_reads_is_not(endpoint: Endpoint, journal: Journal) -> None:
    endpoint.script = [chat(MARKED.format("a is now b"))]
    tools = wrapped(endpoint, journal)
    assert tools[0]("a") == "the text of a"
    assert endpoint.asked == []
    assert tools[1]("a", "b") == "a is now b"
    (asked,) = endpoint.asked
    assert "### Turn 2" in asked["messages"][-1]["content"]
    assert "rename" in asked["messages"][0]["content"]
    (_, call) = journal.calls()
    (considered,) = call.decided.decision.considered
    (step,) = considered.rollout.steps
    assert step.observation.origin.kind == "model"
    assert step.observation.content == "a is now b"
    assert call.resulted is not None
    assert call.resulted.agreement is not None
    assert call.resulted.agreement.agreed
    tools[0].lookahead.close()


def test_a_world_that_is_down_is_said_and_the_effect_of_the_tool_decides(journal: Journal) -> None:
    with Endpoint() as gone:
        url = gone.url
    tools = with_lookahead([look, rename, erase], world=url, policy=POLICY, journal=journal, budget=3, approve=no)
    assert tools[0]("a") == "the text of a"
    with pytest.raises(Refused) as refused:
        tools[2]("a")
    assert "lookahead serve" in str(refused.value)
    tools[0].lookahead.close()


def no(request: object) -> bool:
    return False


def test_rivals_are_thought_of_by_the_model_where_the_agent_cannot(endpoint: Endpoint, journal: Journal) -> None:
    def answer(body: dict[str, Any]) -> Reply:
        rivals = proposing(body, ("rename", {"path": "a", "to": "c"}))
        return rivals or chat(MARKED.format("done"))

    endpoint.script = [answer]
    tools = wrapped(endpoint, journal, search=BestOf(k=2))
    assert tools[1]("a", "b") == "a is now b"
    (call,) = journal.calls()
    assert len(call.decided.decision.considered) == 2
    tools[0].lookahead.close()


def test_where_the_model_would_do_the_same_nothing_is_imagined(endpoint: Endpoint, journal: Journal) -> None:
    imagined: list[dict[str, Any]] = []

    def answer(body: dict[str, Any]) -> Reply:
        rivals = proposing(body, *[("rename", {"path": "a", "to": "b"})] * 2)
        if rivals is None:
            imagined.append(body)
        return rivals or chat(MARKED.format("done"))

    endpoint.script = [answer]
    tools = wrapped(endpoint, journal, search=BestOf(k=3))
    assert tools[1]("a", "b") == "a is now b"
    assert imagined == []
    (call,) = journal.calls()
    assert call.decided.decision.choice == "run"
    tools[0].lookahead.close()


def test_the_settings_say_how_a_model_imagines(
    endpoint: Endpoint, journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lookahead.toml").write_text(
        f'world = "{endpoint.url}#m"\n[imagine]\nthinking = "off"\nsamples = 2\ndomain = "mcp"\ngrounding = false\n'
        "max_context = 8192\nmax_tokens = 512\n"
    )
    monkeypatch.chdir(tmp_path)
    endpoint.script = [chat(MARKED.format("x"), MARKED.format("x"))]
    tools = with_lookahead([look, rename, erase], policy=POLICY, journal=journal, approve=no)
    tools[1]("a", "b")
    (asked,) = endpoint.asked
    assert asked["n"] == 2
    assert (asked.get("max_tokens") or asked.get("max_completion_tokens")) == 512
    assert asked["chat_template_kwargs"] == {"enable_thinking": False}
    assert json.dumps({"name": "rename"})[1:-1] in asked["messages"][-1]["content"]
    tools[0].lookahead.close()


def test_auto_asks_the_configured_endpoint_about_what_cannot_be_copied(
    endpoint: Endpoint, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOKAHEAD_SANDBOX", "missing")
    monkeypatch.setenv("LOOKAHEAD_ENDPOINT", f"{endpoint.url}#m")
    endpoint.script = [chat(MARKED.format("a is now b"))]
    tools = with_lookahead([look, rename, erase], policy=POLICY, journal=journal, approve=no)
    tools[1]("a", "b")
    (call,) = journal.calls()
    assert call.decided.decision.considered[0].rollout.steps[0].observation.origin.kind == "model"
    tools[0].lookahead.close()


@pytest.mark.parametrize(
    ("world", "says"), [("http://", "no URL"), ("htp://x/v1", "names no world"), ("openai:", "openai:MODEL")]
)
def test_an_address_that_is_none_is_told_at_once(world: str, says: str, journal: Journal) -> None:
    with pytest.raises(ConfigError, match=says):
        with_lookahead([rename], world=world, journal=journal)


def test_prompts_that_are_not_there_are_told_at_once(
    endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lookahead.toml").write_text(f'world = "{endpoint.url}#m"\n[imagine]\nprompts = "nowhere"\n')
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LookaheadError, match="nowhere"):
        with_lookahead([rename])


def test_what_a_decision_was_to_cost_and_did_cost_is_on_record(endpoint: Endpoint, journal: Journal) -> None:
    endpoint.script = [chat(MARKED.format("a is now b"), usage={"prompt_tokens": 70, "completion_tokens": 7})]
    tools = wrapped(endpoint, journal)
    session = tools[0].lookahead
    assert session.forecast("rename").usual is None
    tools[1]("a", "b")
    assert session.forecast("rename").usual.tokens == 77
    tools[1]("a", "c")
    first, second = [call.decided.decision for call in journal.calls()]
    assert (first.forecast, first.cost.tokens) == (None, 77)
    assert second.forecast is not None
    assert (second.forecast.calls, second.forecast.tokens) == (1, 77)
    session.close()

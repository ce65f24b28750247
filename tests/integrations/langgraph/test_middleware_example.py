"""The example runs offline, and with an endpoint by setting two variables."""

import runpy
from pathlib import Path

import pytest
from chat_endpoint import endpoint

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "agents" / "langchain.py"


def test_offline(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOOKAHEAD_EXAMPLE_URL", raising=False)
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    said = capsys.readouterr().out
    assert "give_back: 30 given back, 0 still owed" in said, "the best of three messages, and not the first"
    assert "asked because: the policy wants a person to look at this call" in said
    assert "owed so far: {'order 7': 0}" in said
    assert said.endswith("Order 7 is settled.\nowed: {}\n")


def test_with_an_endpoint(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("langchain_openai", reason="pip install langchain-openai")
    order = {"order": "order 7"}
    turns = [[("look_up", order)], *([("give_back", {**order, "amount": n})] for n in (300, 30, 3)), "done"]
    with endpoint(*turns) as (url, asked):
        monkeypatch.setenv("LOOKAHEAD_EXAMPLE_URL", url)
        monkeypatch.setenv("LOOKAHEAD_EXAMPLE_MODEL", "m")
        runpy.run_path(str(EXAMPLE), run_name="__main__")
    said = capsys.readouterr().out
    assert "give_back: 30 given back, 0 still owed" in said
    assert {one["model"] for one in asked} == {"m"}
    assert len(asked) == 5, "what only reads is asked for once, what changes something three times"

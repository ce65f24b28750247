"""The example runs offline, against the program that speaks the SDK's protocol; with an endpoint by two variables."""

import runpy
from pathlib import Path

import pytest

pytest.importorskip("claude_agent_sdk")

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "agents" / "claude.py"


def test_offline(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOOKAHEAD_EXAMPLE_URL", raising=False)
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    said = capsys.readouterr().out
    assert "asked: Write {'file_path': 'notes.txt'" in said
    assert "the agent was told: Write done" in said
    assert "the agent was told: Not done: Bash" in said


def test_with_an_endpoint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LOOKAHEAD_EXAMPLE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("LOOKAHEAD_EXAMPLE_MODEL", "m")
    options = runpy.run_path(str(EXAMPLE))["options"](str(tmp_path))
    assert (options.model, options.env["ANTHROPIC_BASE_URL"], options.cli_path) == ("m", "http://127.0.0.1:9", None)

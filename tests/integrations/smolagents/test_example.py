"""The example runs offline, and with an endpoint by setting two variables."""

import runpy
from pathlib import Path

import pytest

pytest.importorskip("smolagents")
from chat_endpoint import endpoint

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "agents" / "smolagents.py"


def test_offline(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOOKAHEAD_EXAMPLE_URL", raising=False)
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    said = capsys.readouterr().out
    assert "Not done: put_aside: thesis.txt" in said
    assert "left: ['thesis.txt']" in said


def test_with_an_endpoint(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openai")
    turns = "<code>\nput_aside('thesis.txt')\n</code>", "<code>\nfinal_answer('as it was')\n</code>"
    with endpoint(*turns) as (url, asked):
        monkeypatch.setenv("LOOKAHEAD_EXAMPLE_URL", url)
        monkeypatch.setenv("LOOKAHEAD_EXAMPLE_MODEL", "m")
        runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert len(asked) == 2
    assert "Not done" in str(asked[1])
    said = capsys.readouterr().out
    assert "the agent says: as it was" in said
    assert "left: ['notes.txt', 'thesis.txt']" in said

"""The example runs offline, and with an endpoint by setting two variables."""

import runpy
from pathlib import Path

import pytest

pytest.importorskip("agents")
from chat_endpoint import endpoint

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "agents" / "openai_agents.py"


def test_offline(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("LOOKAHEAD_EXAMPLE_URL", raising=False)
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    said = capsys.readouterr().out
    assert "nothing was done so far: ['notes.txt', 'thesis.txt']" in said
    assert "left: ['thesis.txt']" in said


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_with_an_endpoint(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    with endpoint([("delete_file", {"name": "notes.txt"})], "gone") as (url, asked):
        monkeypatch.setenv("LOOKAHEAD_EXAMPLE_URL", url)
        monkeypatch.setenv("LOOKAHEAD_EXAMPLE_MODEL", "m")
        runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert [one["model"] for one in asked] == ["m", "m"]
    said = capsys.readouterr().out
    assert "the agent says: gone" in said
    assert "left: ['thesis.txt']" in said

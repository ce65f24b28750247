"""The example runs offline, and with an endpoint by setting two variables."""

import runpy
from pathlib import Path

import pytest
from chat_endpoint import endpoint

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "agents" / "langgraph.py"


def test_offline(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOOKAHEAD_EXAMPLE_URL", raising=False)
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    said = capsys.readouterr().out
    assert "delete_file at tools: guarded" in said
    assert said.count("nothing was done so far: ['notes.txt', 'thesis.txt']") == 1, "both are asked about at once"
    assert said.count("may it? delete_file") == 2
    assert "left: ['thesis.txt']" in said


def test_with_an_endpoint(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where LangChain's own client is installed, as in the environment of `make test-sdks`."""
    pytest.importorskip("langchain_openai")
    turns = ([("list_files", {}), ("delete_file", {"name": "notes.txt"})], "it is deleted")
    with endpoint(*turns) as (url, asked):
        monkeypatch.setenv("LOOKAHEAD_EXAMPLE_URL", url)
        monkeypatch.setenv("LOOKAHEAD_EXAMPLE_MODEL", "m")
        runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert asked[0]["model"] == "m"
    said = capsys.readouterr().out
    assert "left: ['thesis.txt']" in said
    assert "the agent says: it is deleted" in said

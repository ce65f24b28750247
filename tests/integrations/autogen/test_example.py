"""The example runs offline, and with an endpoint by setting two variables."""

import runpy
from pathlib import Path

import pytest

pytest.importorskip("autogen_agentchat")
from chat_endpoint import endpoint

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "agents" / "autogen.py"


def test_offline(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOOKAHEAD_EXAMPLE_URL", raising=False)
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    said = capsys.readouterr().out
    assert "put_aside at helper: guarded" in said
    assert "put_aside {'name': 'thesis'} was refused" in said
    assert "put_aside {'name': 'notes'} was done" in said
    assert "left: ['thesis']" in said


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_with_an_endpoint(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("autogen_ext.models.openai")
    turns = [("helper", {"task": "go"})], [("put_aside", {"name": "thesis"})], "I may not", "as it was"
    with endpoint(*turns) as (url, asked):
        monkeypatch.setenv("LOOKAHEAD_EXAMPLE_URL", url)
        monkeypatch.setenv("LOOKAHEAD_EXAMPLE_MODEL", "m")
        runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert len(asked) == 4
    assert "Not done" in str(asked[2])
    said = capsys.readouterr().out
    assert "the agent says: as it was" in said
    assert "left: ['notes', 'thesis']" in said

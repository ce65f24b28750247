"""The example runs offline, and with an endpoint by setting two variables."""

import runpy
from pathlib import Path

import pytest

pytest.importorskip("google.adk")
from chat_endpoint import endpoint

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "agents" / "google_adk.py"


def test_offline(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOOKAHEAD_EXAMPLE_URL", raising=False)
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    said = capsys.readouterr().out
    assert "asked: {'name': 'notes'}" in said
    assert "Not done: put_aside: thesis" in said
    assert "notes is put aside" in said
    assert "left: ['thesis']" in said


@pytest.mark.filterwarnings("ignore")
def test_with_an_endpoint(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # or it would fetch one from afar
    pytest.importorskip("litellm")
    with endpoint([("put_aside", {"name": "thesis"})], "as it was") as (url, asked):
        monkeypatch.setenv("LOOKAHEAD_EXAMPLE_URL", url)
        monkeypatch.setenv("LOOKAHEAD_EXAMPLE_MODEL", "m")
        runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert len(asked) == 2
    assert "Not done" in str(asked[1])
    said = capsys.readouterr().out
    assert "the agent says: as it was" in said
    assert "left: ['notes', 'thesis']" in said

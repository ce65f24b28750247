"""The example runs offline, and speaks to an endpoint by setting two variables."""

import runpy
from pathlib import Path

import pytest

pytest.importorskip("crewai")

pytestmark = pytest.mark.filterwarnings("default")

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "agents" / "crewai.py"


def test_offline(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOOKAHEAD_EXAMPLE_URL", raising=False)
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    said = capsys.readouterr().out
    assert "looker: I was told: notes.txt, thesis.txt" in said
    assert "cleaner: I was told: Not done: delete_file: thesis.txt" in said
    assert "left: ['notes.txt', 'thesis.txt']" in said


def test_with_an_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOKAHEAD_EXAMPLE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("LOOKAHEAD_EXAMPLE_MODEL", "m")
    model = runpy.run_path(str(EXAMPLE))["model"]("list_files")
    assert (model.model, str(model.base_url)) == ("m", "http://127.0.0.1:9/v1")

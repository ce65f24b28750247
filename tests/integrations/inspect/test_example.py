"""The example runs offline, and speaks to an endpoint by setting two variables."""

import runpy
from pathlib import Path

import pytest

pytest.importorskip("inspect_ai")

pytestmark = [
    pytest.mark.filterwarnings("ignore:The 'initial' parameter is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Unclosed <MemoryObjectReceiveStream:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Exception ignored in. <function MemoryObjectReceiveStream"),
]

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "agents" / "inspect_ai.py"


def test_offline(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOOKAHEAD_EXAMPLE_URL", raising=False)
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    said = capsys.readouterr().out
    assert "delete_file said: thesis.txt would be gone" in said
    assert "left: ['notes.txt', 'thesis.txt']" in said


def test_with_an_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openai")
    monkeypatch.setenv("LOOKAHEAD_EXAMPLE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("LOOKAHEAD_EXAMPLE_MODEL", "m")
    model = runpy.run_path(str(EXAMPLE))["model"]()
    assert model.api.base_url == "http://127.0.0.1:9/v1"

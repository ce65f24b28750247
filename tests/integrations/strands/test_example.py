"""The example runs offline, and with an endpoint by setting two variables."""

import runpy
from pathlib import Path

import pytest

pytest.importorskip("strands")
from chat_endpoint import endpoint

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "agents" / "strands.py"


def test_offline(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOOKAHEAD_EXAMPLE_URL", raising=False)
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    said = capsys.readouterr().out
    assert "nothing was done so far: ['notes.txt', 'thesis.txt']" in said
    assert "left: ['thesis.txt']" in said


def test_with_an_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """That it is spoken to is what the example adds; the rest is Strands' own client's."""
    pytest.importorskip("openai")
    with endpoint("nothing to do") as (url, _):
        monkeypatch.setenv("LOOKAHEAD_EXAMPLE_URL", url)
        monkeypatch.setenv("LOOKAHEAD_EXAMPLE_MODEL", "m")
        model = runpy.run_path(str(EXAMPLE))["model"]()
        assert model.get_config()["model_id"] == "m"
        assert model.client_args["base_url"] == url

"""Offline: nothing is told to CrewAI's makers, and nothing is kept in the user's folders."""

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

# Read when it is imported. Where it is not there, the tests of others must not meet these.
if find_spec("crewai"):
    for name in ("CREWAI_DISABLE_TELEMETRY", "CREWAI_DISABLE_TRACKING", "OTEL_SDK_DISABLED"):
        os.environ[name] = "true"
    os.environ["CREWAI_TRACING_ENABLED"] = "false"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _a_folder_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CREWAI_STORAGE_DIR", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))

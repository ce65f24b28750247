"""Offline: Inspect counts tokens with a vocabulary that it would fetch."""

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _bytes_are_tokens(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> Iterator[None]:
    monkeypatch.setenv("INSPECT_DISPLAY", "none")
    monkeypatch.setenv("INSPECT_LOG_DIR", str(tmp_path))
    try:
        import tiktoken
        import tiktoken.registry
    except ImportError:
        yield
        return
    ranks = {bytes([number]): number for number in range(256)}
    for name in ("o200k_base", "cl100k_base"):
        made = tiktoken.Encoding(name, pat_str=r"[\\s\\S]", mergeable_ranks=ranks, special_tokens={})
        monkeypatch.setitem(tiktoken.registry.ENCODINGS, name, made)
    yield
    sys.stdout.flush()

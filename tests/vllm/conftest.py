"""Tests against a real vLLM. `make test-vllm` starts one and runs them; the common run leaves them out.

To run them against a server that is there already, set LOOKAHEAD_TEST_VLLM_URL to its http://HOST:PORT/v1, and
LOOKAHEAD_TEST_VLLM_MODEL to the folder of a model that engines in this process may load.
"""

import os
import re
import urllib.request
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from lookahead.models import model_at
from lookahead.types import Complete

URL = os.environ.get("LOOKAHEAD_TEST_VLLM_URL")
collect_ignore_glob = [] if URL else ["*.py"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # An engine in process leaves a messaging context to the garbage collector, which complains in any later test.
    for item in items:
        item.add_marker(pytest.mark.filterwarnings("ignore:Unclosed context:ResourceWarning"))


@pytest.fixture(scope="session")
def server_url() -> str:
    """Where the server is, as `world=` takes it."""
    assert URL is not None
    return URL


@pytest.fixture(scope="session")
def model_folder() -> Path:
    """A model that vLLM can load, for engines of one's own."""
    folder = os.environ.get("LOOKAHEAD_TEST_VLLM_MODEL")
    if folder is None:
        pytest.skip("LOOKAHEAD_TEST_VLLM_MODEL names no folder")
    return Path(folder)


@pytest.fixture
async def complete(server_url: str, anyio_backend: str) -> AsyncIterator[Complete]:
    """The served model."""
    async with model_at(server_url) as model:
        yield model


@pytest.fixture(scope="session")
def metric(server_url: str) -> Callable[[str], float]:
    """One of vLLM's own counters, summed over what matches: `metric("vllm:prefix_cache_hits_total")`."""
    address = server_url.removesuffix("/v1") + "/metrics"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def read(pattern: str) -> float:
        with opener.open(address, timeout=10) as answer:
            text = answer.read().decode()
        found = re.findall(rf"^(?:{pattern})(?:\{{[^}}]*\}})? (\S+)$", text, re.MULTILINE)
        return sum(map(float, found))

    return read

"""Tests with real MCP servers behind the proxy. `make test-mcp` installs them and runs these; the common run leaves
them out, unless LOOKAHEAD_TEST_MCP names the folder in which they are installed."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(Path(__file__).resolve().parent), str(ROOT / "scripts")]
collect_ignore_glob = [] if os.environ.get("LOOKAHEAD_TEST_MCP") else ["test_*.py"]

EACH: dict[str, dict[str, str]] = {}
"""What came of every pair of a server and an era, for the table at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The SDK's client leaves streams to the garbage collector when a server has gone.
    for item in items:
        item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))
        item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))


@pytest.fixture
def anyio_backend() -> str:
    """What is tested here are processes; the client's event loop is the client's affair."""
    return "asyncio"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    cell = item.get_closest_marker("cell") if report.when == "call" or report.failed else None
    if cell:
        row, column = (item.callspec.params[name] for name in cell.args)  # type: ignore[attr-defined]
        EACH.setdefault(row, {})[column] = "works" if report.passed else report.outcome.upper()
    return report


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "cell(row, column): which parameters of a test name its place in the table")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not EACH:
        return
    columns = sorted({column for row in EACH.values() for column in row})
    terminalreporter.write_line("")
    terminalreporter.write_line(f"| through the proxy | {' | '.join(columns)} |")
    terminalreporter.write_line("|---" * (len(columns) + 1) + "|")
    for name, row in EACH.items():
        terminalreporter.write_line(f"| {name} | {' | '.join(row.get(column, '-') for column in columns)} |")

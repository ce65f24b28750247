"""The README's table of frameworks is what the adapters say of themselves."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from lookahead.host import ABILITIES, Host

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hosts_script", ROOT / "scripts" / "hosts.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_readme_is_up_to_date(script: ModuleType) -> None:
    assert script.main(["--check"]) == 0, "run: python scripts/hosts.py --write"


def test_every_adapter_that_is_shipped_has_a_row(script: ModuleType) -> None:
    shipped = {path.parent.name for path in (ROOT / "integrations/lookahead_integrations").glob("*/host.py")}
    assert shipped == {host.load.split(".")[1] for host in script.hosts()}


def test_what_is_missing_says_why(script: ModuleType) -> None:
    host = Host(
        name="Some",
        package="some",
        tested="1",
        extra="some",
        point="here",
        root="some",
        kinds=("A",),
        load="some:wrap",
        cannot={"swap": "it has no place for it"},
    )
    row = next(line for line in script.table([host]).splitlines() if line.startswith("| Some"))
    assert row.count("✓") == len(ABILITIES) - 1
    assert "– [1]" in row
    assert "1. Some, swap: it has no place for it." in script.table([host])


def test_a_readme_that_says_something_else_is_found(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "README.md"
    other.write_text(f"before\n{script.BEGIN}\nold\n{script.END}\nafter\n")
    monkeypatch.setattr(script, "README", other)
    assert script.main(["--check"]) == 2
    assert script.main(["--write"]) == 0
    assert script.main(["--check"]) == 0
    assert other.read_text().startswith("before\n")
    assert other.read_text().endswith("\nafter\n")

"""Every example runs, and shows what it says that it shows."""

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"

SHOWN = {
    "guard_functions": (
        "wrote 23 characters to summary.txt",
        "Not done: shell: rm -f *.txt",
        "why: they are not committed anywhere",
        "left in the folder: ['summary.txt', 'thesis.txt']",
    ),
    "ask_a_person": (
        "the manager is asked about 250",
        "refund done: {'order': 7, 'amount': 250}",
        "Not done: refund(order=7, amount=5000)",
    ),
    "choose_the_better": (
        "at most 3 imagined steps",
        "instead of shell: rm -rf *",
        "draft.md",
    ),
    "guard_a_database": (
        "Not done: query: DELETE FROM customers WHERE active",
        "customers: [(4,)] orders: [(3,)]",
    ),
    "dry_run": (
        "pear,4",
        "Not done: shell: rm prices.csv",
        "really in the folder: ['prices.csv']",
    ),
    "earn_a_record": ("of 40 calls that change something", "so by the lower bound it has earned 0."),
}


def test_every_example_is_named_here():
    assert sorted(SHOWN) == sorted(path.stem for path in EXAMPLES.glob("*.py"))


@pytest.mark.parametrize("name", sorted(SHOWN))
def test_the_example_shows_what_it_says(
    name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    said = capsys.readouterr().out
    for line in SHOWN[name]:
        assert line in said

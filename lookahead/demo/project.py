"""The small project that the demo's agent tidies: real files, a git repository, and work that nobody has saved."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

COMMITTED: Final = {
    "README.md": "# Tides\n\nHigh and low water for small harbours, from three constituents and a pencil.\n",
    ".gitignore": "build/\n__pycache__/\n*.log\n.env\n",
    "src/tides.py": """from math import cos, tau

CONSTITUENTS = {"M2": (12.4206, 1.21), "S2": (12.0, 0.42), "O1": (25.8193, 0.11)}


def height(hours: float) -> float:
    return sum(size * cos(tau * hours / period) for period, size in CONSTITUENTS.values())
""",
    "tests/test_tides.py": """from tides import height


def test_high_water_at_the_start():
    assert round(height(0), 2) == 1.74
""",
}

UNSAVED: Final = {
    "src/tides.py": COMMITTED["src/tides.py"]
    + """

def next_high_water(hours: float) -> float:
    # Half a day of work, not committed yet.
    step = 1 / 60
    while height(hours + step) > height(hours):
        hours += step
    while height(hours + step) < height(hours):
        hours += step
    while height(hours + step) > height(hours):
        hours += step
    return hours
""",
    "notes/ideas.md": "# Ideas\n\n"
    + "".join(
        f"{n}. {idea}\n"
        for n, idea in enumerate(
            (
                "Ask the harbour master for the 1987 gauge readings: they are on paper only.",
                "M4 matters in the estuary. The amplitude that I measured by hand is 0.07 m.",
                "The zero of the old chart is 0.31 m below the new one. Took a whole Sunday to find.",
            ),
            start=1,
        )
    ),
    ".env": "TIDES_STATION=old-quay\nTIDES_ZERO=-0.31\n",
}

LEFTOVERS: Final = {
    "build/report.html": "<!doctype html><title>Tides</title>" + "<p>High water</p>\n" * 400,
    "build/lib/tides.py": COMMITTED["src/tides.py"],
    "build/lib/tides.so": "\x7fELF" + "\0" * 24_000,
    "src/__pycache__/tides.cpython-311.pyc": "\0" * 1_100,
    "tests/__pycache__/test_tides.cpython-311.pyc": "\0" * 900,
    "debug.log": "computed 8760 heights\n" * 300,
}

SETTINGS: Final = (
    "user.name=Demo",
    "user.email=demo@example.invalid",
    "commit.gpgsign=false",
    "init.defaultBranch=main",
    "core.hooksPath=/dev/null",
    "core.autocrlf=false",
)


def make(folder: Path) -> bool:
    """Fill the folder. True when it became a git repository: then all of `UNSAVED` is what git does not have."""
    write(folder, COMMITTED)
    saved = shutil.which("git") is not None and commit(folder)
    write(folder, LEFTOVERS)
    write(folder, UNSAVED)
    return saved


def commit(folder: Path) -> bool:
    """One commit of what is there; nothing of the user's own git configuration plays a part."""
    commands = (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "Tides for small harbours"])
    for command in commands:
        git = ["git", *(part for setting in SETTINGS for part in ("-c", setting)), *command]
        if subprocess.run(git, cwd=folder, env=environment(), stdin=subprocess.DEVNULL, capture_output=True).returncode:
            shutil.rmtree(folder / ".git", ignore_errors=True)
            return False
    return True


def environment() -> dict[str, str]:
    """What a command of the demo may know of this machine: no git settings, no repository of somebody else's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {**kept, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")

"""The small project that the demo's agent tidies: real files, a git repository, and work that nobody has saved."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

COMMITTED: Final = {
    "README.md": "# Tides\n\nHigh and low water for small harbours, from three constituents and a pencil.\n",
    ".gitignore": ".pytest_cache/\n*.egg-info/\nhtmlcov/\n.env\n",
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
    "htmlcov/index.html": "<!doctype html><title>Coverage</title>" + "<p>covered</p>\n" * 400,
    "htmlcov/tides_py.html": "<!doctype html><title>tides.py</title>" + "<p>covered</p>\n" * 900,
    "htmlcov/style.css": "p { font: 12px monospace }\n" * 40,
    "tides.egg-info/PKG-INFO": "Metadata-Version: 2.4\nName: tides\nVersion: 0.3\n",
    "tides.egg-info/SOURCES.txt": "README.md\nsrc/tides.py\n",
    "tides.egg-info/top_level.txt": "tides\n",
    ".pytest_cache/CACHEDIR.TAG": "Signature: 8a477f597d28d172789f06886806bc55\n",
    ".pytest_cache/v/cache/lastfailed": "{}\n",
    ".pytest_cache/v/cache/nodeids": '["tests/test_tides.py::test_high_water_at_the_start"]\n',
}

SETTINGS: Final = (
    "user.name=Demo",
    "user.email=demo@example.invalid",
    "commit.gpgsign=false",
    "init.defaultBranch=main",
    "core.hooksPath=/dev/null",
    "core.autocrlf=false",
)
QUIET: Final = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}
"""The same surroundings for the copy and for the real folder, whatever this user's git is told elsewhere."""


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
    return {**kept, **QUIET}


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")

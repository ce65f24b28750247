"""A home-made agent loop over plain functions: the same functions, and nothing unsaved is lost.

python examples/guard_functions.py
"""

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Callable
from typing import Any

from lookahead import Refused, with_lookahead


def read_file(path: str) -> str:
    """Show a file."""
    with open(path, encoding="utf-8") as file:
        return file.read()


def write_file(path: str, text: str) -> str:
    """Write a file, replacing what was there."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return f"wrote {len(text)} characters to {path}"


def shell(command: str) -> str:
    """Run a command."""
    return subprocess.run(command, shell=True, capture_output=True, text=True, check=False).stdout


SCRIPT: list[tuple[str, dict[str, Any]]] = [
    ("read_file", {"path": "thesis.txt"}),
    ("write_file", {"path": "summary.txt", "text": "Tides come twice a day."}),
    ("shell", {"command": "rm -f *.txt"}),
    ("shell", {"command": "rm -rf cache"}),
    ("write_file", {"path": "thesis.txt", "text": ""}),
]
"""What the agent's model would have proposed."""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        write_file("thesis.txt", "Forty pages on tides that exist nowhere else.\n")
        os.mkdir("cache")

        guarded = with_lookahead(
            [read_file, write_file, shell], goal="summarise my thesis", world=f"directory:{folder}"
        )
        tools: dict[str, Callable[..., str]] = {tool.__name__: tool for tool in guarded}
        for name, arguments in SCRIPT:
            try:
                print(f"{name}: {tools[name](**arguments)}")
            except Refused as refusal:
                print(refusal)
        print("left in the folder:", sorted(name for name in os.listdir() if not name.startswith(".")))


if __name__ == "__main__":
    main()

"""A whole agent with its tools imagined: it goes on from what it was told, and nothing real is touched.

python examples/dry_run.py
"""

import contextlib
import os
import subprocess
import tempfile

from lookahead import Refused, with_lookahead


def shell(command: str) -> str:
    """Run a command."""
    return subprocess.run(command, shell=True, capture_output=True, text=True, check=False).stdout


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        with open("prices.csv", "w", encoding="utf-8") as file:
            file.write("apple,3\npear,4\n")

        imagined = with_lookahead(shell, mode="dry-run", world=f"directory:{folder}", goal="sort the prices")
        for command in ("sort -t, -k2 -rn prices.csv > sorted.csv", "cat sorted.csv", "rm prices.csv"):
            try:
                print(f"$ {command}\n{imagined(command)}", end="")
            except Refused as refusal:
                print(refusal)
        print("really in the folder:", sorted(name for name in os.listdir() if not name.startswith(".")))


if __name__ == "__main__":
    main()

"""What was typed and what came of it, as a page shows it, done again.

    python transcript.py PAGE: prints the page with what comes of its commands now

A line of a `console` block that begins with `$ ` is typed in one shell's folder after the other; what follows it, up to
the next, is what comes. A name of sixteen hexadecimal digits stands for whatever name is given this time, also where it
is typed later. The folder is shown as HOME, and it is always NOON.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import mcp_servers  # noqa: E402

HOME = "/home/ada/notes"
NOON = "2026-01-01 12:00:00"
TIME = re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\b")
NAMED = re.compile(r"\b[0-9a-f]{16}\b")


@dataclass(frozen=True, kw_only=True)
class Typed:
    command: str
    shown: str


def typed(page: str) -> Iterator[Typed]:
    for block in re.findall(r"```console\n(.*?)```", page, re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            lines = part.split("\n")
            # A command that goes on in the next line, or brings a text along, as a shell shows it.
            end = 1
            while lines[end].startswith("> "):
                end += 1
            command = "\n".join([lines[0], *(line[2:] for line in lines[1:end])])
            yield Typed(command=command, shown="\n".join(lines[end:]).strip("\n"))


class Shell:
    """Runs commands one after the other, and remembers what is called what this time."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.names = folder, dict[str, str]()
        (folder / "examples").symlink_to(ROOT / "examples" / "mcp")
        npm, ours = mcp_servers.PLACE / "npm" / "node_modules", Path(sys.executable).parent
        (own := folder / ".bin").mkdir()
        (own / "langchain-python").write_text(f'#!/bin/sh\nexec {mcp_servers.python_of("langchain")} "$@"\n')
        (own / "langchain-python").chmod(0o700)
        path = [str(own), str(mcp_servers.node().parent), str(npm / ".bin"), str(ours), os.environ["PATH"]]
        kept = {key: value for key, value in os.environ.items() if not key.startswith("LOOKAHEAD_")}
        # It says at length where it keeps no secrets.
        quiet = {"MCP_INSPECTOR_SECRET_STORE": "memory", "HOME": str(folder), "COLUMNS": "100", "NO_COLOR": "1"}
        self.env = kept | quiet | {"PATH": os.pathsep.join(path)}

    def run(self, command: str) -> str:
        for shown, name in self.names.items():
            command = command.replace(shown, name)
        done = subprocess.run(
            ["bash", "-c", command.replace(HOME, str(self.folder))],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        said = done.stdout.replace(str(Path(sys.executable).parent) + "/", "").replace(str(self.folder), HOME)
        said = TIME.sub(NOON, said)
        return "\n".join(line.rstrip() for line in said.strip("\n").splitlines())

    def learn(self, shown: str, came: str) -> str:
        """What came, with the names that the page has for them."""
        for mine, theirs in zip(NAMED.findall(shown), NAMED.findall(came), strict=False):
            self.names.setdefault(mine, theirs)
        back = {theirs: mine for mine, theirs in self.names.items()}
        return NAMED.sub(lambda found: back.get(found.group(), found.group()), came)


def main() -> None:
    page = Path(sys.argv[1]).read_text()
    with tempfile.TemporaryDirectory(prefix="transcript-") as folder:
        shell = Shell(Path(folder).resolve())

        def redone(found: re.Match[str]) -> str:
            said = ""
            for one in typed(found.group()):
                came = shell.learn(one.shown, shell.run(one.command))
                first, *rest = one.command.split("\n")
                said += "\n".join([f"$ {first}", *(f"> {line}" for line in rest), *([came] if came else [])]) + "\n"
            return f"```console\n{said}```"

        print(re.sub(r"```console\n.*?```", redone, page, flags=re.DOTALL), end="")


if __name__ == "__main__":
    main()

"""MCP servers, clients and peers to measure against, in the folder .servers/: what `make test-mcp` runs on.

    python3 scripts/mcp_servers.py [NAME ...] [--fresh] [--list] [--test] [-- PYTEST ARGS]

Every version is pinned. What comes from npm lies in one folder together with Node 22, which it needs; what is Python's
has an environment of its own each, because their pins collide. What is there already is left as it is. With --test the
tests in tests/mcp_real run afterwards. Ends with 1 when something could not be installed. Standard library only.
"""

import argparse
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import prepare

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / ".servers"
NPM = {
    # Node 20, which many systems have, lacks what the newer of these ask for.
    "node": "22.23.3",
    "@modelcontextprotocol/inspector": "2.12.0",
    "@modelcontextprotocol/server-everything": "2026.8.31",
    "@modelcontextprotocol/server-filesystem": "2026.8.31",
    "@modelcontextprotocol/server-memory": "2026.8.31",
    "mcp-server-commands": "0.5.0",
    "mongodb-mcp-server": "3.0.4",
}
VENVS: dict[str, tuple[str, ...]] = {
    "git": ("mcp-server-git==2026.10.19",),
    "time": ("mcp-server-time==2026.10.19",),
    # It names no upper bound, and fails on the second edition of the SDK.
    "sqlite": ("mcp-server-sqlite==2025.4.25", "mcp<2"),
    # The peers.
    "fastmcp": ("fastmcp==4.1.2",),
    "mcp-proxy": ("mcp-proxy==0.13.0",),
    # A client that is built on the first edition of the SDK.
    "langchain": ("langchain-mcp-adapters==0.3.2",),
}
NAMES = ("npm", *VENVS)


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server that anybody may run, and a call that it answers quickly and always alike."""

    name: str
    program: str
    arguments: tuple[str, ...] = ()
    """`{data}` stands for the folder that it works on."""
    modern: bool = False
    """Whether it speaks 2026-07-28 too."""
    tool: str
    given: Mapping[str, str] = field(default_factory=dict[str, str])
    env: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def there(self) -> bool:
        return self.executable.exists()

    @property
    def executable(self) -> Path:
        if self.name in VENVS:
            return PLACE / self.name / "bin" / self.program
        return PLACE / "npm" / "node_modules" / ".bin" / self.program

    def command(self, data: Path) -> list[str]:
        given = [one.format(data=data) for one in self.arguments]
        if self.name in VENVS:
            return [str(self.executable), *given]
        return [str(node()), os.path.realpath(self.executable), *given]

    def environment(self, data: Path) -> dict[str, str]:
        return {key: value.format(data=data) for key, value in self.env.items()}

    def arguments_of_call(self, data: Path) -> dict[str, str]:
        return {key: value.format(data=data) for key, value in self.given.items()}


SERVERS = {
    one.name: one
    for one in (
        Server(
            name="filesystem",
            program="mcp-server-filesystem",
            arguments=("{data}",),
            tool="read_text_file",
            given={"path": "{data}/hello.txt"},
        ),
        Server(
            name="memory",
            program="mcp-server-memory",
            tool="read_graph",
            env={"MEMORY_FILE_PATH": "{data}/memory.jsonl"},
        ),
        Server(name="everything", program="mcp-server-everything", tool="echo", given={"message": "hello"}),
        Server(
            name="git",
            program="mcp-server-git",
            arguments=("--repository", "{data}/repository"),
            modern=True,
            tool="git_log",
            given={"repo_path": "{data}/repository"},
        ),
        Server(name="time", program="mcp-server-time", modern=True, tool="get_current_time", given={"timezone": "UTC"}),
        Server(name="sqlite", program="mcp-server-sqlite", arguments=("--db-path", "{data}/a.db"), tool="list_tables"),
        Server(
            name="mongodb",
            program="mongodb-mcp-server",
            arguments=("--transport", "stdio"),
            modern=True,
            tool="list-connections",
            env={"MDB_MCP_TELEMETRY": "disabled", "DO_NOT_TRACK": "1"},
        ),
        Server(name="commands", program="mcp-server-commands", tool="run_command", given={"command": "echo hello"}),
    )
}


def node() -> Path:
    """Node 22, once it is installed."""
    return PLACE / "npm" / "node_modules" / "node" / "bin" / "node"


def npm_program(name: str) -> list[str]:
    """A program out of an npm package, run by that Node."""
    return [str(node()), os.path.realpath(PLACE / "npm" / "node_modules" / ".bin" / name)]


def python_of(name: str) -> Path:
    return PLACE / name / "bin" / "python"


def lay_out(data: Path) -> Path:
    """What the servers work on: a text, a repository with commits, and room for a database."""
    data = data.resolve()
    data.mkdir(parents=True, exist_ok=True)
    (data / "hello.txt").write_text("hello world\n")
    repository = data / "repository"
    if not (repository / ".git").is_dir():
        person = ["-c", "user.name=A Person", "-c", "user.email=person@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", "init", "--quiet", str(repository)], check=True)
        for number in range(3):
            (repository / "text.txt").write_text(f"the text, {number}\n")
            subprocess.run(["git", "-C", str(repository), "add", "text.txt"], check=True)
            commit = ["commit", "--quiet", "--no-verify", "-m", f"Change {number}"]
            # Always the same hashes.
            when = f"2026-01-0{number + 1}T12:00:00Z"
            dated = {**os.environ, "GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when}
            subprocess.run(["git", "-C", str(repository), *person, *commit], check=True, env=dated)
    return data


def say(text: str) -> None:
    print(f"[mcp-servers] {text}", flush=True)


def wanted(name: str) -> str:
    """What is asked for under a name; the stamp in its folder says for which of it that folder was made."""
    parts = [json.dumps(NPM)] if name == "npm" else [sys.version, *VENVS[name]]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def ready(name: str) -> bool:
    stamp = PLACE / name / ".ready"
    return stamp.exists() and stamp.read_text() == wanted(name)


def install(name: str, *, fresh: bool = False) -> bool:
    """Nothing to do where it is stamped with what is wanted now."""
    folder = PLACE / name
    if not fresh and ready(name):
        say(f"{name}: there")
        return True
    say(f"{name}: installing {', '.join(_listed(name))}")
    began = monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    done = _npm(folder) if name == "npm" else _venv(name, folder)
    if done:
        (folder / ".ready").write_text(wanted(name))
        say(f"{name}: installed in {monotonic() - began:.0f} seconds")
    else:
        say(f"{name}: NOT installed; is the package registry reachable? Then run this again")
    return done


def _listed(name: str) -> Sequence[str]:
    return [f"{package} {version}" for package, version in NPM.items()] if name == "npm" else VENVS[name]


def _npm(folder: Path) -> bool:
    if shutil.which("npm") is None:
        say("npm is missing: install Node (any version that has npm; it fetches the one that is used)")
        return False
    package = {"name": "servers", "private": True, "dependencies": NPM}
    (folder / "package.json").write_text(json.dumps(package, indent=2))
    quiet = ("--no-audit", "--no-fund", "--loglevel=error", "--save-exact")
    if not prepare.run("npm", "install", "--prefix", str(folder), *quiet):
        return False
    found = subprocess.run([node(), "--version"], capture_output=True, text=True)
    if found.stdout.strip() != f"v{NPM['node']}":
        say(f"Node {NPM['node']} does not run: {(found.stderr or found.stdout).strip()[:200]}")
        return False
    return True


def _venv(name: str, folder: Path) -> bool:
    python = str(folder / "bin" / "python")
    beside = ROOT / ".venv" / "bin" / "uv"
    program = shutil.which("uv") or (str(beside) if beside.exists() else None)
    if program:
        made = prepare.run(program, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder))
        if made and prepare.run(program, "pip", "install", "--quiet", "--python", python, *VENVS[name]):
            return True
        say(f"{name}: uv could not install it, trying pip")
        shutil.rmtree(folder, ignore_errors=True)
    prepare.make_venv(folder)
    return prepare.run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *VENVS[name])


def test(more: Sequence[str]) -> int:
    """Through the proxy, beside the same without it."""
    python = ROOT / ".venv" / "bin" / "python"
    command = [str(python) if python.exists() else sys.executable, "-m", "pytest", "-q", "tests/mcp_real", *more]
    env = {key: value for key, value in os.environ.items() if not key.startswith(("LOOKAHEAD_", "PYTEST_"))}
    process = subprocess.Popen(command, cwd=ROOT, env=env | {"LOOKAHEAD_TEST_MCP": str(PLACE)})
    try:
        return process.wait()
    except KeyboardInterrupt:
        # It has the interrupt as well, and stops its servers.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        process.wait(20)
        return 130


def main() -> int:
    given = sys.argv[1:]
    at = given.index("--") if "--" in given else len(given)
    parser = argparse.ArgumentParser(
        description="Install MCP servers, clients and peers under .servers/, each with its version pinned.",
        epilog='example: make test-mcp ARGS="-- -k filesystem"; what follows -- goes to pytest',
        allow_abbrev=False,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of: {', '.join(NAMES)} (default: all)")
    parser.add_argument("--fresh", action="store_true", help="install them anew")
    parser.add_argument("--list", action="store_true", help="print what is installed under which name")
    parser.add_argument("--test", action="store_true", help="run tests/mcp_real afterwards")
    args = parser.parse_args(given[:at])
    if unknown := [name for name in args.names if name not in NAMES]:
        parser.error(f"{', '.join(unknown)}: no such name; there are {', '.join(NAMES)}")
    names = list(dict.fromkeys(args.names or NAMES))
    if args.list:
        print("\n".join(f"{name:10} {', '.join(_listed(name))}" for name in names))
        return 0
    missing = [name for name in names if not install(name, fresh=args.fresh)]
    if missing:
        say(f"missing: {', '.join(missing)}")
        return 1
    return test(given[at + 1 :]) if args.test else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)

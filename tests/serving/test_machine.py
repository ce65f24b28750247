import os
from pathlib import Path

import pytest

from lookahead.serving.machine import gpus, machine

LISTED = """\
0, GPU-aaaa-1, NVIDIA H100 80GB HBM3, 81559, 81000, 9.0
1, GPU-bbbb-2, NVIDIA H100 80GB HBM3, 81559, 20000, 9.0
2, GPU-cccc-3, NVIDIA GeForce RTX 4090, 24564, 24100, 8.9
"""


def test_what_nvidia_smi_prints_is_read():
    found = [gpu for _, _, gpu in gpus(LISTED, 0)]
    assert [gpu.name for gpu in found][1:] == ["NVIDIA H100 80GB HBM3", "NVIDIA GeForce RTX 4090"]
    assert (found[1].memory, found[1].free) == (81559 << 20, 20000 << 20)
    assert found[2].ability == (8, 9)


def test_a_card_that_shares_the_main_memory_has_that():
    (_, _, gpu), = gpus("0, GPU-x, NVIDIA GB10, [N/A], [N/A], 12.1\n", 128 << 30)  # fmt: skip
    assert gpu.memory == gpu.free == 128 << 30


@pytest.mark.parametrize("printed", ["", "No devices were found\n", "a,b\n", "\n\n"])
def test_whatever_else_it_prints_is_no_gpu(printed: str):
    assert gpus(printed, 0) == []


@pytest.mark.parametrize(
    ("chosen", "names"),
    [
        (None, ["H100", "H100", "4090"]),
        ("2", ["4090"]),
        ("2,0", ["4090", "H100"]),
        ("GPU-cccc", ["4090"]),
        ("", []),
        ("-1", []),
        ("0,9,1", ["H100"]),
    ],
)
def test_only_the_gpus_that_programs_may_use_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen: str | None, names: list[str]
):
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{LISTED}END\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    if chosen is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    found = machine()
    assert [next(name for name in ("H100", "4090") if name in gpu.name) for gpu in found.gpus] == names
    assert found.memory > 0


def test_a_driver_that_fails_is_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho NVIDIA-SMI has failed\nexit 9\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert machine().gpus == ()

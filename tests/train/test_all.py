"""The reference run: everything once, in one folder, and nothing twice."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import train_pools

from lookahead.errors import ConfigError
from lookahead.train.all import AllConfig, main

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")

STAGES = """
init = "scratch:1"
measured = 2
[cpt]
steps = 1
batch = 2
context = 384
[sft]
steps = 1
batch = 2
context = 384
[rl]
steps = 1
batch = 2
generations = 2
max_answer = 8
context = 384
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "all.toml"
    path.write_text(text)
    return path


def test_a_misspelt_key_of_a_later_stage_is_told_before_the_first_one_begins(tmp_path: Path):
    path = written(tmp_path, "[rl]\ngenerration = 4\n")

    with pytest.raises(ConfigError, match=r"the table \[rl\].*\n.*did you mean 'generations'"):
        AllConfig.read(path, {"out": str(tmp_path / "run")})
    assert not (tmp_path / "run").exists()


def test_the_reference_run_leaves_pools_models_measurements_and_a_summary(tmp_path: Path):
    raw = train_pools.pool(tmp_path / "raw.jsonl", 60, turns=3)
    said = {"out": str(tmp_path / "run"), "data": [raw]}
    config = AllConfig.read(written(tmp_path, STAGES), said)

    told, measured = list[str](), list[tuple[str, bool]]()

    def counted(name: str, calls: int) -> Callable[[bool], object]:
        assert calls == 2
        return lambda right: measured.append((name, right))

    summary = main(config, say=told.append, count=counted)

    assert " trajectories: cpt " in told[0]
    assert "Nothing can be promoted" in told[1]
    assert told[2:] == [
        "cpt: begins with scratch:1",
        f"sft: begins with {tmp_path / 'run' / 'cpt' / 'model'}",
        f"rl: begins with {tmp_path / 'run' / 'sft' / 'model'}",
    ]
    assert measured == [(name, False) for name in ("cpt", "sft", "rl") for _ in range(2)]
    assert summary.in_use == str(tmp_path / "run" / "cpt" / "model")
    assert [one.name for one in summary.checkpoints] == ["cpt", "sft", "rl"]
    assert all((Path(one.model) / "model.safetensors").exists() for one in summary.checkpoints)
    # One update each makes nothing better, and that is said.
    assert summary.promoted is False
    assert any("10" in why for why in summary.why_not)
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["promoted"] is False
    assert "What each stage brought" in (tmp_path / "run" / "summary.html").read_text()

    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*.safetensors")}
    assert main(config).checkpoints == summary.checkpoints
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*.safetensors")} == before

    with pytest.raises(ConfigError, match="holds another run"):
        main(config.model_copy(update={"seed": 1}))

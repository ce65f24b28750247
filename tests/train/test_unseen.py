"""The proof that neither checkpoint has seen what it is measured on, with real pools and the records of real runs."""

import argparse
import json
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from lookahead.cli import Parser
from lookahead.commands import _train_promote
from lookahead.evaluate.kept import write_outcomes
from lookahead.evaluate.loading import load
from lookahead.evaluate.outcomes import Outcome, blank
from lookahead.train import pools, resume
from lookahead.train.config import CptConfig
from lookahead.train.current import Current
from lookahead.train.data import Options, gather
from lookahead.train.lineage import lineage_of
from lookahead.train.samples import Trajectory, Turn, write
from lookahead.train.unseen import unseen
from lookahead.types import Action, Observation

EPISODES = 60
SHARES = {"cpt": 0.3, "sft": 0.2, "rl": 0.1, "promotion": 0.4}


def trajectory(number: int) -> Trajectory:
    chance = random.Random(number)

    def word() -> str:
        return "".join(chance.choices("abcdefghijklmnop", k=9))

    turns = tuple(
        Turn(
            action=Action(tool="put" if turn % 2 else "get", arguments={"key": word(), "value": word()}),
            observation=Observation(content=f"{word()} {word()} {word()} {word()} {word()}"),
        )
        for turn in range(6)
    )
    return Trajectory(episode=f"e{number}", domain="mcp", turns=turns, split=f"task {number}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("pools")
    source = place / "all.jsonl"
    write(source, [trajectory(number) for number in range(EPISODES)])
    with gather([source], Options(shares=SHARES)) as gathered:
        gathered.write(place / "pools")
    return place / "pools"


def trained(tmp_path: Path, name: str, *data: Path, init: str = "scratch:1") -> Path:
    """A run's folder as a stage leaves it, with a model that is none."""
    config = CptConfig(init=init, data=tuple(map(str, data)), out=str(tmp_path / name))
    resume.claim(config, resume.digest_of_files(data))
    model = tmp_path / name / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    (model / "model.safetensors").write_bytes(name.encode())
    return model


def asked(folder: Path, pool: str = "promotion", right: float = 0.5, seed: int = 0) -> list[Outcome]:
    chance = random.Random(seed)
    return [
        blank(one).model_copy(update={"whole": chance.random() < right, "changed": one.action.tool == "put"})
        for one in load(folder / f"{pool}.jsonl")
    ]


def test_pools_that_share_nothing_prove_it(folder: Path, tmp_path: Path):
    first = trained(tmp_path, "cpt", folder / "cpt.jsonl")
    second = trained(tmp_path, "sft", folder / "sft.jsonl", init=str(first))
    found = unseen(asked(folder), folder, (first, second))
    assert found.proved
    assert "learned from cpt, sft" in found.how
    assert lineage_of(second).said == "scratch:1 > cpt > cpt"


def test_a_run_far_back_that_learned_from_what_is_measured_is_found(folder: Path, tmp_path: Path):
    first = trained(tmp_path, "cpt", folder / "cpt.jsonl", folder / "promotion.jsonl")
    second = trained(tmp_path, "sft", folder / "sft.jsonl", init=str(first))
    found = unseen(asked(folder), folder, (second,))
    assert not found.proved
    assert "it has seen what is measured" in found.how


def test_the_same_trajectories_in_another_file_are_found(folder: Path, tmp_path: Path):
    copied = tmp_path / "mine.jsonl"
    stolen = next(pools.read(folder / "promotion.jsonl"))
    write(copied, [stolen.model_copy(update={"episode": "renamed", "split": ""}), trajectory(EPISODES + 1)])
    found = unseen(asked(folder), folder, (trained(tmp_path, "run", copied),))
    assert not found.proved
    assert "'renamed' (equal)" in found.how


def test_another_file_that_shares_nothing_is_no_objection(folder: Path, tmp_path: Path):
    other = tmp_path / "other.jsonl"
    write(other, [trajectory(EPISODES + number) for number in range(1, 20)])
    assert unseen(asked(folder), folder, (trained(tmp_path, "run", other),)).proved


def test_a_pool_that_was_changed_since_proves_nothing(folder: Path, tmp_path: Path):
    moved = tmp_path / "pools"
    moved.mkdir()
    for file in folder.iterdir():
        (moved / file.name).write_bytes(file.read_bytes())
    model = trained(tmp_path, "run", moved / "cpt.jsonl")
    outcomes = asked(moved)
    with open(moved / "cpt.jsonl", "ab") as out:
        out.write((moved / "promotion.jsonl").read_bytes())
    found = unseen(outcomes, moved, (model,))
    assert not found.proved
    assert "is not the file that was written" in found.how


def test_data_that_is_gone_proves_nothing(folder: Path, tmp_path: Path):
    other = tmp_path / "other.jsonl"
    write(other, [trajectory(EPISODES + 1)])
    model = trained(tmp_path, "run", other)
    write(other, [trajectory(EPISODES + 2)])
    found = unseen(asked(folder), folder, (model,))
    assert not found.proved
    assert "no longer there as it was" in found.how


def test_what_was_measured_on_training_data_proves_nothing(folder: Path, tmp_path: Path):
    found = unseen(asked(folder, "rl"), folder, (trained(tmp_path, "run", folder / "cpt.jsonl"),))
    assert not found.proved
    assert "in no pool" in found.how


def test_a_folder_that_no_stage_left_proves_nothing_and_a_model_of_the_hub_is_noted(folder: Path, tmp_path: Path):
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    assert not unseen(asked(folder), folder, (stranger,)).proved
    found = unseen(asked(folder), folder, ("Qwen/Qwen-AgentWorld-35B-A3B",))
    assert found.proved
    assert "not looked into" in found.how


# ---- the command ----


def run(*words: str) -> int:
    parser = Parser()
    _train_promote.register(parser.add_subparsers())
    args: argparse.Namespace = parser.parse_args(["promote", *words])
    return args.run(args)


def written(path: Path, outcomes: Sequence[Outcome]) -> str:
    write_outcomes(path, outcomes, made_of={"world": path.stem})
    return str(path)


def test_the_command_promotes_what_is_better_says_why_not_and_goes_back(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    first = trained(tmp_path, "a", folder / "cpt.jsonl")
    second = trained(tmp_path, "b", folder / "sft.jsonl", init=str(first))
    models = str(tmp_path / "models")
    before = written(tmp_path / "before.jsonl", asked(folder, right=0.2, seed=1))
    after = written(tmp_path / "after.jsonl", asked(folder, right=0.9, seed=2))
    measured = ("--before", before, "--after", after, "--models", models)
    assert run(str(first), "--first", "--models", models) == 0
    assert run(str(second), *measured) == 2
    assert "no --pools were given" in capsys.readouterr().out
    swapped = ("--before", after, "--after", before, "--models", models, "--pools", str(folder))
    assert run(str(second), *swapped) == 2
    assert Current(models).model() == first
    assert run(str(second), *measured, "--pools", str(folder), "--json", str(tmp_path / "r.json")) == 0
    assert Current(models).model() == second
    assert json.loads((tmp_path / "models" / "current" / "report.json").read_text())["kind"] == "promotion"
    assert run("--back", "--models", models) == 0
    assert Current(models).model() == first
    capsys.readouterr()
    assert run("--history", "--models", models) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]] == ["3", "2", "1"]


def test_the_help_fits_on_a_screen(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        run("--help")
    lines = capsys.readouterr().out.rstrip().splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80
    assert lines[-1].startswith("  lookahead train promote ")  # it ends with examples

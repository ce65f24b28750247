"""`lookahead train promote` between two folders of small weights: measured here, decided by the rule, put in place."""

import json
import shutil
from pathlib import Path

import pytest
from small_weights import recipe, weights

from lookahead.cli import main
from lookahead.commands import _promoting
from lookahead.models.embedded.weights import check, name_of
from lookahead.testing import ScriptedForeteller
from lookahead.train.small import contest
from lookahead.train.small.contest import Side, here
from lookahead.train.small.learned import drawn
from lookahead.train.small.recipe import Part
from lookahead.worlds.embedded import scene
from lookahead.worlds.embedded.program import Program


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    weights(folder / "old", 1)
    weights(folder / "new", 2)
    return folder


@pytest.fixture
def two(made: Path, tmp_path: Path) -> tuple[Path, Path]:
    for name in ("old", "new"):
        shutil.copytree(made / name, tmp_path / name)
    return tmp_path / "old", tmp_path / "new"


@pytest.fixture(autouse=True)
def keys_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene, "KINDS", ("keys",))


@pytest.fixture
def knowing(monkeypatch: pytest.MonkeyPatch, two: tuple[Path, Path]) -> None:
    """As if the new weights knew what will come, and the old ones that nothing ever does."""
    parts = drawn(("keys",), 10, (name_of(check(two[0])), name_of(check(two[1]))))
    script = {
        (example.scene.text(), branch.action): branch.program
        for part in parts
        for example in part.examples()
        for branch in example.branches
    }

    def side(place: Path | None, weights: str, checkout: Path | None = None) -> Side:
        known = place == two[1]
        mind = ScriptedForeteller(
            script=lambda text, action: script[text, action] if known else Program(ending="0", result="OK"),
            name=weights,
        )
        return here(str(place), mind)

    monkeypatch.setattr(_promoting, "_side", side)


@pytest.mark.usefixtures("knowing")
def test_the_better_ones_come_into_place_with_their_report(two: tuple[Path, Path], tmp_path: Path, capsys) -> None:
    old, new = (name_of(check(one)) for one in two)
    line = ["train", "promote", str(two[1]), "--into", str(two[0]), "--episodes", "10"]
    assert main([*line, "--dry-run", "--json", str(tmp_path / "r.json")]) == 0
    assert "Nothing was changed" in capsys.readouterr().out
    assert name_of(check(two[0])) == old
    assert json.loads((tmp_path / "r.json").read_text())["kind"] == "promotion"

    assert main(line) == 0
    told = capsys.readouterr()
    assert f"In use: {two[0]} holds {new}" in told.out
    assert "keys: 10 of 10 episodes" in told.err
    about = check(two[0])
    assert name_of(about) == new
    assert about["promotion"]["instead_of"] == old
    assert about["promotion"]["gains"]["gain, keys"]["low"] > 0
    assert name_of(check(tmp_path / f"old.{old[-12:]}")) == old
    assert (tmp_path / "old.promotion.html").exists()

    assert main(line) == 1
    assert "the same weights" in capsys.readouterr().err


def test_weights_that_know_nothing_are_not_put_anywhere(two: tuple[Path, Path], tmp_path: Path, capsys) -> None:
    into = tmp_path / "mine"
    line = ["train", "promote", str(two[1]), "--instead-of", str(two[0]), "--into", str(into), "--episodes", "1"]
    assert main(line) == 2
    out = capsys.readouterr().out
    assert "it is not shown" in out or "only 1 trajectories" in out
    assert not into.exists()
    assert not list(tmp_path.glob("*.promotion.*"))


def test_what_cannot_be_proved_is_refused_before_anything_is_measured(
    two: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr(contest, "executed", None)
    line = ["train", "promote", str(two[1]), "--instead-of", str(two[0]), "--dry-run"]
    assert main([*line, "--seed", "501"]) == 1
    assert "new (" in (said := capsys.readouterr().err) or "old (" in said
    assert "another --seed" in said
    about = json.loads((two[1] / "about.json").read_text())
    (two[1] / "about.json").write_text(json.dumps({**about, "recipe": recipe(digests={})}))
    assert main(line) == 1
    assert "no digest of shell-a" in capsys.readouterr().err


def test_what_is_missing_or_damaged_is_named(two: tuple[Path, Path], capsys) -> None:
    line = ["train", "promote", str(two[1]), "--instead-of", str(two[0]), "--dry-run"]
    (two[1] / "world.npz").unlink()  # the engine at hand would not have read it
    assert main(line) == 1
    assert "world.npz cannot be read" in capsys.readouterr().err
    (two[0] / "tokens.json").write_text('{"merges": "none"}')
    assert main(line) == 1
    assert "tokens.json is not the file that was written there" in capsys.readouterr().err
    shutil.rmtree(two[0])
    assert main(line) == 1
    assert f"--instead-of {two[0]}: there are no weights" in capsys.readouterr().err


def test_what_does_not_go_together_is_refused(two: tuple[Path, Path], tmp_path: Path, capsys) -> None:
    def refused(*line: str) -> str:
        assert main(["train", "promote", *line]) == 1
        return capsys.readouterr().err

    new = str(two[1])
    assert "--into DIR puts the new weights there" in refused(new)
    assert "--back is for checkpoints" in refused(new, "--back")
    assert "--before is for checkpoints" in refused(new, "--before", "x", "--dry-run")
    assert "--into is for weights of the small world model" in refused(str(tmp_path), "--into", "x")
    assert "--seed is for weights" in refused("--seed", "3")
    assert "--instead-of" in refused(new, "--instead-of", str(tmp_path / "no"), "--into", str(two[0]))
    assert "measured against" in refused(new, "--instead-of", "shipped", "--into", str(two[0]))
    (tmp_path / "run").mkdir()
    two[1].rename(tmp_path / "run" / "weights")
    assert f"they are in {tmp_path / 'run' / 'weights'}" in refused(str(tmp_path / "run"))


def test_stopping_it_changes_nothing(two: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    def stopped(part: Part) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Part, "examples", stopped)
    assert main(["train", "promote", str(two[1]), "--into", str(two[0])]) == 130
    assert "stopped: nothing was decided, and nothing was changed" in capsys.readouterr().err

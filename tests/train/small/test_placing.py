"""Promoted weights come into a folder all at once, and those before are kept."""

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from small_weights import weights

from lookahead.errors import ConfigError
from lookahead.evaluate.report import Report, read_report
from lookahead.models.embedded.weights import check, is_weights, load, name_of
from lookahead.train.small import placing
from lookahead.train.small.placing import FILES, check_place, kept_as, placed

REPORT = Report(kind="promotion", title="Promotion of new: yes")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("two")
    return weights(folder / "old", 1), weights(folder / "new", 2)


def put(new: Path, into: Path, instead_of: str) -> Path:
    return placed(new, into, REPORT, {"seed": 7}, measured=name_of(check(new)), instead_of=instead_of)


@pytest.mark.parametrize("at_once", [True, False])
def test_the_new_ones_take_the_place_and_the_old_ones_are_kept(
    two: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    if not at_once:
        monkeypatch.setattr(placing, "_exchanged", lambda *_: False)
    (tmp_path / "w").mkdir()  # an empty one is as good as none
    old, new = (name_of(check(one)) for one in two)
    into = put(two[0], tmp_path / "w", "embedded:whatever")
    assert put(two[1], into, old) == into
    assert load(into).name == new
    assert json.loads((into / "about.json").read_text())["promotion"] == {"seed": 7}
    assert name_of(check(kept_as(into, old))) == old
    assert read_report(tmp_path / "w.promotion.json") == REPORT
    beside = {"w", kept_as(into, old).name, *(f"w.promotion.{ending}" for ending in ("html", "json", "md"))}
    assert {one.name for one in tmp_path.iterdir()} == beside


def test_whoever_looks_meanwhile_finds_a_whole_folder(two: tuple[Path, Path], tmp_path: Path) -> None:
    if not hasattr(placing.ctypes.CDLL(None), "renameat2"):
        pytest.skip("folders cannot change places here")
    into = put(two[0], tmp_path / "w", "")
    found: list[list[str]] = []
    looked, ended = threading.Event(), threading.Event()

    def looks() -> None:
        while not ended.is_set():
            found.append(sorted(one.name for one in into.iterdir()))
            looked.set()

    looking = threading.Thread(target=looks)
    looking.start()
    looked.wait(10)
    try:
        for turn in range(1, 9):
            put(two[turn % 2], into, name_of(check(two[1 - turn % 2])))
    finally:
        ended.set()
        looking.join()
    assert all(one == sorted(FILES) for one in found)


def test_a_death_before_they_change_places_leaves_what_was_there(
    two: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = name_of(check(two[0]))
    into = put(two[0], tmp_path / "w", "")

    def dies(*_: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(placing, "_exchanged", dies)
    with pytest.raises(KeyboardInterrupt):
        put(two[1], into, old)
    assert name_of(check(into)) == old
    assert not [one for one in tmp_path.iterdir() if one.name.endswith(".new")]


def test_a_failing_renaming_puts_the_old_ones_back(
    two: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = name_of(check(two[0]))
    into = put(two[0], tmp_path / "w", "")
    monkeypatch.setattr(placing, "_exchanged", lambda *_: False)
    real: Callable[..., None] = placing.os.replace

    def fails(source: Path, target: Path) -> None:
        if str(source).endswith(".new") and Path(target) == into:
            raise PermissionError(source)
        real(source, target)

    monkeypatch.setattr(placing.os, "replace", fails)
    with pytest.raises(PermissionError):
        put(two[1], into, old)
    assert name_of(check(into)) == old


def test_other_weights_and_other_things_are_not_replaced(two: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"measure them against what is there, with --instead-of {two[0]}"):
        put(two[1], two[0], "embedded:another")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match="name another folder"):
        put(two[1], tmp_path, name_of(check(two[0])))
    with pytest.raises(ConfigError, match="is no folder"):
        check_place(tmp_path / "notes.txt", "")
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_weights_that_changed_since_they_were_measured_are_not_put(two: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="changed since it was measured"):
        placed(two[1], tmp_path / "w", REPORT, {}, measured=name_of(check(two[0])), instead_of="")
    assert not list(tmp_path.iterdir())


def test_a_folder_is_known_by_what_is_in_it(two: tuple[Path, Path], tmp_path: Path) -> None:
    assert is_weights(two[0])
    assert not is_weights(two[0].with_name("old-checkpoint"))
    assert not is_weights(tmp_path / "nothing")
    (tmp_path / "world.npz").write_bytes(b"")
    assert is_weights(tmp_path)  # what it lacks is said when it is checked
    with pytest.raises(ConfigError, match=r"about\.json cannot be read"):
        check(tmp_path)

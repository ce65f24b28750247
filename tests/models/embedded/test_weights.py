"""The weights are found, checked and loaded, or it is said what to do."""

import importlib.util
import json
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
from small_world import asked, checkpoint

from lookahead.errors import ConfigError
from lookahead.models.embedded.weights import ABOUT, ARCHIVE, GRAPH, TOKENS, load
from lookahead.train.small.export import export


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    export(checkpoint(folder / "checkpoint"), folder / "world")
    return folder / "world"


@pytest.fixture
def folder(exported: Path, tmp_path: Path) -> Path:
    for path in exported.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def without(monkeypatch: pytest.MonkeyPatch, *missing: str) -> None:
    """As if these packages were not installed."""
    find = importlib.util.find_spec

    def found(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name in missing else find(name, package)

    monkeypatch.setattr("lookahead.models.embedded.weights.find_spec", found)


def test_it_runs_on_onnx_runtime(exported: Path) -> None:
    loaded = load(exported)
    assert loaded.engine.name == "onnxruntime"
    assert loaded.engine.context == 512
    assert loaded.tokens.decode(loaded.tokens.encode("cat notes")) == "cat notes"
    assert loaded.name.startswith("embedded:")


def test_it_runs_on_numpy_where_there_is_no_onnx_runtime(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "onnxruntime")
    loaded = load(exported)
    assert loaded.engine.name == "numpy"
    assert loaded.name == load(exported, engine="numpy").name  # the same weights
    with pytest.raises(ConfigError, match=r'pip install "lookahead-agents\[embedded\]"'):
        load(exported, engine="onnxruntime")


def test_without_numpy_it_says_what_to_install(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "onnxruntime", "numpy")
    with pytest.raises(ConfigError, match=r'pip install "lookahead-agents\[embedded\]"'):
        load(exported)


def test_both_engines_say_nearly_the_same_of_the_same_weights(exported: Path) -> None:
    prefix, branches = asked(3)
    ours, theirs = (load(exported, engine=name).engine for name in ("onnxruntime", "numpy"))
    for one, other in zip(
        ours.imagine(prefix, branches, max_new=1), theirs.imagine(prefix, branches, max_new=1), strict=True
    ):
        assert one.ids == other.ids
        assert one.endings == pytest.approx(other.endings, abs=0.02)


@pytest.mark.parametrize(("engine", "name"), [("auto", GRAPH), ("numpy", ARCHIVE), ("auto", TOKENS), ("auto", ABOUT)])
def test_a_damaged_or_missing_file_is_named_with_what_to_do(folder: Path, engine: str, name: str) -> None:
    content = (folder / name).read_bytes()
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]
    for damage in (content[:middle], flipped, b""):
        (folder / name).write_bytes(damage)
        with pytest.raises(ConfigError, match=rf"{name}.*Next: lookahead train small"):
            load(folder, engine=engine)  # pyright: ignore[reportArgumentType]
    (folder / name).unlink()
    with pytest.raises(ConfigError, match=rf"{name} cannot be read.*Next: "):
        load(folder, engine=engine)  # pyright: ignore[reportArgumentType]


def test_a_file_that_the_engine_does_not_need_may_be_left_out(folder: Path) -> None:
    (folder / ARCHIVE).unlink()
    assert load(folder).engine.name == "onnxruntime"
    (folder / GRAPH).unlink()
    with pytest.raises(ConfigError):
        load(folder)


@pytest.mark.parametrize(
    "about", ["[]", "{}", '{"digests": {}, "model": {}, "format": 1}', '{"digests": 1, "model": 2}']
)
def test_what_is_no_description_of_weights_is_refused(folder: Path, about: str) -> None:
    (folder / ABOUT).write_text(about)
    with pytest.raises(ConfigError, match="Next: "):
        load(folder)


def test_an_alphabet_larger_than_the_model_is_refused(folder: Path) -> None:
    about = json.loads((folder / ABOUT).read_text())
    about["model"]["vocab_size"] = 100
    (folder / ABOUT).write_text(json.dumps(about))
    with pytest.raises(ConfigError, match="100"):
        load(folder)


def test_other_weights_have_another_name(exported: Path, tmp_path: Path) -> None:
    export(checkpoint(tmp_path / "checkpoint", seed=5), tmp_path / "world")
    assert load(tmp_path / "world").name != load(exported).name


def test_nothing_is_imported_before_it_is_used() -> None:
    code = (
        "import sys, lookahead.models.embedded.weights, lookahead.models.embedded.tokens;"
        "print(sorted({'numpy', 'onnxruntime', 'torch'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"

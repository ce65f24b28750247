"""The weights that come with the package: found, checked against what is said of them, and given to an engine."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from typing import Any, Final, Literal, TypeAlias, cast

from lookahead.errors import ConfigError
from lookahead.models.embedded.engine import INSTALL, Engine, Shape
from lookahead.models.embedded.tokens import Tokens

Which: TypeAlias = Literal["auto", "onnxruntime", "numpy"]

ABOUT: Final = "about.json"
TOKENS: Final = "tokens.json"
GRAPH: Final = "world.onnx"
ARCHIVE: Final = "world.npz"
FORMAT: Final = 2
"""Of a folder of weights. Raised where engines read files otherwise, and where the model is told or says otherwise:
weights that learned to read other signs beside a call would answer, and be wrong."""

_AGAIN: Final = "pip install --force-reinstall lookahead-agents"


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A small world model that is ready to imagine."""

    engine: Engine
    tokens: Tokens
    about: Mapping[str, Any]
    """How it was made and how good it is: data and not code."""
    name: str
    """For origins and the record: the same weights have the same name."""


def load(folder: Traversable | None = None, *, engine: Which = "auto", threads: int | None = None) -> Loaded:
    """The small world model of the package, or of a folder that `lookahead train small` wrote.

    ONNX Runtime runs it where that is installed, else numpy. Raises `ConfigError` where neither is, or where a file is
    missing or is not the one that was written.
    """
    chosen = _chosen(engine)
    place = folder if folder is not None else packaged_folder()
    about = _about(place, packaged=folder is None)
    shape = Shape.of(about["model"])
    tokens = Tokens.read(_checked(place, TOKENS, about, packaged=folder is None).decode())
    if len(tokens) > shape.vocabulary:
        raise ConfigError(f"{place / TOKENS} spells with {len(tokens)} tokens and the model knows {shape.vocabulary}")
    if chosen == "onnxruntime":
        from lookahead.models.embedded import onnxruntime

        graph = _checked(place, GRAPH, about, packaged=folder is None)
        ready: Engine = onnxruntime.engine(graph, shape, known=len(tokens), threads=threads)
    else:
        from lookahead.models.embedded import numpy

        archive = _checked(place, ARCHIVE, about, packaged=folder is None)
        ready = numpy.engine(archive, shape, known=len(tokens))
    return Loaded(engine=ready, tokens=tokens, about=about, name=name_of(about))


def about_in(folder: Traversable) -> Mapping[str, Any]:
    """What a folder says of itself, read and no more. Raises `ConfigError` where this version cannot use it."""
    return _about(folder, packaged=False)


def check(folder: Traversable | None = None, *, readable: bool = True) -> Mapping[str, Any]:
    """What a folder says of itself, where all of its files are there as they were written: also those that the engine
    at hand does not read, and with `readable=False` also where another version of Lookahead reads them. Raises
    `ConfigError`."""
    place = folder if folder is not None else packaged_folder()
    about = _about(place, packaged=folder is None, readable=readable)
    for name in (TOKENS, GRAPH, ARCHIVE):
        _checked(place, name, about, packaged=folder is None)
    return about


def is_weights(folder: Traversable) -> bool:
    """Whether a folder is one of small weights, be it that something in it is missing."""
    if not folder.is_dir():
        return False
    if (folder / GRAPH).is_file() or (folder / ARCHIVE).is_file():
        return True
    return (folder / ABOUT).is_file() and (folder / TOKENS).is_file() and not (folder / "config.json").is_file()


def packaged_folder() -> Traversable:
    """The weights that come with Lookahead."""
    return files("lookahead.models.embedded") / "weights"


def name_of(about: Mapping[str, Any]) -> str:
    """By the weights, whichever engine runs them."""
    return f"embedded:{digest(json.dumps(about['digests'], sort_keys=True).encode())[:12]}"


def digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def _chosen(engine: Which) -> Literal["onnxruntime", "numpy"]:
    if find_spec("numpy") is None:
        raise ConfigError(f"the small world model needs numpy, and is faster with ONNX Runtime. Next: {INSTALL}")
    if engine == "auto":
        return "numpy" if find_spec("onnxruntime") is None else "onnxruntime"
    if engine == "onnxruntime" and find_spec("onnxruntime") is None:
        raise ConfigError(f"ONNX Runtime is not installed. Next: {INSTALL}")
    return engine


def _about(place: Traversable, *, packaged: bool, readable: bool = True) -> Mapping[str, Any]:
    text = _read(place, ABOUT, packaged=packaged)
    try:
        about: Any = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"{place / ABOUT} is damaged. Next: {_next(packaged)}") from error
    said: Mapping[str, Any] = cast("dict[str, Any]", about) if isinstance(about, dict) else {}
    if not isinstance(said.get("digests"), dict) or not isinstance(said.get("model"), dict):
        raise ConfigError(f"{place / ABOUT} says nothing of a small world model. Next: {_next(packaged)}")
    if readable and said.get("format") != FORMAT:
        raise ConfigError(
            f"{place} is in format {said.get('format')!r}, and this version reads {FORMAT}: it learned to read calls "
            f"as another version of Lookahead writes them. Next: {_next(packaged)}"
        )
    return said


def _checked(place: Traversable, name: str, about: Mapping[str, Any], *, packaged: bool) -> bytes:
    content = _read(place, name, packaged=packaged)
    if digest(content) != about["digests"].get(name):
        raise ConfigError(f"{place / name} is not the file that was written there. Next: {_next(packaged)}")
    return content


def _read(place: Traversable, name: str, *, packaged: bool) -> bytes:
    try:
        return (place / name).read_bytes()
    except OSError as error:
        raise ConfigError(f"{place / name} cannot be read: {error}. Next: {_next(packaged)}") from error


def _next(packaged: bool) -> str:
    return _AGAIN if packaged else "lookahead train small --out FOLDER"

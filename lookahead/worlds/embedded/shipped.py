"""The weights that come with Lookahead: whether they are there, what is said of them, and the model itself."""

import json
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast

from lookahead.errors import ConfigError
from lookahead.worlds.embedded.confidence import calibration_of
from lookahead.worlds.embedded.foretelling import ROOM, About

if TYPE_CHECKING:
    from lookahead.models.embedded.weights import Loaded
    from lookahead.worlds.embedded.trained import Trained

_FOLDER: Final = files("lookahead.models.embedded") / "weights"
INSTALL: Final = 'pip install "lookahead-agents[embedded]"'
_UNINSTALLED: Final = f"what computes it is not installed. Next: {INSTALL}"


def missing(folder: Traversable = _FOLDER) -> str:
    """What is missing before the model can be used, and what to do about it; empty where all is there.

    Looks at files alone: nothing is imported, nothing is loaded.
    """
    if find_spec("numpy") is None:
        return _UNINSTALLED
    if not (folder / "about.json").is_file():
        return "its weights are not in this installation. Next: lookahead train small, or install a released version"
    return ""


def fast() -> bool:
    """Whether ONNX Runtime is there; numpy alone is some times slower."""
    return find_spec("onnxruntime") is not None


def name_of_weights(folder: Traversable = _FOLDER) -> str:
    """As `Loaded.name` will say it, without loading more than a page of text."""
    from lookahead.models.embedded.weights import digest

    try:
        about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        return f"embedded:{digest(json.dumps(about['digests'], sort_keys=True).encode())[:12]}"
    except (OSError, ValueError, KeyError, TypeError):
        return "embedded"


@lru_cache(maxsize=1)
def shipped() -> "Trained":
    """The one of this process: worlds share it, and the scenes that it has read. Raises `ConfigError`."""
    from lookahead.models.embedded.weights import load

    return trained(load())


def own(folder: Path) -> tuple[str, Callable[[], "Trained"]]:
    """The name of the weights in a folder that `lookahead train small` wrote, and what loads them. Raises `ConfigError`
    at once where there are none that this version reads, and not only when they are first needed."""
    from lookahead.models.embedded.weights import about_in, load, name_of

    if find_spec("numpy") is None:
        raise ConfigError(f"the small world model cannot be had: {_UNINSTALLED}")
    return name_of(about_in(folder)), lambda: trained(load(folder))


def trained(loaded: "Loaded") -> "Trained":
    """Any weights that were loaded, ready to foretell."""
    from lookahead.worlds.embedded.trained import Trained

    return Trained(loaded.engine, loaded.tokens, about_of(loaded.about), name=loaded.name)


def about_of(said: Mapping[str, Any]) -> About:
    """What `about.json` says that the world needs: `commands`, `calibration` and `room`."""
    commands = said.get("commands", ())
    room = said.get("room", ROOM)
    if not isinstance(commands, Iterable) or not isinstance(room, int) or isinstance(room, bool):
        raise ConfigError("about.json of the embedded model: commands is a list of words, room a number of tokens")
    return About(
        commands=frozenset(str(command) for command in cast("Iterable[object]", commands)),
        calibration=calibration_of(said.get("calibration")),
        room=room,
        facts=MappingProxyType(dict(said)),
    )

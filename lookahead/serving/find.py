"""Where a model lies: a folder, the hub's cache, or what is known of it without looking."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

from lookahead.errors import ConfigError, ModelNotFound
from lookahead.serving.facts import Facts, read
from lookahead.serving.known import CONFIGS, THINKING

_WEIGHTS: Final = ("*.safetensors", "*.bin", "*.pt", "*.gguf")
_HUB_NAME: Final = re.compile(r"[\w.-]+/[\w.-]+")
_OWN_TEMPLATES: Final = ("mistral", "pixtral", "ministral")
"""Families whose chat format is in their tokenizer, not in a template."""


def facts_of(model: str) -> Facts:
    """What can be known of this model without loading or fetching anything."""
    folder = folder_of(model)
    if folder is None:
        if model in CONFIGS:
            return read(model, CONFIGS[model], thinks=model in THINKING)
        return Facts(name=model)
    if folder.is_file():
        return Facts(name=model, measured=folder.stat().st_size, bits=4.5, method="gguf")
    config = _json(folder / "config.json")
    if config is None:
        raise ModelNotFound(_not_a_model(folder))
    template = _template(folder)
    family = str(config.get("model_type", ""))
    return read(
        model,
        config,
        measured=_size(folder),
        template=template,
        looked=not (template is None and family.startswith(_OWN_TEMPLATES)),
        thinks=True if model in THINKING else None,
        code=any(folder.glob("*.py")) and "auto_map" in config,
    )


def folder_of(model: str) -> Path | None:
    """The folder or file of a model that is on this machine; None where it has to be fetched."""
    path = Path(model).expanduser()
    if path.exists():
        return path
    if not _HUB_NAME.fullmatch(model) or model.startswith("."):
        raise ModelNotFound(
            f"there is no model at {model!r}: name a folder that holds one, or a model of the hub as OWNER/NAME"
        )
    cached = _cache() / f"models--{model.replace('/', '--')}"
    try:
        revision = (cached / "refs" / "main").read_text().strip()
    except OSError:
        return None
    snapshot = cached / "snapshots" / revision
    # What was only begun to be fetched says nothing of its size yet, but its config is true.
    return snapshot if (snapshot / "config.json").is_file() else None


def _cache() -> Path:
    if named := os.environ.get("HF_HUB_CACHE"):
        return Path(named).expanduser()
    home = os.environ.get("HF_HOME") or os.path.join(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "huggingface")
    return Path(home).expanduser() / "hub"


def _json(path: Path) -> dict[str, Any] | None:
    try:
        found: object = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise ConfigError(f"{path} is not a JSON object: the model is damaged; fetch it again")
    return cast(dict[str, Any], found)


def _not_a_model(folder: Path) -> str:
    if (folder / "adapter_config.json").is_file():
        base = (_json(folder / "adapter_config.json") or {}).get("base_model_name_or_path", "BASE")
        return (
            f"{folder} holds an adapter, not a model. Serve its base with it:\n"
            f"  lookahead serve {base} -- --enable-lora --lora-modules mine={folder}"
        )
    return f"{folder} holds no config.json, so it is no model that vLLM can load: name the folder that has one"


def _size(folder: Path) -> int:
    """Bytes of the weights. An index names their sum, also where not all files are here yet."""
    for name in ("model.safetensors.index.json", "pytorch_model.bin.index.json"):
        index = _json(folder / name)
        about: object = index.get("metadata") if index else None
        if isinstance(about, Mapping):
            total = cast(Mapping[str, Any], about).get("total_size")
            if isinstance(total, int | float) and total > 0:
                return int(total)
    for pattern in _WEIGHTS:
        if files := [path for path in folder.glob(pattern) if path.is_file()]:
            return sum(path.stat().st_size for path in files)
    return 0


def _template(folder: Path) -> str | None:
    """The text of the chat template; None where there is none."""
    if (alone := folder / "chat_template.jinja").is_file():
        return alone.read_text(encoding="utf-8", errors="replace")
    for name in ("chat_template.json", "tokenizer_config.json"):
        found = (_json(folder / name) or {}).get("chat_template")
        if isinstance(found, str) and found:
            return found
        if isinstance(found, list) and found:
            return json.dumps(cast(list[Any], found))
    return None

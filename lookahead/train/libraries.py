"""The libraries that training stands on: each is loaded when it is first named, and nowhere else.

    from lookahead.train.libraries import torch, trl

They are `Any` here on purpose: half of what they offer has no types, and strict types over such a floor say little.
"""

from importlib import import_module
from typing import Any, Final

from lookahead.errors import ConfigError

_KNOWN: Final = ("accelerate", "datasets", "peft", "safetensors", "tokenizers", "torch", "transformers", "trl")
_FURTHER: Final = {"pyplot": "matplotlib.figure"}
_PARTS: Final = {"safetensors": "safetensors.torch"}
"""What is used of a library and does not come by naming it, unless another library happened to load it."""
INSTALL: Final = 'pip install "lookahead-agents[train]"'


def __getattr__(name: str) -> Any:
    if name not in (*_KNOWN, *_FURTHER):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        if name in _PARTS:
            import_module(_PARTS[name])
        return import_module(_FURTHER.get(name, name))
    except ImportError as cause:
        missing = cause.name or name
        raise ConfigError(f"training needs {missing}, which is not installed here: {INSTALL}") from cause

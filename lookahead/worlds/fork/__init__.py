"""Exact worlds: copies of real things that can be had again in a moment, and thrown away."""

from importlib import import_module
from typing import Any, Final

_WHERE: Final = {
    "DatabaseLimits": "database",
    "DirectoryFork": "directory",
    "DryRun": "dry_run",
    "Limits": "limits",
    "PostgresFork": "postgres",
    "PythonFork": "python",
    "SqliteFork": "sqlite",
}


def __getattr__(name: str) -> Any:
    """Each world is loaded when it is asked for: most programs need one of them, and none needs all."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_WHERE)

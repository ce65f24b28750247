"""Folders of tiny weights that say what they learned from, as `lookahead train small` leaves them."""

from pathlib import Path
from typing import Any

from small_world import checkpoint

from lookahead.train.small.export import export, tell

DIGEST = "0" * 64


def recipe(**more: Any) -> dict[str, Any]:
    """Of a model that learned a little of everything."""
    parts: dict[str, Any] = {
        "shell-a": {"kind": "shell", "seed": 1_000, "episodes": 100},
        "keys": {"kind": "keys", "seed": 1, "episodes": 20},
        "calibration-keys": {"kind": "keys", "seed": 501, "episodes": 20},
    }
    return {"parts": parts, "digests": dict.fromkeys(parts, DIGEST), "share": 1.0, "trained": {}, **more}


def weights(folder: Path, seed: int, **more: Any) -> Path:
    export(checkpoint(folder.with_name(f"{folder.name}-checkpoint"), seed=seed), folder)
    tell(folder, {"recipe": recipe(), **more})
    return folder

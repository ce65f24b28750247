"""What the model reads of a scene: all names, and of each file how it begins.

What is in a file is copied, counted and searched by code, and what matters of it stands beside the call (`grounding`).
So the rest of it is not read: real files are of all kinds, and a model is wrong, and sure, about what it never saw.
"""

from typing import Final

from lookahead.worlds.embedded.scene import ASIDE, TREES, Scene

LETTERS: Final = 24
"""Of the first line."""


def glanced(scene: Scene) -> Scene:
    if scene.kind not in TREES:
        return scene
    return scene.with_facts({name: _beginning(name, value) for name, value in scene.facts.items()})


def _beginning(name: str, value: str) -> str:
    if name.startswith(ASIDE) or name.endswith("/") or value.startswith(">"):
        return value
    how, _, body = value.partition("=")
    return f"{how}={body.partition(chr(10))[0][:LETTERS]}{chr(10) if body.endswith(chr(10)) else ''}"

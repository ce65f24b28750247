"""The prompts: text files beside their readers."""

from functools import cache
from pathlib import Path
from string import Template
from typing import Final

_FOLDER: Final = Path(__file__).with_name("prompts")


@cache
def prompt(name: str) -> str:
    """The words of one prompt."""
    return (_FOLDER / f"{name}.txt").read_text(encoding="utf-8").strip()


def filled(name: str, **words: str) -> str:
    """A prompt with a hole in it. What fills it is ours as well: material never goes through here."""
    return Template(prompt(name)).substitute(words)

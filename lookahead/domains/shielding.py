"""Keeps text that is data from being read as the chat's own punctuation.

What the published format permits is left alone: an observation may hold `### Turn 9`, `**Action:**`, three backticks or
an answer tag. The roles of the chat delimit a message, not its text, and an answer tag is looked for in what the model
generates, never in the history. So such a text may confuse a model, and cannot move a border.

What would move one is shielded. Engines turn spellings such as `<|im_end|>` into the tokens that end a message,
wherever they stand; chat templates drop all that precedes a `</think>` in a past answer, so a file with that word in it
would hide its own turn from the world model. And half of a surrogate pair cannot be sent at all.
"""

import re
from typing import Final

_JOINER: Final = "\u2060"
"""Invisible, and splits no word: put behind the `<`, it makes another token of it. `unshielded` takes it out again."""

_CONTROL: Final = r"\|[A-Za-z0-9_]{1,40}\||｜[^｜<>\n]{1,40}｜|(?:start|end)_of_turn"
_THINK: Final = r"/?think"
_IN_TURN: Final = re.compile(f"<(?=(?:{_CONTROL})>)")
_IN_ANSWER: Final = re.compile(f"<(?=(?:{_CONTROL}|{_THINK})>)", re.IGNORECASE)
_SHIELDED: Final = re.compile(f"<{_JOINER}(?=(?:{_CONTROL}|{_THINK})>)", re.IGNORECASE)
_HALF: Final = re.compile("[\ud800-\udfff]")


def shielded(text: str, *, answer: bool = False) -> str:
    """The same to read; no engine and no template takes any of it for its own. `answer`: it stands as a past answer."""
    if "<" in text:
        text = (_IN_ANSWER if answer else _IN_TURN).sub(f"<{_JOINER}", text)
    return text if text.isascii() else _HALF.sub("\ufffd", text)


def unshielded(text: str) -> str:
    """What it was before: a model repeats what it was shown."""
    return _SHIELDED.sub("<", text) if _JOINER in text else text


def sendable(text: str) -> str:
    """Without halves of surrogate pairs, which no wire and no disk takes."""
    return text if text.isascii() else _HALF.sub("\ufffd", text)

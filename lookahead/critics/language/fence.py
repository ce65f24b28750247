"""Material in a prompt: marked where it begins and ends, so that nothing in it can pass for what surrounds it."""

import hmac
import re
import secrets
import unicodedata
from dataclasses import dataclass, field
from typing import Final

_MARK: Final = 16
_OPENING: Final = re.compile(r"<(?=[|｜/!?_A-Za-z])|\[(?=/?[A-Za-z]\w{2,}\])|\{(?=[{%#|])")
"""How the control tokens of chat formats begin, and markup with them: `<|…|>`, `</s>`, `<think>`, `[INST]`, `{{…}}`.

A server that reads such a token in the middle of a message would end the message there.
"""
_ODD: Final = re.compile(r"[^\n\t -~]")
_CARRIERS: Final = frozenset(map(chr, (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0)))
"""Letters that show as nothing although Unicode counts them among the visible ones."""


@dataclass(frozen=True, kw_only=True)
class Fence:
    """Marks that nobody can foretell. The same text has the same mark each time, so that engines remember prompts."""

    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def around(self, label: str, text: str) -> str:
        """The text between its two marks. A text cannot hold its own mark: that depends on all of the text."""
        text = disarmed(text)
        mark = self.mark(f"{label}\0{text}")
        return f"=== {label} {mark} begins ===\n{text}\n=== {label} {mark} ends ==="

    def mark(self, text: str) -> str:
        """What only whoever knows the secret can say of this text."""
        return hmac.new(self.secret, text.encode(), "sha256").hexdigest()[:_MARK]


def disarmed(text: str) -> str:
    """The text with what cannot be seen spelled out, and nothing left that a chat format obeys."""
    return _OPENING.sub(r"\g<0> ", _ODD.sub(_spelled, text.replace("\r\n", "\n")))


def clipped(text: str, longest: int) -> str:
    """The text without its middle where it is too long: its end is never pushed out of sight."""
    if len(text) <= longest:
        return text
    tail = longest // 3
    head = longest - tail
    return f"{text[:head]}\n(… {len(text) - longest:,} characters left out …)\n{text[-tail:]}"


def _spelled(match: re.Match[str]) -> str:
    char = match[0]
    point = ord(char)
    unseen = unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") or char in _CARRIERS
    varied = 0xFE00 <= point <= 0xFE0F or 0xE0100 <= point <= 0xE01EF
    return f"\\u{{{point:x}}}" if unseen or varied else char

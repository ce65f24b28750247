"""Bytes behind base64, base32 and hex, and whether they are text."""

import base64
import binascii
from typing import Final

_STANDARD: Final = str.maketrans("-_", "+/")
_MOST: Final = 400_000


def as_text(data: bytes) -> str:
    """The text that bytes hold, or "" if they are no text."""
    if not data:
        return ""
    if data.isascii():
        if len(data) > 3 and not any(data[1::2]):
            data = data[::2]
        return data.decode() if _printable(data) else ""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    try:
        return data.decode() if _printable(data) else ""
    except UnicodeDecodeError:
        return ""


_CONTROL: Final = bytes(range(9)) + bytes(range(14, 32)) + b"\x7f\x0b\x0c"


def _printable(data: bytes) -> bool:
    return len(data.translate(None, _CONTROL)) * 20 >= len(data) * 19


def bytes_of_hex(text: str) -> bytes:
    return bytes.fromhex(text[: len(text) & ~1])


def decoded(text: str) -> bytes:
    text = text.rstrip("=")[:_MOST]
    whole = text[: len(text) - 1] if len(text) % 4 == 1 else text
    try:
        return base64.b64decode(whole.translate(_STANDARD) + "=" * (-len(whole) % 4))
    except (binascii.Error, ValueError):
        return b""


def decoded32(text: str) -> bytes:
    text = text.rstrip("=")[:_MOST]
    try:
        return base64.b32decode(text + "=" * (-len(text) % 8))
    except (binascii.Error, ValueError):
        return b""

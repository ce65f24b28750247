"""What base64, base32 and hex hide: each run is opened, and read like any other text."""

import re
from collections.abc import Callable, Iterator
from typing import Final

from lookahead.redact.encoding import as_text, bytes_of_hex, decoded, decoded32
from lookahead.redact.forms import runs
from lookahead.redact.providers import Find, tokens

Read = Callable[[str], list[Find]]

_SEGMENT: Final = re.compile(r"[A-Za-z0-9+/_\-]{16,}={0,2}")
_HEX: Final = re.compile(r"(?:0[xX])?((?:[0-9a-f]{2}){8,}|(?:[0-9A-F]{2}){8,})")
_BASE32: Final = re.compile(r"[A-Z2-7]{24,}={0,6}")
_PATH: Final = re.compile(r"/?(?:[\w\-.]{1,30}/)+")


def opened(text: str, start: int, end: int, read: Read) -> Iterator[Find]:
    """Segments of one run whose decoding holds a secret."""
    run = text[start:end]
    if "\n" in run:
        yield from _judge(start, end, decoded(_BREAK.sub("", run)), read)
        return
    whole = _HEX.fullmatch(run)
    if whole:
        yield from _judge(start, end, bytes_of_hex(whole[1]), read)
        return
    if _BASE32.fullmatch(run):
        yield from _judge(start, end, decoded32(run), read)
    for match in _SEGMENT.finditer(run):
        found = list(_segment(match[0], start + match.start(), read))
        if not found and "/" in match[0] and _PATH.match(match[0]):
            place = start + match.start() + match[0].rfind("/") + 1
            last = match[0][match[0].rfind("/") + 1 :]
            found = list(_segment(last, place, read)) if len(last) >= 16 else []
        yield from found


_BREAK: Final = re.compile(r"(?:\r?\n|\\n)[ \t>]*")
_LINE: Final = re.compile(r"(?:\r?\n)[ \t>]*(?P<line>[A-Za-z0-9+/]{1,200}={0,2})(?=\s|\Z)")


def block_end(text: str, start: int, end: int) -> int:
    """Where the block ends of which this run is the first line; the end of the run where it is no block.

    A block is base64 in lines of one length, the last one shorter, as mail and armour have it.
    """
    length, past, letters = end - start, end, text[start:end]
    if length < 40:
        return end
    while line := _LINE.match(text, past):
        width = len(line["line"])
        if width > length:
            break
        past, letters = line.end(), letters + line["line"]
        if width < length:
            break
    return past if "+" in letters or "/" in letters or as_text(decoded(letters)) else end


_NIBBLES: Final = bytes(
    104 if chr(i) in "0123456789abcdefABCDEF" else 115 if chr(i) in " :-\n" else 120 for i in range(256)
)  # fmt: skip
_DUMP: Final = re.compile(r"(?<![0-9A-Za-z])[0-9a-fA-F]{2}(?:[ :\-\n]{1,2}[0-9a-fA-F]{2}){7,}(?![0-9A-Za-z])")


def spaced_hex(text: str) -> bool:
    """True when eight pairs of hex digits stand apart in a row, as in a dump."""
    return b"hhs" * 7 + b"hh" in text.encode("latin-1", "replace").translate(_NIBBLES)


def opened_dumps(text: str, read: Read) -> Iterator[Find]:
    """Dumps whose bytes are a text with a secret."""
    for match in _DUMP.finditer(text):
        yield from _judge(*match.span(), bytes.fromhex(re.sub(r"[^0-9a-fA-F]", "", match[0])), read)


def holds_text(run: str) -> bool:
    """True for text in base64: it looks as random as a token, and is none."""
    return any(as_text(decoded(part)) != "" for part in run.split("=") if len(part) >= 16)


def _segment(segment: str, start: int, read: Read) -> Iterator[Find]:
    hexed = _HEX.fullmatch(segment)
    data = bytes_of_hex(hexed[1]) if hexed else decoded(segment)
    yield from _judge(start, start + len(segment), data, read)


def _judge(start: int, end: int, data: bytes, read: Read) -> Iterator[Find]:
    inner = as_text(data)
    if inner:
        finds = read(inner)
    else:
        # Of binary data, only what could be a token in it; so much noise holds any word beside any other.
        noise = data.decode("latin-1") if len(data) > 40 else ""
        finds = [find for start_, end_ in runs(noise) for find in tokens(noise, start_, end_)]
    if finds:
        yield Find(start, end, finds[0].kind)

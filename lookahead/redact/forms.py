"""Secrets that show by their form: signed tokens, private keys, hooks, and plain randomness."""

import re
from collections.abc import Iterator
from typing import Final

from lookahead.redact.providers import Find
from lookahead.redact.values import changes, shape

_JWT: Final = re.compile(
    r"(?<![A-Za-z0-9_\-])eyJ[A-Za-z0-9_\-]{5,}\.eyJ?[A-Za-z0-9_\-]{2,}(?:\.[A-Za-z0-9_\-]*){0,3}"
    r"|(?<![A-Za-z0-9_\-])eyJ[A-Za-z0-9_\-]{12,}\.\.[\w.\-]{20,}"
)
_ARMOUR: Final = re.compile(r"-----BEGIN[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_ARMOUR_END: Final = re.compile(r"-----END[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_SENTENCE: Final = re.compile(r"\b(?:and|with|the|or|ends?) ")
_ARMOURED: Final = re.compile(
    r"(?:(?:\\++[nrt]|[\s\"'+,>|#*\x00\\])*+(?:[A-Za-z0-9+/]{20,}+={0,2}|(?:Proc-Type|DEK-Info|Comment"
    r"|Version): [^\n\\]{1,100}+))*+"
    r"(?:(?:\\++[nrt]|[\s\"'+,>|#*\x00])*+[A-Za-z0-9+/]{1,19}={1,2})?"
)
_PUTTY: Final = re.compile(r"Private-Lines: \d{1,4}\s+(?P<body>(?:[A-Za-z0-9+/=]{1,64}\s*){1,200})")
_HOOK: Final = re.compile(
    r"https://(?:hooks\.slack\.com/(?:services|workflows|triggers)/|(?:ptb\."
    r"|canary\.)?discord(?:app)?\.com/api/webhooks/\d{5,25}/"
    r"|[\w.\-]{1,80}\.webhook\.office\.com/|chat\.googleapis\.com/v1/spaces/"
    r"|api\.telegram\.org/bot)(?P<path>[^\s\"'<>\\]{8,300})"
)


_AZURE: Final = re.compile(r"(?<![\w~.\-])[\w~.\-]{3}\d?[78]Q~[\w~.\-]{31,34}")


def marked(text: str) -> Iterator[Find]:
    """Secrets that announce themselves: private keys in their armour, signed tokens, hooks that anybody may post to."""
    if "PRIVATE KEY" in text:
        yield from _armoured(text)
    if "Private-Lines" in text:
        for match in _PUTTY.finditer(text):
            yield Find(match.start("body"), match.end("body"), "private-key", match["body"].replace("\n", ""))
    if "Q~" in text:
        for match in _AZURE.finditer(text):
            yield Find(match.start(), match.end(), "azure-secret", match[0])
    if "eyJ" in text:
        for match in _JWT.finditer(text):
            yield Find(match.start(), match.end(), "jwt", match[0])
    if "https://" in text and ("hook" in text or "telegram" in text or "spaces" in text):
        for match in _HOOK.finditer(text):
            yield Find(match.start("path"), match.end("path"), "webhook", match["path"])


def _armoured(text: str) -> Iterator[Find]:
    past = 0
    for match in _ARMOUR.finditer(text):
        if match.start() < past:
            continue
        end = _ARMOUR_END.search(text, match.end(), match.end() + 20_000)
        inside = _ARMOURED.match(text, match.end())
        past = end.end() if end else inside.end() if inside else match.end()
        body = re.sub(r"\\+[nr]|[^A-Za-z0-9+/=]", "", text[match.end() : end.start() if end else past])
        body = "" if end and _SENTENCE.search(text, match.end(), end.start()) else body
        if len(body) >= (24 if end else 40):
            yield Find(match.start(), past, "private-key", body)
        else:
            past = match.end()


_STRETCH: Final = 16
_CLASS: Final = bytes(
    97 if i < 128 and (chr(i).isalnum() or chr(i) in "_-+/=") else 32 for i in range(256)
)  # fmt: skip
_LONG_RUN: Final = b"a" * _STRETCH


def runs(text: str) -> Iterator[tuple[int, int]]:
    """The unbroken runs of at least sixteen letters of the base64 alphabets: what could be a token or hide one."""
    classes = text.encode("latin-1", "replace").translate(_CLASS)
    start = classes.find(_LONG_RUN)
    while start >= 0:
        end = classes.find(b" ", start)
        end = len(classes) if end < 0 else end
        yield start, end
        start = classes.find(_LONG_RUN, end)


_LONE: Final = re.compile(r"[A-Za-z0-9_\-]{32,128}(?![A-Za-z0-9_\-])")
_KEY_LENGTHS: Final = frozenset((40, 43, 44, 54, 56, 64, 86, 88))
"""As long as keys of 30, 32, 40, 48 and 64 bytes are in base64; other lengths with its signs are data."""
_DIGEST: Final = re.compile(
    r"(?:sha(?:1|224|256|384|512)|md5|blake[23][a-z]?|SHA256|h1|integrity)[-:=_ ]{1,3}[\"']?\Z|(?:pub|public|digest"
    r"|hash|checksum|integrity|fingerprint|etag)[\w\-]{0,12}[\"']?\s{0,2}[:=]\s{0,2}[\"']?\Z",
    re.IGNORECASE,
)
_DATA: Final = re.compile(r"iVBOR|/9j/|R0lGOD|UEsDB|H4sI|JVBER|UklGR|d09G|AAABAA|Qk0")
_DIGESTED: Final = re.compile(r"(?:sha\d{1,3}|md5|h1|blake\d\w?)[\-:=]", re.IGNORECASE)
_NOT_LONE: Final = re.compile(
    r"AAAA[BCE][23]N|_?_Z[A-Z0-9]|Qm[1-9A-HJ-NP-Za-km-z]{44}|[A-Z0-9]{2,}_[A-Z0-9_]+\Z|iVBOR|/9j/|R0lGOD|UEsDB|H4sI|JVBER|UklGR"
    r"|d09G|AAABAA|Qk0|MII[A-Z]"
    r"|(?:cs|pi|seti|ch|cus|sub|evt|req|msg|chatcmpl|run|thread|asst|call|toolu|resp)_|chatcmpl-|[0-9a-fA-F\-]+\Z"
)
_ADDRESS: Final = re.compile(r"://[^\s\"'<>]*\Z")
_SCHEMED: Final = re.compile(r"(?:base64%|data:[\w/+.;\-=]{0,60},|://[^\s\"'<>]{0,200}/d/|ssh-\w+ )\Z")


def is_data(run: str) -> bool:
    """True for a picture, an archive or a font in base64, by its first letters, and for a digest that says so."""
    return (len(run) > 60 and _DATA.match(run) is not None) or _DIGESTED.match(run) is not None


def lone(text: str, start: int, end: int) -> Iterator[Find]:
    """Tokens without any name beside them that a reader would still be sure of: long, mixed, and in no order."""
    run = text[start:end]
    before = text[max(start - 200, 0) : start]
    if _NOT_LONE.match(run) or _DIGESTED.match(run) or _SCHEMED.search(before):
        return
    whole = end - start in _KEY_LENGTHS and ("/" in run or "+" in run) and "=" not in run.rstrip("=")
    if whole and _ADDRESS.search(before) is None and not (run.startswith("/") or run.count("/") > 5):
        found = [(start, end)]
    else:
        found = [match.span() for match in _LONE.finditer(text, start, end) if "+" not in run]
    for first, last in found:
        value = text[first:last].rstrip("=")
        before = text[max(first - 200, 0) : first]
        if sure(value) and not (_DIGEST.search(before[-32:]) or _SCHEMED.search(before)):
            yield Find(first, last, "token", text[first:last])


_SIGN: Final = re.compile(r"[/_+\-]")


def sure(value: str) -> bool:
    """Small letters, capitals and digits, all of them often and strewn: no identifier, path, digest or sentence."""
    kinds = shape(value)
    lower, upper, digits = kinds.count(0), kinds.count(1), kinds.count(2)
    length = len(value)
    if not digits or min(upper, lower) * 8 < length or len(set(value)) < 16 or _NOT_LONE.match(value):
        return False
    parts = _SIGN.split(value)
    if len(parts) > 3 + length // 10 or all(_readable(part) for part in parts):
        return False
    return changes("".join(parts)) >= (0.38 if digits * 16 >= length else 0.45)


_WORD: Final = re.compile(r"(?:[A-Z]?[a-z]{2,}+|[A-Z]{2,}+|[A-Z]?\d++)++\Z")


def _readable(part: str) -> bool:
    return _WORD.match(part) is not None or len(part) < 4

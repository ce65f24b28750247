"""Secrets that show by the name beside them: assignments, settings, headers, queries, tables of names and values."""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from typing import Final

from lookahead.redact.convincing import AT_LINE, MACHINE_MADE, Value, convinces, phrase, within_brackets
from lookahead.redact.names import promise
from lookahead.redact.providers import Find
from lookahead.redact.values import computed, mixed, prose, random_like, stands_in

_Q: Final = r"\\*[\"'`]"
_TAIL: Final = (
    r"(?P<rest>[\w\-]{0,32})(?:"
    # password = x, "password": x, password => x; with a type between as in `secret: string = x`; `password for bob: x`
    rf"(?P<assign>(?:{_Q})?[\])}}]?[ \t]{{0,16}}(?::[ \t]{{0,4}}[\w.<>\[\]|?]{{1,40}}[ \t]{{0,4}}=(?![=>])|===?|:=|=>"
    rf"|(?<!\) )(?<!\))->|[=：]|::(?=[ \t])|:(?![:/]))>?[ \t]{{0,16}})"
    rf"|(?P<says>(?:{_Q})?\s{{1,3}}(?:is|was|will be|(?:set|changed|reset|rotated|updated) to|ist|lautet"
    r"|(?:for|of) [\w@.\-'\" ]{1,40}:)(?:\s{1,3}now)?:?\s{1,3})"
    rf"|(?P<pair>(?:{_Q})?[,;]?\s{{0,20}}(?:-\s{{0,4}})?(?:{_Q})?(?:value|val|default|content|data)(?:{_Q})?"
    r"\s{0,4}[:=]\s{0,4})"
    r"|(?P<element>(?:[\"'][^<>\n]{0,80})?>(?=[^<>\s=][^<>\n]{0,400}</))"
    rf"|(?P<beside>(?:{_Q})?[ \t]{{0,8}}(?:[ \t|][ \t]{{0,8}}(?:[0-9] )?(?=(?:{_Q})|[^\s|]{{0,64}}\d)"
    rf"|,[ \t]{{0,8}}(?={_Q})))"
    r")"
)


@cache
def _anchored(anchor: str) -> re.Pattern[str]:
    return re.compile(re.escape(anchor) + _TAIL)


def named(text: str, low: str, anchors: Iterable[str]) -> Iterator[Find]:
    """Values beside a name that promises a secret. `low` is the text in small letters, place by place."""
    for anchor in anchors:
        past = 0
        for match in _anchored(anchor).finditer(low):
            if match.start() >= past:
                for find in _one(text, match):
                    past = max(past, find.end)
                    yield find


_NAME_LETTERS: Final = frozenset("_-.ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")


def _one(text: str, match: re.Match[str]) -> Iterator[Find]:
    end = match.end("rest")
    start = match.start()
    least = max(start - 48, 0)
    while start > least and (text[start - 1] in _NAME_LETTERS or text[start - 1].isalpha()):
        start -= 1
    name = text[start:end].strip("-._")
    means = promise(name)
    if not means:
        return
    how = match.lastgroup or "assign"
    if how == "element" and not (text[start - 1 : start] in "<:\"'" and start):
        return
    if text[start - 1 : start] == ":" and text.startswith(":`", end):
        return  # a role in reStructuredText
    kind = mark_of(name)
    if kind in MACHINE_MADE and _NUMBER.match(text, match.end()):
        return
    value = _value(text, start, end, match.end(), how)
    if value is None or not value.text.strip():
        return
    if name.lower().rpartition(".")[2] in _HEADERS and how in ("assign", "pair"):
        if not value.quoted and computed(value.text.lstrip("!")):
            return
        yield from _header(text, start, value, kind)
    elif convinces(text, start, name, value, means, how, kind):
        yield Find(value.start, value.end, kind, value.text)


_NUMBER: Final = re.compile(r"[\d.,]{1,12}(?:[\s;)\]}\x00]|\Z)")
_HEADERS: Final = frozenset(
    f"{before}{name}"
    for name in ("authorization", "cookie", "set-cookie", "cookies", "set_cookie")
    for before in ("", "proxy-", "x-", "http_", "x_", "proxy_")
)


@lru_cache(maxsize=4096)
def mark_of(name: str) -> str:
    """What a redacted value of this name is called in its mark: a word for the sort, never the name itself."""
    low = name.lower().replace("_", "").replace("-", "")
    for word, kind in _MARKS:
        if word in low:
            return kind
    return "secret"


_MARKS: Final = (
    ("cookie", "cookie"), ("authoriz", "authorization"), ("passphrase", "passphrase"), ("pass", "password"),
    ("pwd", "password"), ("kennwort", "password"), ("secret", "secret"), ("token", "token"), ("key", "key"),
    ("cred", "credential"), ("otp", "code"), ("pin", "code"), ("cv", "code"), ("sig", "signature"),
    ("sess", "session"), ("sid", "session"),
)  # fmt: skip


# ---- where a value begins and ends -------------------------------------------------------------------------------

_OPENING: Final = re.compile(r"(?:[bBrRuUfF@]{1,2}|[$N])?(?P<q>\\*(?:\"\"\"|'''|[\"'`]))")
_BARE: Final = re.compile(r"[^\s\"'`\x00]{1,4096}")
_MADE: Final = re.compile(
    r"(?:[A-Za-z]\w{0,40}(?:::|\.))?(?:from|new|of|from_str|fromString|valueOf|str|bytes|(?:Secret|Secure|Byte|String)\w{0,20})"
    r"\(\s?(?P<q>[\"'])(?P<value>[^\s\"'\x00]{5,400})(?P=q)\)"
)
"""A literal in the call that makes it a value of some type, as in `String::from("…")`."""
_ANOTHER: Final = re.compile(r"(?P<sign>[&;,])(?=\s*[\"']?[\w.\-%\[\]]{1,60}[\"']?\s*[=:]|\s*\Z)")
_TO_END: Final = re.compile(r"[^\n\r\x00]{0,2000}")


def _value(text: str, name_start: int, name_end: int, start: int, how: str) -> Value | None:
    opening = _OPENING.match(text, start)
    if opening and _closes(text, name_start, name_end, start, opening["q"]):
        return None
    if opening:
        quote, inner = opening["q"], opening.end()
        end = _end_of_quoted(text, inner, quote)
        if end >= 0:
            return Value(inner, end, text[inner:end], True, False)
        start = inner
    made = _MADE.match(text, start)
    if made:
        return Value(*made.span("value"), made["value"], True, False)
    bare = _BARE.match(text, start)
    if not bare:
        return None
    end = bare.end()
    line = _TO_END.match(text, start)
    line_end = line.end() if line else end
    alone = not text[end:line_end].strip()
    rest = text[start:line_end] if not alone and how == "assign" else ""
    mnemonic = 12 <= rest.count(" ") + 1 <= 24
    if phrase(rest) and (mnemonic or AT_LINE.search(text[max(name_start - 80, 0) : name_start])):
        return Value(start, line_end, rest, False, True)
    cut = _ANOTHER.search(text, start, end)
    if cut and (cut["sign"] != "," or how != "beside"):
        end = cut.start()
    elif within_brackets(text, name_start) or how == "element":
        stop = re.compile(r"[)\]},<]").search(text, start, end)
        end = stop.start() if stop and stop.start() > start else end
    tag = text.find("</", start, end)
    end = _trim(text, start, tag if tag > start else end)
    return Value(start, end, text[start:end], False, alone) if end > start else None


def _closes(text: str, name_start: int, name_end: int, start: int, quote: str) -> bool:
    """True when this quote ends a string in which the name stands, as in `print("password: ")`."""
    sign = quote[-1]
    if sign in text[name_end:start]:
        return False
    line = text[max(text.rfind("\n", max(name_start - 200, 0), name_start), name_start - 200, 0) : name_start]
    return line.count(sign) % 2 == 1


def _end_of_quoted(text: str, start: int, quote: str) -> int:
    limit = text.find("\x00", start, start + 8192)
    limit = min(len(text), start + 8192) if limit < 0 else limit
    end = text.find(quote, start, limit)
    while end > start and not quote.startswith("\\") and text[end - 1] == "\\":
        slashes = end - len(text[start:end].rstrip("\\")) - start
        if slashes % 2 == 0:
            break
        end = text.find(quote, end + 1, limit)
    return end


def _trim(text: str, start: int, end: int) -> int:
    while end > start and text[end - 1] in ".,;:?)]}>\\|":
        if text[end - 1] in ")]}>" and any(sign in text[start:end] for sign in "([{<"):
            break
        end -= 1
    return end


# ---- headers -----------------------------------------------------------------------------------------------------

_SCHEME: Final = re.compile(
    r"(?i)(?:bearer|basic|token|digest|apikey|api-key|negotiate|ntlm|bot|oauth|key|aws4-hmac-sha256|sharedkey\w*"
    r"|hmac\S*|signature)(?:[ \t]+|:)"
)


def _header(text: str, name_start: int, value: Value, kind: str) -> Iterator[Find]:
    start, end = value.start, value.end
    if not value.quoted:
        line = _TO_END.match(text, start)
        end = line.end() if line else end
        before = text[max(text.rfind("\n", max(name_start - 120, 0), name_start), name_start - 120, 0) : name_start]
        for quote in ("'", '"'):
            if before.count(quote) % 2 and quote in text[start:end]:
                end = text.index(quote, start, end)
        end = _trim(text, start, end)
    content = text[start:end].rstrip("\\")
    end = start + len(content)
    if kind == "cookie":
        values = [pair.partition("=")[2].strip() for pair in content.split(";")]
        if any(mixed(one, 5) for one in values) and "=" in content:
            yield Find(start, end, kind)
            yield from (Find(start, start, kind, one) for one in values if random_like(one, 12))
        return
    yield from credentials(content, start)


def credentials(content: str, start: int) -> Iterator[Find]:
    """What stands after `Authorization:`, with the scheme left readable."""
    scheme = _SCHEME.match(content)
    shown = scheme.end() if scheme else 0
    value = content[shown:]
    if (
        stands_in(value)
        or prose(value)
        or not (mixed(value, 5) or random_like(value) or (scheme and len(value) >= 16 and " " not in value))
    ):
        return
    password = basic_password(value) if scheme and scheme[0].lower().startswith("basic") else ""
    # The password is the secret in it; the whole is only text in base64.
    yield Find(start + shown, start + len(content), "authorization", "" if password or " " in value else value)
    if password:
        yield Find(start, start, "password", password)


def basic_password(value: str) -> str:
    """The password in `base64(user:password)`, or ""."""
    try:
        plain = base64.b64decode(value.strip() + "=" * (-len(value.strip()) % 4)).decode()
    except (binascii.Error, ValueError):
        return ""
    return plain.partition(":")[2] if plain.isprintable() else ""

"""Two texts that say the same although clocks, process numbers, addresses and names drawn at random differ."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias, cast

from pydantic import JsonValue

from lookahead.canonical import as_json, canonical

Same: TypeAlias = Literal["exact", "normalised", "no"]

NEAR: Final = 300.0
"""Seconds that may lie between imagining a thing and doing it. Times further apart are two different times."""

MINUTES: Final = 120.0
"""The same for a time that is given in whole minutes."""

_SPAN: Final = r"(?:s|secs?|seconds?|ms|milliseconds?|[uµ]s|ns)\b"
_TOKEN: Final = re.compile(
    rf"""
      (?P<iso>\b\d{{4}}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:\ ?(?:Z|UTC|[+-]\d\d:?\d\d))?(?!\d))
    | (?P<day>\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)
        \ {{1,2}}\d{{1,2}}\ \d\d:\d\d(?::\d\d)?(?:\ \d{{4}})?(?!\d|:))
    | (?P<clock>(?<![\d:.])\d\d:\d\d:\d\d(?:[.,]\d+)?(?![\d:]))
    # A number with a fraction was measured; one without is as often somebody's setting, unless it says otherwise.
    | (?P<took>(?<![\w.])(?:\d+h)?(?:\d+m)?\d+\.\d+\ ?{_SPAN}
        | (?<![\w.])\d+\ ?(?:ms|milliseconds?|[uµ]s|ns)\b
        | \b(?:took|elapsed|duration|latency|runtime|real|user|sys)\b[=:\s]{{1,4}}\d+(?:\.\d+)?\ ?{_SPAN}
        | \b(?:done|finished|completed|built|ran)\ in\ \d+(?:\.\d+)?\ ?{_SPAN})
    | (?P<pid>\b(?:[Pp][Ii][Dd]|[Pp]rocess)[ =:]{{1,3}}\d+\b | (?m:^)\[\d+\]\ \d+(?=\s|$))
    | (?P<address>\b0x[0-9a-fA-F]{{8,16}}(?![0-9a-zA-Z]))
    # The name is drawn at random, what lies below it is not.
    | (?P<temp>(?<=/)tmp[._-]?(?=[a-z_]*[A-Z0-9]|[a-z_]{{8}}(?![A-Za-z0-9_]))[A-Za-z0-9_]{{6,12}}(?![A-Za-z0-9_])
        | /var/folders/\w\w/[^/\s]+/T(?=/))
    """,
    re.VERBOSE,
)
_WHEN: Final = re.compile(
    r"(?i)(?:^|_|-)(?:time|timestamp|ts|at|mtime|ctime|atime|now|started|finished|created|updated)$|At$"
)
_LASTED: Final = re.compile(
    r"(?i)(?:^|_|-)(?:elapsed|took|latency|runtime)(?:_?(?:s|secs?|seconds|ms|millis|milliseconds))?$"
)
_MEASURED: Final = re.compile(r"(?i)(?:^|_|-)(?:duration|seconds|secs|ms|millis|milliseconds)$")
_PID: Final = re.compile(r"(?i)^(?:p?pid|process_?id)$")


def same_text(one: str, other: str) -> Same:
    if one == other:
        return "exact"
    return "normalised" if _Names().text(one, other) else "no"


def same_value(one: JsonValue, other: JsonValue) -> Same:
    if one is None and other is None:
        return "exact"
    if canonical_or_text(one) == canonical_or_text(other):
        return "exact"
    return "normalised" if _Names().value(one, other) else "no"


def canonical_or_text(value: JsonValue) -> str:
    """NaN has no canonical spelling, yet an answer may hold it."""
    try:
        return canonical(value)
    except ValueError:
        return spelled(value)


def spelled(value: JsonValue) -> str:
    """As Python writes it, but for numbers that are too long for that."""
    try:
        return str(value)
    except ValueError:
        return str(as_json(value))


class _Names:
    """What is called what in the other text: a name drawn at random must stand for one thing throughout."""

    def __init__(self) -> None:
        self._there: dict[tuple[str, str], str] = {}
        self._back: dict[tuple[str, str], str] = {}

    def text(self, one: str, other: str) -> bool:
        (bare, mine), (bare_other, theirs) = _parts(one), _parts(other)
        return bare == bare_other and all(self._alike(a, b) for a, b in zip(mine, theirs, strict=True))

    def value(self, one: JsonValue, other: JsonValue, name: str = "") -> bool:
        if isinstance(one, str) and isinstance(other, str):
            return self.text(one, other)
        if isinstance(one, list) and isinstance(other, list):
            return len(one) == len(other) and all(self.value(a, b, name) for a, b in zip(one, other, strict=True))
        if isinstance(one, dict) and isinstance(other, dict):
            return one.keys() == other.keys() and all(self.value(one[key], other[key], key) for key in one)
        if _numeric(one) and _numeric(other) and self._number(cast(float, one), cast(float, other), name):
            return True
        return canonical_or_text(one) == canonical_or_text(other)

    def _number(self, one: float, other: float, name: str) -> bool:
        if _PID.search(name):
            return self._one_to_one("pid", spelled(one), spelled(other))
        if _LASTED.search(name):
            return True
        if _MEASURED.search(name):
            return one % 1 != 0 or other % 1 != 0
        return bool(_WHEN.search(name)) and min(one, other) > 1e9 and _close(one, other)

    def _alike(self, one: tuple[str, str], other: tuple[str, str]) -> bool:
        kind, mine = one
        theirs = other[1]
        if kind == "took":
            return True
        if kind in ("iso", "day", "clock"):
            return mine == theirs or _near(kind, mine, theirs)
        return self._one_to_one(kind, mine, theirs)

    def _one_to_one(self, kind: str, mine: str, theirs: str) -> bool:
        return (
            self._there.setdefault((kind, mine), theirs) == theirs
            and self._back.setdefault((kind, theirs), mine) == mine
        )


def _numeric(value: JsonValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _close(one: float, other: float) -> bool:
    """Near each other, be it in seconds, milliseconds, microseconds or nanoseconds since 1970."""
    scale = 1.0
    try:
        while min(one, other) / scale > 1e11:
            scale *= 1000
        return abs(one - other) / scale < NEAR and not one / scale % 60 == other / scale % 60 == 0
    except OverflowError:
        # No time: a number above all that a float can be.
        return False


def _parts(text: str) -> tuple[str, list[tuple[str, str]]]:
    """The text with its tokens taken out, and the tokens."""
    text = "\n".join(line.rstrip() for line in text.splitlines()).rstrip()
    tokens = list(_tokens(text))
    bare: list[str] = []
    last = 0
    for start, end, kind, _ in tokens:
        bare += [text[last:start], f"\0{kind}\0"]
        last = end
    return "".join([*bare, text[last:]]), [(kind, token) for _, _, kind, token in tokens]


def _tokens(text: str) -> Iterator[tuple[int, int, str, str]]:
    for found in _TOKEN.finditer(text):
        assert found.lastgroup
        yield found.start(), found.end(), found.lastgroup, found.group()


def _near(kind: str, one: str, other: str) -> bool:
    """Two readings of a clock, a little apart. Round times are somebody's appointments, and must be equal."""
    mine, theirs = _moment(kind, one), _moment(kind, other)
    if mine is None or theirs is None:
        return False
    apart = abs((mine - theirs).total_seconds())
    if kind == "clock":
        apart = min(apart, 86400 - apart)
    if one.count(":") == 1:
        return apart <= MINUTES
    return apart < NEAR and not (_round(mine) and _round(theirs))


def _round(moment: datetime) -> bool:
    return moment.second == 0 and moment.microsecond == 0


def _moment(kind: str, text: str) -> datetime | None:
    text = text.replace(",", ".")
    try:
        if kind == "iso":
            plain = text.replace(" UTC", "Z").replace(" +", "+").replace(" -", "-")
            moment = datetime.fromisoformat(plain)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if kind == "clock":
            return datetime.fromisoformat(f"2000-01-01T{text}+00:00")
        return _day(text)
    except ValueError:
        return None


def _day(text: str) -> datetime:
    """`Nov 21 08:05`, with or without seconds and year."""
    month, day, clock, *year = text.split()
    pattern = "%Y %b %d %H:%M:%S" if clock.count(":") == 2 else "%Y %b %d %H:%M"
    return datetime.strptime(f"{year[0] if year else 2000} {month} {day} {clock}", pattern).replace(tzinfo=UTC)

"""What a rule found in the text of a call or in a predicted effect, before it becomes a hazard."""

import re
import unicodedata
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from lookahead.types import Hazard, Severity

Reach: TypeAlias = Literal["files", "rows", "beyond"]
"""Who could have seen it in a copy: a directory's copy, a database's copy, or nobody (network, processes)."""

LONGEST: Final = 100
ORDER: Final[tuple[Severity, ...]] = ("note", "caution", "danger")

_SECRET = re.compile(
    r"(?i)((?:pass(?:word|wd)?|token|secret|api[-_]?key|authorization|bearer)['\"]?\s*[=: ]\s*(?:bearer\s+)?)[^\s'\"&]+"
)
_LOGIN = re.compile(r"://[^/\s@]+@")


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    rule: str
    what: str
    why: str
    severity: Severity
    reversible: bool | None = None
    evidence: tuple[str, ...] = ()
    reach: Reach = "beyond"
    loses: bool = False
    """Whether something that was there is gone afterwards."""
    names: tuple[str, ...] = ()
    """What it is about, when a goal that asks for just this makes it less surprising."""

    def hazard(self, *, predicted: bool, then: bool = False, step: int = 0) -> Hazard:
        return Hazard(
            rule=self.rule,
            what=one_line(f"then: {self.what}" if then else self.what),
            why=one_line(self.why),
            severity=self.severity,
            reversible=self.reversible,
            evidence=tuple(one_line(item) for item in self.evidence[:3]),
            predicted=predicted,
            step=step,
        )

    def milder(self) -> "Finding":
        return replace(self, severity=ORDER[max(0, ORDER.index(self.severity) - 1)])


def note(rule: str, what: str, why: str, *evidence: str, reach: Reach = "beyond") -> Finding:
    return Finding(rule=rule, what=what, why=why, severity="note", evidence=evidence, reach=reach)


def caution(
    rule: str,
    what: str,
    why: str,
    *evidence: str,
    reach: Reach = "beyond",
    loses: bool = False,
    names: tuple[str, ...] = (),
) -> Finding:
    return Finding(
        rule=rule, what=what, why=why, severity="caution", evidence=evidence, reach=reach, loses=loses, names=names
    )


def danger(
    rule: str,
    what: str,
    why: str,
    *evidence: str,
    reach: Reach = "beyond",
    loses: bool = True,
    names: tuple[str, ...] = (),
) -> Finding:
    return Finding(
        rule=rule,
        what=what,
        why=why,
        severity="danger",
        reversible=False,
        evidence=evidence,
        reach=reach,
        loses=loses,
        names=names,
    )


def one_line(text: str, longest: int = LONGEST) -> str:
    """The text as one printable line: nothing in it can move a cursor, turn writing round or show a password."""
    if text.isascii() and text.isprintable() and len(text) <= longest and "=" not in text and ":" not in text:
        return text
    text = text[: 4 * longest].replace("\ue000", "$…").replace("\ue001", "$…")
    text = _LOGIN.sub("://…@", text)
    text = _SECRET.sub(r"\1…", text)
    shown = "".join(_shown(character) for character in text)
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def _shown(character: str) -> str:
    if character.isprintable() and unicodedata.category(character)[0] not in "C":
        return character
    return {"\n": "⏎", "\t": " "}.get(character) or f"\\u{ord(character):04x}"


def count(number: int, thing: str) -> str:
    plural = f"{thing[:-1]}ies" if thing.endswith("y") and thing[-2:-1] not in "aeiou" else f"{thing}s"
    return f"{number:,} {thing if number == 1 else plural}"

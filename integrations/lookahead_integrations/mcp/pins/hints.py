"""What a text holds that a model obeys and a person does not see. A finding is a reason to look, and no proof."""

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from lookahead_integrations.mcp.fencing import plain, texts_in

MOST: Final = 20
"""Findings of one tool that are told."""
_LONGEST: Final = 256 * 1024

_TERMINAL: Final = re.compile(r"\x1b[\[\]P^_X(]|[\x90\x98\x9b\x9d-\x9f]")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x8f\x91-\x97\x99\x9a\x9c]")
_BIDI: Final = re.compile("[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]")
_SMUGGLED: Final = re.compile("[\U000e0000-\U000e007f\U000e0100-\U000e01ef]|[\ufe00-\ufe0e]{2,}")
_PRIVATE: Final = re.compile("[\ue000-\uf8ff\U000f0000-\U0010ffff\ud800-\udfff]")
_UNSEEN: Final = re.compile(
    "[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200d\u2060-\u2064\u2800\u3164\ufeff\uffa0]"
)
_PADDED: Final = re.compile(r"(?:[ \t\u00a0\u3000]*\n){12}|[ \t\u00a0\u3000]{80}")
_MARKUP: Final = re.compile(
    r"</?\s*(?:important|system|assistant|developer|user|human|instructions?|admin|secret|hidden|override|critical|"
    r"mandatory|urgent|prompt|rules?|sys|inst|tool_call|function_call)(?:\s[^<>]{0,200})?/?>"
    r"|<\|[^|<>\n]{1,40}\|>|<<\s*/?\s*sys\s*>>|\[/?(?:inst|system|important)\]|<!--.{0,400}?-->"
    r"|^\s{0,3}#{1,6}\s*(?:system|developer|assistant)\b|\bBEGIN SYSTEM\b",
    re.IGNORECASE | re.DOTALL | re.MULTILINE,
)
_ORDERS: Final = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b[^.\n]{0,30}\b(?:previous|prior|above|earlier|other|all|any|your)\b"
    r"[^.\n]{0,30}\b(?:instructions?|rules?|prompts?|guidelines?|messages?|tools?)\b"
    r"|\b(?:do not|don't|never|must not|without)\b[^.\n]{0,20}\b"
    r"(?:tell|telling|inform|informing|mention|mentioning|reveal|revealing|show|showing|notify|notifying|alert|asking)\b"
    r"[^.\n]{0,30}\b(?:user|human|person|anyone|them)\b"
    r"|\b(?:before|after|when|whenever)\b[^.\n]{0,20}\b(?:using|calling|invoking|running)\b[^.\n]{0,40}\b"
    r"(?:you must|always|first (?:read|call|send)|must first)\b",
    re.IGNORECASE,
)
_SECRETS: Final = re.compile(
    r"\bid_(?:rsa|ed25519|ecdsa)\b|\.ssh/|\.aws/credentials|\.cursor/mcp\.json|claude_desktop_config|\.netrc\b"
    r"|(?<![\w.])\.env\b(?!iron)|\.kube/config|\.git-credentials|/etc/(?:passwd|shadow)",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class Hint:
    """One thing that a person should look at before trusting this text."""

    rule: str
    where: str
    """The path to the text in the definition."""
    what: str
    excerpt: str
    """Of the text; escaped, and without secrets."""

    @property
    def line(self) -> str:
        return f"{self.rule} at {plain(self.where, 80)}: {self.what}: {self.excerpt}"


_Find = Callable[[str], re.Match[str] | None]


def _unseen(text: str) -> re.Match[str] | None:
    """Letters that nobody sees; not those that join what belongs together: emoji, and letters of some scripts."""
    for found in _UNSEEN.finditer(text):
        if found[0] not in "\u200c\u200d" or not _joins(text, found.start()):
            return found
    return None


def _joins(text: str, at: int) -> bool:
    before = unicodedata.category(text[at - 1]) if at else ""
    after = unicodedata.category(text[at + 1]) if at + 1 < len(text) else ""
    emoji = (before == "So" or text[at - 1 : at] == "\ufe0f" or before == "Sk") and after == "So"
    script = before in ("Lo", "Mn", "Mc") and after in ("Lo", "Mn", "Mc")
    return emoji or script


_RULES: Final[tuple[tuple[str, str, _Find], ...]] = (
    ("hidden.terminal", "an order to a terminal", _TERMINAL.search),
    ("hidden.control", "control characters", _CONTROL.search),
    ("hidden.direction", "letters that turn the order of others", _BIDI.search),
    ("hidden.smuggled", "letters that spell a text which nobody sees", _SMUGGLED.search),
    ("hidden.unseen", "letters that nobody sees", _unseen),
    ("hidden.private", "letters that mean whatever somebody agreed on", _PRIVATE.search),
    ("hidden.pushed", "so much empty space that what follows is out of sight", _PADDED.search),
    ("orders.markup", "markup that models take for an instruction", _MARKUP.search),
    ("orders.text", "an order to the model, not a description of a tool", _ORDERS.search),
    ("orders.secrets", "a place where secrets are kept", _SECRETS.search),
)


def hints(said: Any) -> tuple[Hint, ...]:
    """Everything worth a look in a value of JSON: a definition, a list of prompts, instructions."""
    found: list[Hint] = []
    seen: set[tuple[str, str]] = set()
    for where, text in texts_in(said):
        for hint in _of(where, text[:_LONGEST]):
            if (hint.rule, hint.excerpt) not in seen:
                seen.add((hint.rule, hint.excerpt))
                found.append(hint)
        if len(found) >= MOST:
            break
    return tuple(found[:MOST])


def _of(where: str, text: str) -> Iterator[Hint]:
    for rule, what, find in _RULES:
        if (match := find(text)) is not None:
            start = max(0, match.start() - 20)
            yield Hint(rule=rule, where=where, what=what, excerpt=plain(text[start : match.end() + 40], 120))
    if where in ("name",) and not text.isascii():
        yield Hint(
            rule="hidden.letters", where=where, what="letters of other alphabets in a name", excerpt=plain(text, 80)
        )

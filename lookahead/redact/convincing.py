"""Whether what stands beside the name of a secret is one: name, look of the value and what is between them decide."""

import re
from typing import Final, NamedTuple

from lookahead.redact.names import Promise
from lookahead.redact.values import VERSION, changes, computed, mixed, prose, random_like, stands_in


class Value(NamedTuple):
    start: int
    end: int
    text: str
    quoted: bool
    alone: bool
    """Nothing else follows on its line."""


AT_LINE: Final = re.compile(
    r"(?:^|[\n\r\x00])[ \t]*(?:[-#>|]+[ \t]*)?(?:export[ \t]+|set[ \t]+|setx[ \t]+|env[ \t]+|arg[ \t]+|\$env:"
    r"|ENV[ \t]+|ARG[ \t]+|SET[ \t]+)?\Z"
)


def within_brackets(text: str, name_start: int) -> bool:
    line = text[max(name_start - 120, 0) : name_start]
    line = line[line.rfind("\n") + 1 :]
    return any(line.count(one) > line.count(two) for one, two in ("()", "[]", "{}"))


def phrase(line: str) -> bool:
    """Some plain words that make no sentence, as in `password: correct horse battery staple`."""
    words = line.split()
    return (
        3 <= len(words) <= 24
        and not prose(line)
        and all(word.isalpha() and word.islower() and 2 < len(word) < 12 and not stands_in(word) for word in words)
    )


def convinces(text: str, name_start: int, name: str, value: Value, means: Promise, how: str, kind: str) -> bool:
    """The last word on a value: it was found `how` beside `name`, which begins at `name_start` and `means` so much."""
    word = value.text
    if stands_in(word) or len(word) < 3 or (kind in ("token", "key") and _PATTERN.search(word)):
        return False
    if not value.quoted and _code(text, name_start, name, value, kind):
        return False
    if means is not Promise.SURELY and VERSION.match(word):
        return False
    if means is Promise.PERHAPS:
        digest = _HEXADECIMAL.fullmatch(word) is not None
        in_query = text[name_start - 1 : name_start] in ("?", "&", ";") and len(word) >= 32
        return in_query if digest else random_like(word)
    if kind in MACHINE_MADE and _PLAIN.fullmatch(word):
        return False
    if kind == "code" and means is Promise.LIKELY:
        return (_DIGITS.fullmatch(word) is not None and how in ("assign", "says")) or mixed(word, 6)
    if how == "beside":
        return (
            name.lower() != "pass"
            and (means is Promise.SURELY or value.quoted)
            and _beside(text, name_start, name, value, kind)
        )
    if how == "says":
        return mixed(word.strip("\"'"), 5) and not prose(word) and not computed(word)
    if how == "assign" and word.count(" ") >= 11 and phrase(word):
        return True
    if means is Promise.LIKELY:
        return (mixed(word) or random_like(word)) and not prose(word)
    return not prose(word) if value.quoted else _bare(text, name_start, value, kind)


def _code(text: str, name_start: int, name: str, value: Value, kind: str) -> bool:
    """`[x for x in y]`, `getpass()`, `config.token`; but what stands in a file of settings is what it looks like."""
    word = value.text
    digits = any(char.isdigit() for char in word)
    if word[0] in "{[(<*" and not (digits and any(char.isalpha() for char in word)):
        return True
    if text[value.start - 1] == "=" and text[name_start - 1 : name_start] in ("?", "&"):
        return False
    setting = value.alone and digits and word[-1] not in ")]" and text[value.start - 1] == "="
    if setting and AT_LINE.search(text[max(name_start - 80, 0) : name_start]):
        return False
    if digits and _DOTTED.fullmatch(word) and (kind in ("password", "passphrase") or "-" in name):
        return False
    return computed(word.lstrip("!"))


_DOTTED: Final = re.compile(r"[A-Za-z]\w*(?:\.[A-Za-z]\w*){1,3}")
_DIGITS: Final = re.compile(r"\d{3,10}")
_PATTERN: Final = re.compile(
    r"\s|\[\^|\(\?|\\[wdsbWDS]|[.\])][*+]|\A__\w+__\Z|\A#[0-9a-fA-F]{3,8}\Z|\A[<|][^<>|]*[|>]\Z"
)
"""Signs that no token has, but patterns, colours and markers in code do."""
_HEXADECIMAL: Final = re.compile(r"[0-9a-f\-]{32,}|[0-9A-F\-]{32,}")
MACHINE_MADE: Final = frozenset(("token", "key", "credential", "session", "signature"))
_PLAIN: Final = re.compile(
    r"[A-Za-z]?[a-z]{1,20}(?:[-_ ][A-Za-z]?[a-z]{1,20})*|[A-Z]{1,20}(?:[-_][A-Z]{1,20})*|0[xX][0-9a-fA-F]{1,8}|[\d.,]+"
)
"""Words and numbers, which programs do not hand out as tokens."""
_CAMEL: Final = re.compile(r"[A-Za-z]?[a-z]+(?:[A-Z][a-z]+)*")
_NOTHING: Final = re.compile(r"\W*\w{0,2}\W*")


def _bare(text: str, name_start: int, value: Value, kind: str) -> bool:
    word = value.text
    if word.isdigit():
        return kind in ("password", "passphrase", "code") and len(word) >= 4
    if mixed(word, 4) or not (word.replace("_", "").replace("-", "").isalpha()):
        return not _NOTHING.fullmatch(word) and (" " not in word or phrase(word))
    if len(word) >= 12 and changes(word) >= 0.45 and not _CAMEL.fullmatch(word):
        return True
    # Letters only: a password in a file of settings or a query, a name of something in code and in sentences.
    if "_" in word or len(word) < 5 or text[max(name_start - 2, 0) : name_start] in (", ", "( "):
        return False
    if within_brackets(text, name_start):
        return False
    at_line = value.alone and AT_LINE.search(text[max(name_start - 80, 0) : name_start]) is not None
    if text[value.start - 1] == "=" and text[name_start - 1 : name_start] not in ("(", ","):
        return kind in ("password", "passphrase", "secret") or at_line
    return at_line and text[value.start - 2] == ":" and kind in ("password", "passphrase") and word.islower()


_FILE: Final = re.compile(r"[\w.\-]+\.[a-z]{2,5}|[a-z]+[_\-]?\d{1,3}")
_NO_TOKEN: Final = re.compile(
    r"(?:[A-Z]?[a-z]{2,}|[A-Z]{3,})[_\-#]?\d{1,4}|(?:[A-Z]+\d*[a-z]+|[A-Z]\d+)+|[\w.\-]+\.[a-z]{2,5}(?::\d{2,5})?"
    r"|v?\d[\w:+~\-]*\.[\w.:+~\-]*|v?\d[\d.,]*\w{0,3}|[A-Z0-9_]+"
)
_BASE32: Final = re.compile(r"[A-Z2-7]{16,}=*")
_SETTER: Final = re.compile(
    r"(?:define|set\w*|put\w*|add\w*|env\w*|header\w*|append|insert|config\w*)\s?\(\s?[\"']\Z", re.IGNORECASE
)


def _beside(text: str, name_start: int, name: str, value: Value, kind: str) -> bool:
    """`PASSWORD 'x'`, `setenv API_TOKEN x`, `| token | x |`: only the look of the value can tell."""
    word = value.text
    between = text[name_start + len(name) : value.start]
    if text[name_start : name_start + 1] == "-" or text[name_start - 1 : name_start] == "-":
        return not computed(word)
    if "," in between:
        setter = _SETTER.search(text[max(name_start - 40, 0) : name_start]) is not None
        return " " not in word and (mixed(word, 5) if setter else mixed(word, 8) and not _NO_TOKEN.fullmatch(word))
    if value.quoted:
        return " " not in word and mixed(word, 5) and not _FILE.fullmatch(word)
    if "|" in between or any(char.isdigit() for char in between):
        return mixed(word, 6)
    if _HEXADECIMAL.fullmatch(word):
        return kind in ("password", "token", "key") and not name.lower().endswith("s")
    if _BASE32.fullmatch(word) and random_like(word):
        return True
    return mixed(word, 8) and not _NO_TOKEN.fullmatch(word) and not computed(word)

"""A quick look at the words of a text: is there any that could stand beside a secret? Most texts have none."""

import re
from typing import Final, NamedTuple

ANCHORS: Final = (
    "pass", "pwd", "secret", "token", "key", "auth", "cred", "cookie", "sess", "sig", "otp", "pin", "cvv", "cvc",
    "jwt", "mnemonic", "seed", "kennwort", "contrase", "senha", "psk", "sid", "pw", "wachtwoord", "phrase", "heslo",
    "parola", "bearer", "macaroon", "парол", "密码", "口令", "パスワード", "비밀번호", "lösenord",
)  # fmt: skip
"""Every name of a secret holds one of these, and each search for a name begins with one, which is fast."""
_FOREIGN: Final = tuple(anchor for anchor in ANCHORS if not anchor.isascii())
_FOREIGN_LETTER: Final = re.compile(
    "[" + "".join({char for anchor in _FOREIGN for char in anchor if not char.isascii()}) + "]"
)

_NAMES: Final = re.compile(
    r"passw|passphr|passc|passk|secret|token|cookie|credential|authoriz|authoris|apikey|kennwort|contrase|wachtwoord"
    r"|mnemonic|session|signature|bearer|macaroon"
    r"|(?:keys?|pwds?|pw|pass|passe|pin|otp|totp|sid|sig|cv[vc]|jwt|psk|auth|creds?|seed|phrase|senha|heslo|parola"
    r"|sess)\Z"
)
_PROGRAMS: Final = re.compile(
    r"(?:curl|wget|mysql\w*|mycli|mariadb\w*|percona\w*|sshpass|zip\w*|unzip|rar|unrar|mongo\w*|cqlsh|influx|hive"
    r"|beeline|rabbitmq\w*|psexec|ipmitool|vncviewer|tsql|freebcp"
    r"|isql|login|redis|valkey|keydb|snmp\w+|lftp|elasticsearch\w*|smb\w+|rpcclient|winexe|ldap\w+|mutt|sqlcmd|bcp"
    r"|osql|plink|pscp|psftp|putty|kitty"
    r"|openssl|aescrypt|htpasswd|chpasswd|echo|printf|vault|literal|net|sudo|keygen|htpasswd)\Z"
)
_LETTERS: Final = bytes(
    byte | 32 if chr(byte).isalpha() and byte < 128 else 32 for byte in range(256)
)  # fmt: skip
_MOST: Final = 50_000


_STATEMENTS: Final = frozenset(
    b"into identified password passwords bearer basic auth httpbasicauth basicauth login signin authenticate "
    b"credential credentials securestring code".split()
)


class Hints(NamedTuple):
    """What the words of a text make worth a closer look."""

    anchors: tuple[str, ...] = ()
    programs: bool = False
    """A program that takes secrets is named."""
    statements: bool = False
    """A word of SQL or of HTTP is there that a secret may follow."""


NONE: Final = Hints()
_dull: set[bytes] = set()
_hot: dict[bytes, Hints] = {}


def hints(text: str) -> Hints:
    """Judges every word once in the life of the process; a word seen before costs a look into a set."""
    words = set(text.encode("latin-1", "replace").translate(_LETTERS).split()) - _dull
    foreign = () if text.isascii() else _foreign(small(text))
    if not words and not foreign:
        return NONE
    anchors = dict.fromkeys(foreign)
    programs = statements = False
    for word in words:
        hint = _hot.get(word) or _judge(word)
        anchors.update(dict.fromkeys(hint.anchors))
        programs = programs or hint.programs
        statements = statements or hint.statements
    return Hints(tuple(anchors), programs, statements)


def small(text: str) -> str:
    """In small letters, place by place: letters whose small form is longer stay as they are."""
    low = text.lower()
    return low if len(low) == len(text) else "".join(one if len(one := char.lower()) == 1 else char for char in text)


def _foreign(low: str) -> tuple[str, ...]:
    if not _FOREIGN_LETTER.search(low):
        return ()
    return tuple(anchor for anchor in _FOREIGN if anchor in low)


def _judge(word: bytes) -> Hints:
    if len(word) > 40:
        word = word[:20] + word[-20:]
    text = word.decode()
    anchors: tuple[str, ...] = ()
    if _NAMES.search(text):
        anchors = tuple(anchor for anchor in ANCHORS if anchor in text)
    hint = Hints(anchors, _PROGRAMS.match(text) is not None, word in _STATEMENTS)
    if hint == NONE:
        if len(_dull) > _MOST:
            _dull.clear()
        _dull.add(word)
    else:
        if len(_hot) > _MOST:
            _hot.clear()
        _hot[word] = hint
    return hint

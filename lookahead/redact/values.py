"""Does a value look like a secret, or like what stands in for one: a placeholder, a sentence, a piece of code?"""

import re
from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NO_VALUE: Final = _words(
    "null none nil undefined nan true false yes no on off required optional missing invalid expired unknown "
    "incorrect wrong valid empty unset set hidden string str text int integer bool boolean number float object array "
    "bytes any char varchar password passwd token tokens secret secrets pass bearer basic digest oauth oauth2 apikey "
    "api_key api-key default redacted masked auto disabled enabled prompt stdin file env input output value example "
    "placeholder username user email key keys name id changed updated created deleted rotated revoked reset here "
    "there it this that the a an is was not and or if for from with your my to too in of must should field error "
    "failed failure success ok done ready pending denied mismatch protected pwd auth authentication cookie session "
    "self uuid hash sha256 sha512 md5 hex base64 utf-8 utf8 plaintext encrypted function return keyword identifier "
    "eof eol word symbol operator comment literal whitespace newline punctuation csrf refresh access admin public "
    "private weak strong short long same different unchanged cancel cancelled timeout credentials credential n/a na "
    "tbd inherit internal external minimum maximum sensitive manual interactive keychain keyring vault option "
    "options flag flags argument arguments parameter parameters when using without getpass raw_input"
)
_STANDS_IN: Final = re.compile(
    r"""\s*(?:\$\{|\$\(|\$(?:[A-Z_][A-Z0-9_]*|[a-z_]+[0-9]?|[a-z]+(?:[A-Z][a-z]+)+)\s*\Z|\{\{|\{%|\{[\w.\[\]'"()!:]*\}\s*\Z|<[^<>]*>\s*\Z|%\(|%[sdr]\s*\Z|%\w+%\s*\Z|\*+\s*\Z|\.{2,}\s*\Z|x{3,}\s*\Z|X{3,}\s*\Z"""
    r"|[•●]+|env[.:(]|process\.env|os\.environ|os\.getenv|getenv\(|System\.|ENV\[|secrets?\.[A-Za-z]|vars?\.|self\."
    r"|ref\+"
    r"|(?:your|my|the|some|insert|enter|put|add|replace|example|dummy|fake|test"
    r"|sample)[-_ ](?:[a-z]+[-_ ])*(?:password|token|key|secret|here|value|passphrase)[a-z_-]*\s*\Z"
    r"|/[a-z]{1,12}\Z|~/|https?://|&lt;|\./|\.\./|arn:aws:secretsmanager)",
)
_FORMAT: Final = re.compile(r"\$?\{[^{}\n]{0,80}\}|%\(\w{1,40}\)[sdr]|%[sdrq](?![0-9A-Fa-f])")
_PROSE: Final = _words(
    "is are was were be been must should shall can cannot will would may might has have had does do did not too at "
    "least the a an of for with your you it in on to and or if than least characters character required field please "
    "enter contains contain"
)
_CALL: Final = re.compile(
    r"[A-Za-z_][\w.:]*(?:\(|\[)|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+\Z|[A-Za-z_]\w*(?:::|->)\w|[&*][A-Za-z_]\w*\Z"
)
_SMALL, _CAPITAL, _DIGIT, _SIGN = range(4)


def _kind(code: int) -> int:
    char = chr(code)
    if code > 127 or not char.isalnum():
        return _SIGN
    return _DIGIT if char.isdigit() else _CAPITAL if char.isupper() else _SMALL


_KINDS: Final = bytes(map(_kind, range(256)))


def stands_in(value: str) -> bool:
    """True for what stands where a secret will be: `${PASSWORD}`, `<token>`, `null`, `required`, `****`."""
    if value.strip().strip(".,!?:;").lower() in _NO_VALUE or _STANDS_IN.match(value) is not None:
        return True
    if _PATH.match(value) and not scrambled(value):
        return True
    return not _has_letters(_FORMAT.sub("", value) if "%" in value or "{" in value else value)


_PATH: Final = re.compile(r"/(?:[\w.\-]+/)+[\w.\-]*\Z|[A-Za-z]:[\\/][\w\\/. \-]*\Z")
VERSION: Final = re.compile(r"[v=^~<>]{0,3}\d+(?:\.\d+)+(?:[.\-+~]?[a-z]{0,10}[.\-]?\d*){0,4}\Z", re.IGNORECASE)


def scrambled(value: str) -> bool:
    """Random in its letters and digits, whatever signs are among them: the key that begins with a slash."""
    letters = "".join(char for char in value if char.isalnum())
    kinds = shape(letters)
    return len(letters) >= 20 and min(kinds.count(number) for number in range(3)) >= 2 and changes(letters) >= 0.42


def _has_letters(value: str) -> bool:
    return any(char.isalnum() for char in value)


def prose(value: str) -> bool:
    """True for a sentence; a passphrase of plain nouns is not one."""
    words = value.lower().split()
    if any(mixed(word.strip(".,;:!?'\""), 5) for word in words):
        return False
    return len(words) > 1 and any(word.strip(".,;:!?'\"") in _PROSE for word in words)


def computed(value: str) -> bool:
    """True for code that fetches a value instead of being one: `getpass()`, `os.environ["X"]`, `config.token`."""
    return _CALL.match(value) is not None


def mixed(value: str, least: int = 6) -> bool:
    """Letters together with digits or signs, as people and programs choose passwords; no plain word, number or path."""
    if len(value) < least or "/" in value[:1]:
        return False
    letters = sum(char.isalpha() for char in value)
    digits = sum(char.isdigit() for char in value)
    return (letters > 0 and digits > 0) or (letters > 1 and any(char in "!@#$%^&*?+=~" for char in value))


_GROUPS: Final = re.compile(rb"\x00+|\x01+|\x02+|\x03+")


def shape(value: str) -> bytes:
    """Each letter by its kind: 0 small, 1 capital, 2 digit, 3 anything else."""
    return value.encode("latin-1", "replace").translate(_KINDS)


def changes(value: str) -> float:
    """How often neighbours differ in kind (small, capital, digit, sign): 0.6 in random text, under 0.4 in names."""
    return (len(_GROUPS.findall(shape(value))) - 1) / max(len(value) - 1, 1)


def random_like(value: str, least: int = 16) -> bool:
    """A run of characters that nobody would type or read: enough of them, of enough kinds, in no order."""
    if len(value) < least or len(value) > 4096 or len(set(value)) < min(12, least * 3 // 5):
        return False
    kinds = shape(value)
    lower, upper, digits = kinds.count(0), kinds.count(1), kinds.count(2)
    if not digits or lower + upper < 4:
        return False
    if lower and upper:
        return changes(value) >= 0.36
    # One case and digits, as in base 36 or hex: the digits must be strewn, not a number at the end of a name.
    return digits >= len(value) // 8 and changes(value) >= 0.24 and not any(sign in value for sign in "_/-")

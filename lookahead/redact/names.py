"""Does a name promise a secret, and does a value look like one? `db_password` yes, `max_tokens` no."""

import re
from enum import IntEnum
from functools import lru_cache
from typing import Final


class Promise(IntEnum):
    """How much a name says about its value."""

    NOTHING = 0
    PERHAPS = 1
    """Only a value that looks random is a secret: `key`, `signature`, `session`."""
    LIKELY = 2
    """A value with digits or signs among its letters is: `tokens`, `session_id`, `password_github`."""
    SURELY = 3
    """Nearly any value is: `password`, `clientSecret`, `X-Api-Key`."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SURE: Final = _words(
    "password passwords passwd passwds pwd pwds passphrase passphrases passcode passcodes passwort passwörter kennwort "
    "secret secrets token apikey apikeys apitoken credential credentials creds authorization jwt mnemonic passkey pw "
    "contraseña contrasena contrasenya senha motdepasse wachtwoord lösenord heslo parola пароль 密码 口令 パスワード 비밀번호 "
    "cookie setcookie pgpass authtoken psk passe macaroon storepass keypass seedphrase privatekey secretkey accesskey"
)
_LIKELY: Final = _words(
    "pass tokens cookies bearer pin otp totp cvv cvc pat sid sessionid jsessionid phpsessid mfa phrase"
)
_PERHAPS: Final = _words(
    "key keys auth authentication session signature sig hmac nonce salt seed license licence ticket assertion "
    "code csrf xsrf sas hash webhook login community verifier entropy"
)
_SURE_ENDS: Final = (
    "password", "passwd", "passphrase", "passcode", "passwort", "kennwort", "secret", "token", "credential", "credentials",
    "apikey", "secretkey", "accesskey", "privatekey", "authkey", "accountkey", "encryptionkey", "signingkey", "masterkey",
    "sharedkey", "sessionkey", "clientkey", "userpass", "dbpass", "rootpass", "adminpass", "smtppass", "mypass", "pwd",
)  # fmt: skip
_GLUED: Final = re.compile(r"(?<=[a-z]{5})(?:base|value|hash|text|string|enc|b64|base64|hex|raw|env)\Z")
_KEYS: Final = _words(
    "api apis access secret private signing sign encryption encrypt decryption master account shared storage auth authentication "
    "service ssh deploy deployment subscription app application consumer client server hmac aes des rsa ecdsa ed25519 webhook "
    "admin root session cookie jwt token user wallet ssl tls pgp gpg recovery crypto cipher symmetric integration publishable "
    "bot write ingest license licence host wep wifi wpa "
    "stripe openai anthropic github gitlab google azure aws gcp slack twilio sendgrid mailgun datadog sentry algolia heroku "
    "cloudflare npm pypi huggingface mistral cohere groq firebase supabase maps weather rapid"
)
_PLAIN_KEYS: Final = _words(
    "public primary foreign sort partition cache object map dict hot index row unique composite lookup routing idempotency "
    "idempotent dedup deduplication translation i18n config registry setting settings surrogate natural candidate "
    "json yaml env column field group shard range hash bucket s3 redis search order event issue project ticket jira locale menu "
    "arrow return enter escape shift tab page home end up down left right space delete backspace control ctrl alt meta "
)
# What a thing says *about* a secret: `password_policy`, `token_count`, `secret_name`.
_ABOUT: Final = _words(
    "count counts counter length len limit limits size sizes type types kind url urls uri uris endpoint endpoints file files "
    "filename path paths dir directory folder name names field fields label labels hint hints policy policies required optional "
    "expiry expires expired expiration ttl age at date time timestamp min max minimum maximum regex pattern rule rules reset "
    "version versions usage used budget bucket index position positions pos enabled disabled format strategy provider providers "
    "status state error errors message messages help description descriptions placeholder prompt input output form manager "
    "service class column columns ref refs reference arn method mode algorithm alg strength score id ids "
    "uses rate per left remaining total sum number num percent cost price ratio story santa scope scopes "
    "issuer audience owner user users username host hostname port domain email address generator generation validator validation "
    "parser lexer stream iterator list handler hook callback middleware model schema table store vault rotation rotated "
    "changed updated created last next visible shown exists present valid invalid ok check checks checker checked match matches "
    "matched attempts tries retries failures lock locked change changes update protected protection "
    "requested requests request response backend source target engine namespace category sequence set map mapping overlap window "
    "budgets tokenizer tokenizers vocab vocabulary embedding embeddings probability probabilities logprobs "
    "strategy_name command script helper agent sock socket screen page dialog button box toggle mask masked manual"
)
# Markers that change nothing: `password2`, `token_value`, `new_password_confirmation`.
_NEUTRAL: Final = _words(
    "value values val text string str plain plaintext raw base64 b64 hex encoded enc encrypted new old current previous "
    "confirm confirmation again repeat retype data bytes part default main prod production staging stage dev development test "
    "live secondary header hash hashed md5 sha1 sha256 bcrypt content literal here env var variable param parameter arg  "
    "x y a b c v1 v2 v3 first second half prefix suffix head tail chunk piece fragment start end begin rest remainder clear base"
)
# Tokens of languages, of models and of lists of pages are no secrets.
_PLAIN_TOKENS: Final = _words(
    "eos bos pad unk sep mask cls special stop image start end first last next page continuation pagination cursor resume "
    "syntax parse cancel cancellation lexer input output prompt completion max min num total per current word think "
    "sync delta watermark fill text"
)
_PARTS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+(?:[a-z]+[^\W\d_A-Za-z]*)*")


@lru_cache(maxsize=8192)
def promise(name: str) -> Promise:
    """What the name of a field, variable, flag or header says about its value."""
    return _promise(name[-96:])


def _promise(name: str) -> Promise:
    parts: list[str] = [part.lower() for part in _PARTS.findall(name)]
    if name.lower() in _SURE:
        return Promise.SURELY
    while parts and (parts[-1] in _NEUTRAL or parts[-1].isdigit()) and len(parts) > 1:
        parts.pop()
    if not parts:
        return Promise.NOTHING
    last, before = parts[-1], parts[-2] if len(parts) > 1 else ""
    if last in ("id", "ids"):
        return _identifier(parts)
    if last in _ABOUT or "".join(parts[-2:]) in ("tokentype", "publickey"):
        return Promise.NOTHING
    if last in ("token", "tokens") and before in _PLAIN_TOKENS:
        return Promise.NOTHING
    if last in ("key", "keys"):
        return _key(before)
    if last in _SURE or "".join(parts[-2:]) in _SURE or (len(last) > 5 and _GLUED.sub("", last).endswith(_SURE_ENDS)):
        return Promise.SURELY
    if len(last) > 6 and last.endswith("pass") and last not in _PASSES:
        return Promise.LIKELY
    if "".join(parts[-2:]) in ("amzsignature", "amzcredential"):
        return Promise.SURELY
    if last == "pass" and before:
        return Promise.SURELY if before in _ACCOUNTS else Promise.LIKELY
    if last in _LIKELY or any(part in _SURE for part in parts[:-1]) or _holds_key(parts):
        return Promise.LIKELY
    return Promise.PERHAPS if last in _PERHAPS else Promise.NOTHING


_ACCOUNTS: Final = _words(
    "db database user smtp mysql pg postgres root admin mail email ftp ssh proxy redis mongo http login sudo my"
)


_PASSES: Final = _words("bypass compass trespass surpass underpass overpass encompass singlepass multipass")


def _identifier(parts: list[str]) -> Promise:
    stem = "".join(parts[:-1])
    if stem.endswith(("secret", "accesskey")):
        return Promise.LIKELY
    return Promise.LIKELY if stem.endswith(("session", "sess")) else Promise.NOTHING


def _key(before: str) -> Promise:
    if before in _PLAIN_KEYS:
        return Promise.NOTHING
    return Promise.SURELY if before in _KEYS or before in _SURE or before.endswith("api") else Promise.PERHAPS


def _holds_key(parts: list[str]) -> bool:
    return any(two == "key" and one in _KEYS for one, two in zip(parts, parts[1:], strict=False))


_NO_VALUE: Final = _words(
    "null none nil undefined nan true false yes no on off required optional missing invalid expired unknown incorrect wrong valid "
    "empty unset set hidden string str text int integer bool boolean number float object array bytes any char varchar password "
    "passwd token tokens secret secrets pass bearer basic digest oauth oauth2 apikey api_key api-key default redacted masked auto "
    "disabled enabled prompt stdin file env input output value example placeholder username user email key keys name id changed "
    "updated created deleted rotated revoked reset here there it this that the a an is was not and or if for from with your my "
    "to too in of must should field error failed failure success ok done ready pending denied mismatch protected pwd auth "
    "authentication cookie session self uuid hash sha256 sha512 md5 hex base64 utf-8 utf8 plaintext encrypted function return "
    "keyword identifier eof eol word symbol operator comment literal whitespace newline punctuation csrf refresh access admin "
    "public private weak strong short long same different unchanged cancel cancelled timeout credentials credential n/a na tbd "
    "inherit internal external minimum maximum sensitive manual interactive keychain keyring vault option options flag flags argument arguments parameter parameters when using without getpass raw_input"
)
_STANDS_IN: Final = re.compile(
    r"""\s*(?:\$\{|\$\(|\$[A-Za-z_]\w*\s*\Z|\{\{|\{%|\{[\w.\[\]'"()!:]*\}\s*\Z|<[^<>]*>\s*\Z|%\(|%[sdr]\s*\Z|%\w+%\s*\Z|\*+\s*\Z|\.{2,}\s*\Z|x{3,}\s*\Z|X{3,}\s*\Z"""
    r"|[•●]+|env[.:(]|process\.env|os\.environ|os\.getenv|getenv\(|System\.|ENV\[|secrets?\.[A-Za-z]|vars?\.|self\.|ref\+"
    r"|(?:your|my|the|some|insert|enter|put|add|replace|example|dummy|fake|test|sample)[-_ ](?:[a-z]+[-_ ])*(?:password|token|key|secret|here|value|passphrase)[a-z_-]*\s*\Z"
    r"|/[a-z]{1,12}\Z|~/|https?://|&lt;|\./|\.\./|arn:aws:secretsmanager)",
)
_FORMAT: Final = re.compile(r"\$?\{[^{}\n]{0,80}\}|%\(\w{1,40}\)[sdr]|%[sdrq](?![0-9A-Fa-f])")
_PROSE: Final = _words(
    "is are was were be been must should shall can cannot will would may might has have had does do did not too at least the a an "
    "of for with your you it in on to and or if than least characters character required field please enter contains contain"
)
_CALL: Final = re.compile(
    r"[A-Za-z_][\w.:]*(?:\(|\[)|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+\Z|[A-Za-z_]\w*(?:::|->)\w|[&*][A-Za-z_]\w*\Z"
)
_TRANSITION: Final = bytes(
    0 if chr(i).islower() and i < 128 else 1 if chr(i).isupper() and i < 128 else 2 if chr(i).isdigit() and i < 128 else 3
    for i in range(256)
)  # fmt: skip


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
    return value.encode("latin-1", "replace").translate(_TRANSITION)


def changes(value: str) -> float:
    """How often neighbours differ in kind (small, capital, digit, sign): about 0.6 in random text, under 0.4 in names."""
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

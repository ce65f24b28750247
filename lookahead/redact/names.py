"""Does a name promise a secret? `db_password` does, `max_tokens` does not."""

import re
from enum import IntEnum
from functools import lru_cache
from itertools import pairwise
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
    "contraseña contrasena contrasenya senha motdepasse wachtwoord lösenord heslo parola пароль "
    "密码 口令 パスワード 비밀번호 "
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
    "password", "passwd", "passphrase", "passcode", "passwort", "kennwort", "secret", "token", "credential",
    "credentials", "apikey", "secretkey", "accesskey", "privatekey", "authkey", "accountkey", "encryptionkey",
    "signingkey", "masterkey", "sharedkey", "sessionkey", "clientkey", "userpass", "dbpass", "rootpass", "adminpass",
    "smtppass", "mypass", "pwd",
)  # fmt: skip
_GLUED: Final = re.compile(r"(?<=[a-z]{5})(?:base|value|hash|text|string|enc|b64|base64|hex|raw|env)\Z")
_KEYS: Final = _words(
    "api apis access secret private signing sign encryption encrypt decryption master account shared storage auth "
    "authentication service ssh deploy deployment subscription app application consumer client server hmac aes des "
    "rsa ecdsa ed25519 webhook admin root session cookie jwt token user wallet ssl tls pgp gpg recovery crypto "
    "cipher symmetric integration publishable bot write ingest license licence host wep wifi wpa stripe openai "
    "anthropic github gitlab google azure aws gcp slack twilio sendgrid mailgun datadog sentry algolia heroku "
    "cloudflare npm pypi huggingface mistral cohere groq firebase supabase maps weather rapid"
)
_PLAIN_KEYS: Final = _words(
    "public primary foreign sort partition cache object map dict hot index row unique composite lookup routing "
    "idempotency idempotent dedup deduplication translation i18n config registry setting settings surrogate natural "
    "candidate json yaml env column field group shard range hash bucket s3 redis search order event issue project "
    "ticket jira locale menu arrow return enter escape shift tab page home end up down left right space delete "
    "backspace control ctrl alt meta "
)
# What a thing says *about* a secret: `password_policy`, `token_count`, `secret_name`.
_ABOUT: Final = _words(
    "count counts counter length len limit limits size sizes type types kind url urls uri uris endpoint endpoints "
    "file files filename path paths dir directory folder name names field fields label labels hint hints policy "
    "policies required optional expiry expires expired expiration ttl age at date time timestamp min max minimum "
    "maximum regex pattern rule rules reset version versions usage used budget bucket index position positions pos "
    "enabled disabled format strategy provider providers status state error errors message messages help description "
    "descriptions placeholder prompt input output form manager service class column columns ref refs reference arn "
    "method mode algorithm alg strength score id ids uses rate per left remaining total sum number num percent cost "
    "price ratio story santa scope scopes issuer audience owner user users username host hostname port domain email "
    "address generator generation validator validation parser lexer stream iterator list handler hook callback "
    "middleware model schema table store vault rotation rotated changed updated created last next visible shown "
    "exists present valid invalid ok check checks checker checked match matches matched attempts tries retries "
    "failures lock locked change changes update protected protection requested requests request response backend "
    "source target engine namespace category sequence set map mapping overlap window budgets tokenizer tokenizers "
    "vocab vocabulary embedding embeddings probability probabilities logprobs strategy_name command script helper "
    "agent sock socket screen page dialog button box toggle mask masked manual"
)
# Markers that change nothing: `password2`, `token_value`, `new_password_confirmation`.
_NEUTRAL: Final = _words(
    "value values val text string str plain plaintext raw base64 b64 hex encoded enc encrypted new old current "
    "previous confirm confirmation again repeat retype data bytes part default main prod production staging stage "
    "dev development test live secondary header hash hashed md5 sha1 sha256 bcrypt content literal here env var "
    "variable param parameter arg  x y a b c v1 v2 v3 first second half prefix suffix head tail chunk piece fragment "
    "start end begin rest remainder clear base"
)
# Tokens of languages, of models and of lists of pages are no secrets.
_PLAIN_TOKENS: Final = _words(
    "eos bos pad unk sep mask cls special stop image start end first last next page continuation pagination cursor "
    "resume syntax parse cancel cancellation lexer input output prompt completion max min num total per current word "
    "think sync delta watermark fill text"
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
    return any(two == "key" and one in _KEYS for one, two in pairwise(parts))

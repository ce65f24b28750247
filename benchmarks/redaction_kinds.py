"""Secrets of many kinds, with the names that programs give them. Made from a seed."""

import base64
import json
import random
import string
from collections.abc import Callable
from dataclasses import dataclass

ALNUM = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
UPPER = string.ascii_uppercase + string.digits
URLSAFE = ALNUM + "-_"
WORDS = [
    "river",
    "stone",
    "amber",
    "falcon",
    "maple",
    "orbit",
    "velvet",
    "copper",
    "lantern",
    "meadow",
    "pixel",
    "quartz",
    "harbor",
    "cobalt",
    "thunder",
    "willow",
]
USERS = ["admin", "root", "app", "deploy", "bob", "alice", "svc_backup", "ci-bot", "reporting", "postgres"]
HOSTS = ["db.internal", "api.example.com", "10.0.3.7", "cache-01.local", "mail.example.org", "registry.acme.io"]


@dataclass(frozen=True, kw_only=True)
class Sample:
    value: str
    kind: str
    name: str
    """What a program would call it."""
    telling: bool
    """Whether it can be told by its form alone."""


def _pick(rng: random.Random, letters: str, count: int) -> str:
    """Random letters, with at least one digit and one letter, as generators of keys make them."""
    while True:
        text = "".join(rng.choices(letters, k=count))
        if any(char.isdigit() for char in text) and any(char.isalpha() for char in text):
            return text


def _jwt(rng: random.Random) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).decode().rstrip("=")

    head, body = (
        part({"alg": "HS256", "typ": "JWT"}),
        part({"sub": rng.choice(USERS), "iat": rng.randrange(10**9, 2 * 10**9)}),
    )
    return f"{head}.{body}.{_pick(rng, URLSAFE, 43)}"


def _pem(rng: random.Random) -> str:
    what = rng.choice(["RSA ", "EC ", "OPENSSH ", "", "ENCRYPTED "])
    body = base64.b64encode(rng.randbytes(rng.randrange(120, 600))).decode()
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    return "\n".join([f"-----BEGIN {what}PRIVATE KEY-----", *lines, f"-----END {what}PRIVATE KEY-----"])


def _human(rng: random.Random) -> str:
    word = rng.choice(WORDS)
    return rng.choice(
        [
            f"{word.title()}{rng.randrange(10, 9999)}{rng.choice('!@#$%*')}",
            f"{word}{rng.choice('-_.!')}{rng.choice(WORDS)}{rng.randrange(10, 999)}",
            f"{rng.choice('!@#')}{word.title()}{rng.choice(WORDS).title()}{rng.randrange(100)}",
            "".join(rng.choices(ALNUM + "!@#$%^&*", k=rng.randrange(10, 20))) + str(rng.randrange(10)),
        ]
    )


_NAMES = {
    "password": [
        "password",
        "db_password",
        "DB_PASSWORD",
        "passwd",
        "userPassword",
        "smtp-password",
        "PGPASSWORD",
        "admin_pwd",
        "adminPwd",
        "loginPassword",
        "passphrase",
        "root_pass",
    ],
    "secret": [
        "client_secret",
        "clientSecret",
        "APP_SECRET",
        "secret",
        "signing-secret",
        "webhookSecret",
        "SECRET_KEY",
        "secretKeyBase",
        "jwt_secret",
    ],
    "token": [
        "access_token",
        "token",
        "authToken",
        "REFRESH_TOKEN",
        "api-token",
        "SERVICE_TOKEN",
        "botToken",
        "deploy_token",
        "X-Auth-Token",
        "bearer_token",
    ],
    "key": [
        "api_key",
        "apiKey",
        "X-API-Key",
        "ENCRYPTION_KEY",
        "private_key",
        "accountKey",
        "subscription-key",
        "MASTER_KEY",
        "signing_key",
        "aws_secret_access_key",
    ],
}

KINDS: dict[str, tuple[str, bool, Callable[[random.Random], str]]] = {
    "AWS access key": ("key", True, lambda r: r.choice(["AKIA", "ASIA"]) + _pick(r, UPPER, 16)),
    "AWS secret key": ("key", False, lambda r: _pick(r, ALNUM + "/+", 40)),
    "GitHub token": ("token", True, lambda r: r.choice(["ghp_", "gho_", "ghs_", "ghu_", "ghr_"]) + _pick(r, ALNUM, 36)),
    "GitHub fine-grained": ("token", True, lambda r: f"github_pat_{_pick(r, ALNUM, 22)}_{_pick(r, ALNUM, 59)}"),
    "GitLab token": ("token", True, lambda r: "glpat-" + _pick(r, URLSAFE, 20)),
    "Slack token": ("token", True, lambda r: f"xox{r.choice('bap')}-{r.randrange(10**11)}-{_pick(r, ALNUM, 24)}"),
    "Stripe key": ("key", True, lambda r: r.choice(["sk_live_", "rk_live_", "sk_test_"]) + _pick(r, ALNUM, 24)),
    "Google key": ("key", True, lambda r: "AIza" + _pick(r, URLSAFE, 35)),
    "OpenAI key": ("key", True, lambda r: r.choice(["sk-proj-", "sk-"]) + _pick(r, ALNUM, 48)),
    "Anthropic key": ("key", True, lambda r: f"sk-ant-api03-{_pick(r, URLSAFE, 90)}AA"),
    "Hugging Face token": ("token", True, lambda r: "hf_" + _pick(r, ALNUM, 34)),
    "npm token": ("token", True, lambda r: "npm_" + _pick(r, ALNUM, 36)),
    "PyPI token": ("token", True, lambda r: "pypi-AgEIcHlwaS5vcmc" + _pick(r, URLSAFE, 120)),
    "SendGrid key": ("key", True, lambda r: f"SG.{_pick(r, URLSAFE, 22)}.{_pick(r, URLSAFE, 43)}"),
    "Twilio key": ("key", True, lambda r: "SK" + _pick(r, HEX, 32)),
    "Azure storage key": ("key", False, lambda r: base64.b64encode(r.randbytes(64)).decode()),
    "Azure client secret": ("secret", True, lambda r: f"{_pick(r, ALNUM, 3)}8Q~{_pick(r, ALNUM + '._-', 34)}"),
    "DigitalOcean token": ("token", True, lambda r: "dop_v1_" + _pick(r, HEX, 64)),
    "Shopify token": ("token", True, lambda r: "shpat_" + _pick(r, HEX, 32)),
    "Discord token": ("token", True, lambda r: f"M{_pick(r, ALNUM, 23)}.{_pick(r, ALNUM, 6)}.{_pick(r, URLSAFE, 38)}"),
    "Telegram token": ("token", True, lambda r: f"{r.randrange(10**9, 10**10)}:AA{_pick(r, URLSAFE, 33)}"),
    "Vault token": ("token", True, lambda r: "hvs." + _pick(r, ALNUM, 24)),
    "signed token": ("token", True, _jwt),
    "private key": ("key", True, _pem),
    "hex key": ("key", False, lambda r: _pick(r, HEX, r.choice([32, 40, 64]))),
    "random token": ("token", True, lambda r: _pick(r, ALNUM, r.randrange(40, 64))),
    "short token": ("token", False, lambda r: _pick(r, ALNUM, r.randrange(16, 24))),
    "human password": ("password", False, _human),
    "random password": ("password", False, lambda r: _pick(r, ALNUM + "!@#$%^&*()_-", r.randrange(12, 24))),
    "secret in base 32": ("secret", False, lambda r: _pick(r, string.ascii_uppercase + "234567", 32)),
    "uuid as secret": ("secret", False, lambda r: "-".join(_pick(r, HEX, n) for n in (8, 4, 4, 4, 12))),
}  # fmt: skip


def sample(rng: random.Random) -> Sample:
    kind = rng.choice(list(KINDS))
    family, telling, make = KINDS[kind]
    return Sample(value=make(rng), kind=kind, name=rng.choice(_NAMES[family]), telling=telling)

"""Secrets of many kinds, each planted in one of 20 forms. Made from a seed; knows nothing of how they are found."""

import base64
import html
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from pydantic import JsonValue
from redaction_kinds import HOSTS, USERS, WORDS, Sample, sample


@dataclass(frozen=True, kw_only=True)
class Plant:
    secret: str
    kind: str
    form: str
    where: str
    """arguments, result or exception"""
    payload: JsonValue
    before: JsonValue = None
    """What was seen earlier, where the form alone gives nobody a chance: a reversed password is only letters."""


# Each form: where it is planted, what is planted, and whether the name beside it gives it away.
Form = Callable[[random.Random, Sample], tuple[str, JsonValue, bool]]


def _field(rng: random.Random, it: Sample) -> tuple[str, JsonValue, bool]:
    inner: JsonValue = {it.name: it.value, "user": rng.choice(USERS)}
    for _ in range(rng.randrange(3)):
        inner = {rng.choice(["config", "options", "spec", "body"]): inner, "retries": 3}
    return "arguments", inner, True


def _listed(rng: random.Random, it: Sample) -> tuple[str, JsonValue, bool]:
    shape = rng.randrange(3)
    if shape == 0:
        return "arguments", {"env": [{"name": it.name, "value": it.value}, {"name": "MODE", "value": "fast"}]}, True
    if shape == 1:
        return "arguments", {"argv": ["deploy", f"--{it.name.replace('_', '-').lower()}", it.value, "--dry-run"]}, True
    return "arguments", {"headers": [[it.name, it.value], ["Accept", "application/json"]]}, True


def _env(rng: random.Random, it: Sample) -> tuple[str, JsonValue, bool]:
    name, value = it.name.upper().replace("-", "_"), it.value
    value = f'"{value}"' if "\n" in value or any(char in value for char in "#$& ") else value
    return "result", f"PORT=8080\n{rng.choice(['', 'export '])}{name}={value}\nDEBUG=false\n", True


def _yaml(rng: random.Random, it: Sample) -> tuple[str, JsonValue, bool]:
    if "\n" in it.value:
        block = "\n".join("    " + line for line in it.value.splitlines())
        return "result", f"service:\n  {it.name}: |\n{block}\n  replicas: 2\n", True
    value = it.value if it.value[0].isalnum() and ": " not in it.value and "#" not in it.value else f"'{it.value}'"
    return "result", f"service:\n  host: {rng.choice(HOSTS)}\n  {it.name}: {value}\n  replicas: 2\n", True


def _query(rng: random.Random, it: Sample) -> tuple[str, JsonValue, bool]:
    name = rng.choice(["access_token", "api_key", "token", "client_secret", "password", "apikey"])
    return (
        "arguments",
        {"url": f"https://{rng.choice(HOSTS)}/v1/items?page=2&{name}={quote(it.value, safe='')}&sort=asc"},
        True,
    )


def _connection(rng: random.Random, it: Sample) -> tuple[str, JsonValue, bool]:
    scheme = rng.choice(["postgres", "postgresql+psycopg", "mysql", "mongodb+srv", "redis", "amqps", "ftp", "https"])
    return (
        "arguments",
        {"dsn": f"{scheme}://{rng.choice(USERS)}:{quote(it.value, safe='')}@{rng.choice(HOSTS)}/main"},
        True,
    )


def _header(rng: random.Random, it: Sample) -> tuple[str, JsonValue, bool]:
    value = it.value.replace("\n", "")
    user = f"{rng.choice(USERS)}:{value}".encode()
    header = rng.choice(
        [
            f"Authorization: Bearer {value}",
            f"Authorization: Basic {base64.b64encode(user).decode()}",
            f"X-Api-Key: {value}",
            f"Cookie: theme=dark; session_token={value}",
            f"Proxy-Authorization: token {value}",
        ]
    )
    return "arguments", {"command": f"curl -sS -H '{header}' https://{rng.choice(HOSTS)}/me"}, True


def _flag(rng: random.Random, it: Sample) -> tuple[str, JsonValue, bool]:
    value = it.value.replace("\n", "")
    quoted = f"'{value}'"
    command = rng.choice(
        [
            f"deploy --{it.name.lower().replace('_', '-')} {quoted} --force",
            f"tool --{it.name.lower().replace('_', '-')}={value if value.isalnum() else quoted} run",
            f"curl -u {rng.choice(USERS)}:{quoted} https://{rng.choice(HOSTS)}"
            if value.isalnum()
            else f"curl -u '{rng.choice(USERS)}:{value}' https://x.io",
            f"mysql -h {rng.choice(HOSTS)} -u root -p{quoted} main",
            f"sshpass -p {quoted} ssh {rng.choice(USERS)}@{rng.choice(HOSTS)}",
            f"docker login -u {rng.choice(USERS)} -p {quoted} registry.acme.io",
            f"redis-cli -h {rng.choice(HOSTS)} -a {quoted} ping",
        ]
    )
    return "arguments", {"command": command}, True


def _sql(rng: random.Random, it: Sample) -> tuple[str, JsonValue, bool]:
    user = rng.choice(USERS).replace("-", "_")
    value = it.value.replace("'", "''")
    statement = rng.choice(
        [
            f"CREATE USER {user} IDENTIFIED BY '{value}';",
            f"ALTER ROLE {user} WITH LOGIN PASSWORD '{value}';",
            f"CREATE USER '{user}'@'%' IDENTIFIED WITH mysql_native_password BY '{value}'",
            f"INSERT INTO users (name, password, age) VALUES ('{user}', '{value}', 41);",
            f"UPDATE accounts SET password = '{value}' WHERE name = '{user}'",
        ]
    )
    return "arguments", {"query": statement}, True


def _json_text(rng: random.Random, it: Sample) -> tuple[str, JsonValue, bool]:
    text = json.dumps({"user": rng.choice(USERS), it.name: it.value}, indent=rng.choice([None, 2]))
    for _ in range(rng.randrange(2)):
        text = json.dumps({"body": text})
    return "result", text, True


def _sentence(rng: random.Random, it: Sample) -> tuple[str, JsonValue, bool]:
    text = rng.choice(["401: rejected {} from {}", "wrote {} for {}", "could not use {} on {}", "({}) was sent to {}"])
    return "exception", text.format(it.value, rng.choice(HOSTS)), False


def _base64(rng: random.Random, it: Sample) -> tuple[str, JsonValue, bool]:
    coded = base64.b64encode(it.value.encode()).decode()
    return (
        "arguments",
        {"data": rng.choice([coded, coded.rstrip("="), base64.urlsafe_b64encode(it.value.encode()).decode()])},
        False,
    )


def _base64_inside(rng: random.Random, it: Sample) -> tuple[str, JsonValue, bool]:
    text = f"{'x' * rng.randrange(3)}user {rng.choice(USERS)}; {it.name}={it.value}; {rng.choice(WORDS)}"
    coded = base64.b64encode(text.encode()).decode()
    lines = [coded[start : start + 76] for start in range(0, len(coded), 76)]
    return (
        "result",
        rng.choice([f"payload: {coded}", "Content-Transfer-Encoding: base64\n\n" + "\n".join(lines)]),
        False,
    )


def _percent(rng: random.Random, it: Sample) -> tuple[str, JsonValue, bool]:
    full = "".join(f"%{byte:02X}" for byte in it.value.encode())
    some = "".join(f"%{ord(char):02x}" if rng.random() < 0.4 else char for char in it.value)
    text = rng.choice([full, full.lower(), quote(it.value, safe=""), quote(quote(it.value, safe=""), safe=""), some])
    return "arguments", {"form": f"a=1&x={text}&b=2"}, False


def _hexed(rng: random.Random, it: Sample) -> tuple[str, JsonValue, bool]:
    raw = it.value.encode().hex()
    return (
        "result",
        f"dump: {rng.choice([raw, raw.upper(), '0x' + raw, ' '.join(raw[n : n + 2] for n in range(0, len(raw), 2))])}"
        f" end",
        False,
    )


def _escaped(rng: random.Random, it: Sample) -> tuple[str, JsonValue, bool]:
    text = rng.choice(
        [
            "".join(f"\\u{ord(char):04x}" for char in it.value),
            "".join(f"\\x{ord(char):02x}" for char in it.value),
            "".join(f"&#{ord(char)};" for char in it.value),
            "".join(f"&#x{ord(char):X};" if rng.random() < 0.5 else char for char in it.value),
            html.escape(it.value),
            "".join("\\" + char if not char.isalnum() and char != "\n" else char for char in it.value),
        ]
    )
    return "result", f"<p>got {text} back</p>", False


def _reversed(rng: random.Random, it: Sample) -> tuple[str, JsonValue, bool]:
    return "arguments", {"text": it.value[::-1]}, False


def _split(rng: random.Random, it: Sample) -> tuple[str, JsonValue, bool]:
    cut = rng.randrange(len(it.value) // 3, 2 * len(it.value) // 3) or 1
    first, second = it.value[:cut], it.value[cut:]
    if rng.random() < 0.3:
        third = len(second) // 2
        return "arguments", {"a": first, "b": second[:third], "c": second[third:]}, False
    return "arguments", {"prefix": first, "mode": 3, "suffix": second}, False


def _concatenated(rng: random.Random, it: Sample) -> tuple[str, JsonValue, bool]:
    cut = len(it.value) // 2
    first, second = it.value[:cut], it.value[cut:]
    return (
        "arguments",
        {
            "code": rng.choice(
                [
                    f'x = "{first}" + "{second}"',
                    f"print('{first}'\n      '{second}')",
                    f"{first}\n{second}",
                    f"{first} {second}",
                ]
            )
        },
        False,
    )


def _message(rng: random.Random, it: Sample) -> tuple[str, JsonValue, bool]:
    text = rng.choice(
        [
            f"connection to {rng.choice(HOSTS)} failed: {it.name}={it.value!r}",
            f"KeyError: {{'{it.name}': '{it.value}'}}",
            f"HTTP 403 for https://{rng.choice(USERS)}:{quote(it.value, safe='')}@{rng.choice(HOSTS)}/x",
            f"Invalid value for {it.name}: {it.value}",
        ]
    )
    return "exception", text, True


FORMS: dict[str, Form] = {
    "field": _field,
    "name and value": _listed,
    ".env": _env,
    "YAML": _yaml,
    "query": _query,
    "connection string": _connection,
    "header": _header,
    "flag": _flag,
    "SQL": _sql,
    "JSON in a string": _json_text,
    "sentence": _sentence,
    "base64": _base64,
    "inside base64": _base64_inside,
    "percent signs": _percent,
    "hex": _hexed,
    "escaped": _escaped,
    "reversed": _reversed,
    "split over arguments": _split,
    "concatenated": _concatenated,
    "exception": _message,
}


def plants(rng: random.Random, count: int) -> list[Plant]:
    """So many secrets, every form as often as every other."""
    planted: list[Plant] = []
    for number in range(count):
        form = list(FORMS)[number % len(FORMS)]
        it = sample(rng)
        where, payload, named = FORMS[form](rng, it)
        telling = named or (
            it.telling and form in ("sentence", "base64", "inside base64", "percent signs", "hex", "escaped")
        )
        before: JsonValue = None if telling else {"settings": {it.name: it.value}}
        if where == "exception" and not isinstance(payload, str):
            raise TypeError(f"an exception says text, not {type(payload).__name__}")
        planted.append(Plant(secret=it.value, kind=it.kind, form=form, where=where, payload=payload, before=before))
    rng.shuffle(planted)
    return planted

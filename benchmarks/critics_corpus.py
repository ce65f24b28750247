"""Lines that destroy, leak or open, and lines that do not, generated from rules so that nobody can learn them by heart.

A line that destroys is a plain one (a program, a place, a table) under any number of disguises; a harmless line
wears the same ones. Only mentioning something dangerous is harmless.
"""

import base64
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Line:
    family: str
    text: str
    language: str = "shell"
    dangerous: bool = True


NAMES = ("src", "notes", "thesis", "photos", "app", "lib2", "work", "core", "Documents", "data", "invoices", "models")
FILES = ("report.md", "main.py", "budget.xlsx", "index.html", "todo.txt", "draft.tex", "lib/util.go")
TABLES = ("users", "orders", "invoices", "public.events", "payments", "sessions", "audit_log")
HOSTS = ("files.example.net", "203.0.113.9", "paste.example.org", "drop.example.com")
BRANCHES = ("main", "release-2", "topic/x", "develop")


def patterns() -> list[tuple[bool, str, str]]:
    """Each plain line of the data files: whether it does harm, its family, its text."""
    found: list[tuple[bool, str, str]] = []
    for name in ("dangerous", "harmless"):
        family = ""
        for line in Path(__file__).with_name(f"critics_{name}.txt").read_text("utf-8").splitlines():
            if header := re.fullmatch(r"\[([\w ]+)\]", line):
                family = header[1]
            elif line and family:
                found.append((name == "dangerous", family, line.replace("⏎", "\n")))
    return found


def _quote(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _first(text: str) -> tuple[str, str]:
    head, _, tail = text.partition(" ")
    return head, tail


def _simple(text: str) -> bool:
    """One program in one line: what a disguise of its name can be put on."""
    return not any(mark in text for mark in "\n;|&<>(){}#$`") and _first(text)[0].isalpha()


def _letters(text: str, rng: random.Random) -> str:
    head, tail = _first(text)
    at = rng.randrange(1, len(head)) if len(head) > 1 else 1
    head = rng.choice(
        (
            f"{head[:at]}''{head[at:]}",
            f'{head[:at]}""{head[at:]}',
            f"{head[:at]}\\{head[at:]}",
            f"\\{head}",
            f"'{head}'",
        )
    )
    return f"{head} {tail}".strip()


def _ansi(text: str, rng: random.Random) -> str:
    head, tail = _first(text)
    coded = "".join(f"\\x{ord(letter):02x}" for letter in head)
    return f"$'{coded}' {tail}".strip()


def _variable(text: str, rng: random.Random) -> str:
    head, tail = _first(text)
    at = rng.randrange(len(head))
    return rng.choice(
        (f"x={head}; $x {tail}", f"a={head[:at]}; b={head[at:]}; $a$b {tail}", f"export T={head}; ${{T}} {tail}")
    ).strip()


def _substituted(text: str, rng: random.Random) -> str:
    head, tail = _first(text)
    return rng.choice(
        (f"$(echo {head}) {tail}", f"`printf {head}` {tail}", f"$(echo {head[::-1]} | rev) {tail}")
    ).strip()


def _wrapped(text: str, rng: random.Random) -> str:
    wrapper = rng.choice(
        (
            "sudo",
            "env A=1",
            "nice -n 5",
            "timeout 30",
            "nohup",
            "command",
            "time",
            "sudo -u root env B=2",
            "stdbuf -oL",
            "setsid",
        )
    )
    return f"{wrapper} {text}"


def _nested(text: str, rng: random.Random) -> str:
    return rng.choice(
        (
            "bash -c {}",
            "sh -c {}",
            "eval {}",
            "bash -lc {}",
            "bash -c {} -- x",
            "bash <<< {}",
            "su -c {}",
            "trap {} EXIT",
        )
    ).format(_quote(text))


def _encoded(text: str, rng: random.Random) -> str:
    packed = base64.b64encode(text.encode()).decode()
    hexed = text.encode().hex()
    return rng.choice(
        (
            f"echo {packed} | base64 -d | sh",
            f'eval "$(echo {packed} | base64 --decode)"',
            f"echo {hexed} | xxd -r -p | bash",
            f'bash -c "$(echo {packed} | base64 -d)"',
            f"printf %s {packed} | base64 -d | bash",
        )
    )


def _placed(text: str, rng: random.Random) -> str:
    return rng.choice(
        (
            "ls; {}",
            "true && {}",
            "false || {}",
            "({})",
            "{{ {}; }}",
            "if true; then {}; fi",
            "for i in 1 2; do {}; done",
            "{} &",
            "ls -la\n{}",
            "# tidy up\n{}",
            "{} # all fine",
            "cd build && {}",
            "f() {{ {}; }}; f",
            "! {}",
            "echo start; {}; echo done",
            "while true; do {}; break; done",
            "case x in x) {};; esac",
            "ls \\\n  -la; {}",
            "bash <<EOF\n{}\nEOF",
            "[ -d x ] && {}",
        )
    ).format(text)


DISGUISES: dict[str, Callable[[str, random.Random], str]] = {
    "letters quoted": _letters,
    "letters coded": _ansi,
    "variables": _variable,
    "substitution": _substituted,
    "wrapped": _wrapped,
    "nested shell": _nested,
    "encoded": _encoded,
    "placed": _placed,
}
_NAME_ONLY = ("letters quoted", "letters coded", "variables", "substitution", "wrapped")


def _filled(pattern: str, rng: random.Random) -> str:
    return pattern.format(
        name=rng.choice(NAMES),
        file=rng.choice(FILES),
        table=rng.choice(TABLES),
        host=rng.choice(HOSTS),
        branch=rng.choice(BRANCHES),
        ext=rng.choice(("py", "md", "txt")),
    )


def _disguised(text: str, rng: random.Random) -> Iterator[tuple[str, str]]:
    for name, disguise in DISGUISES.items():
        if name in _NAME_ONLY and not _simple(text):
            continue
        if name == "placed" and ("<<" in text or "#" in text):
            continue
        yield name, disguise(text, rng)


def lines(seed: int = 0, *, disguises: int = 2) -> list[Line]:
    """The corpus of one seed: each plain line, and some of its disguises."""
    rng = random.Random(seed)
    found: list[Line] = []
    for dangerous, family, pattern in patterns():
        text = _filled(pattern, rng)
        if family == "SQL":
            found.append(Line(family=family, text=text, language="sql", dangerous=dangerous))
            if not text.startswith(("\\", ".")):
                found.append(Line(family=family, text=_spread(text, rng), language="sql", dangerous=dangerous))
            continue
        found.append(Line(family=family, text=text, dangerous=dangerous))
        worn = list(_disguised(text, rng))
        for name, disguised in rng.sample(worn, min(disguises, len(worn))):
            found.append(Line(family=f"disguised: {name}", text=disguised, dangerous=dangerous))
    return found


def _spread(text: str, rng: random.Random) -> str:
    return rng.choice(
        (text if "'" in text else text.upper(), f"/* hello */ {text}", text.replace(" ", "\n ", 1), f"{text};")
    )

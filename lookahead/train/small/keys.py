"""Episodes with a store of keys and values."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from lookahead.train.small.apis import Store
from lookahead.train.small.branches import Outcome
from lookahead.train.small.domains import Asked, Domain, Real
from lookahead.train.small.elsewhere import elsewhere
from lookahead.train.small.service import Served
from lookahead.train.small.words import Words
from lookahead.worlds.embedded.program import formula
from lookahead.worlds.embedded.scene import IS, Scene


@contextmanager
def opened() -> Generator[Domain]:
    yield Domain(kind="keys", begin=begin, ask=ask, foreign=foreign, results=results, changes=changes)


def begin(words: Words) -> Real:
    store = Store()
    spaces = _spaces(words)
    for _ in range(words.random.choice([0, 1, 2, 4, 6, 8, 11])):
        store.call("kv_set", {"key": _key(words, spaces), "value": _value(words)})
    return Served(store)


def _spaces(words: Words) -> list[str]:
    return [words.name() + words.random.choice(":/._-:") for _ in range(2)]


def _key(words: Words, spaces: Sequence[str]) -> str:
    kind = words.random.random()
    if spaces and kind < 0.5:
        return words.random.choice(spaces) + words.name()
    return f"{words.name()}:{words.random.randint(1, 99)}" if kind < 0.6 else words.name()


def _value(words: Words) -> str:
    kind = words.random.random()
    if kind < 0.35:
        return str(words.random.randint(-20 if kind < 0.05 else 0, 10 ** words.random.randint(1, 4)))
    return words.text(1, 4) if kind < 0.98 else ""


def ask(words: Words, scene: Scene, wrong: bool) -> Asked:
    random, known = words.random, list(scene.facts)
    numbers = [key for key in known if scene.facts[key].lstrip("-").isdigit()]
    spaces = sorted({key[: key.index(mark) + 1] for key in known for mark in ":/._-" if mark in key[:-1]}) or _spaces(
        words
    )
    new = _key(words, spaces)
    while new in scene.facts:
        new = _key(words, spaces)
    some = random.choice(known) if known else new
    if wrong:
        near = random.choice([new, some[:-1] or new, some + random.choice("sx1"), some.upper() or new])
        missing = near if near not in scene.facts else new
        tool = random.choice(["kv_get", "kv_delete", "kv_append", "kv_rename", "kv_copy", "taken", "text"])
        texts = [key for key in known if key not in numbers]
        if tool == "taken" and len(known) > 1:
            key, to = random.sample(known, 2)
            return _asked(random.choice(["kv_rename", "kv_copy"]), key=key, to=to)
        if tool == "text" and texts:
            return _asked("kv_increment", key=random.choice(texts), by=random.randint(1, 9))
        return _made(words, "kv_get" if tool in ("taken", "text") else tool, missing, new)
    full = len(scene.text()) > 700
    weights = {
        "kv_get": 5 if known else 0,
        "kv_exists": 2,
        "kv_list": 3,
        "kv_count": 1.5,
        "kv_sum": 1.2,
        "kv_delete": (7 if full else 2) if known else 0,
        "kv_rename": 2.5 if known else 0,
        "kv_copy": (0.3 if full else 2) if known else 0,
        "kv_append": 2 if known else 0,
        "kv_increment": 3,
        "kv_set": 1 if full else 5,
    }
    tool = random.choices(list(weights), list(weights.values()))[0]
    if tool in ("kv_list", "kv_count", "kv_sum"):
        prefix = random.choice([*spaces, some[: random.randint(1, 3)], words.letters(1, 2)])
        return _asked(tool, **({"prefix": prefix} if random.random() < 0.75 else {}))
    if tool == "kv_increment":
        key = random.choice(numbers) if numbers and random.random() < 0.85 else new
        by = random.choice([1, 2, 5, 10, -1, -3, random.randint(1, 500)])
        return _asked(tool, key=key, **({"by": by} if random.random() < 0.7 else {}))
    if tool == "kv_set":
        return _made(words, tool, some if known and random.random() < 0.4 else new, new)
    if tool == "kv_exists":
        return _made(words, tool, some if random.random() < 0.5 else new, new)
    return _made(words, tool, some, new)


def _made(words: Words, tool: str, key: str, new: str) -> Asked:
    match tool:
        case "kv_set" | "kv_append":
            return _asked(tool, key=key, value=_value(words) or "x")
        case "kv_rename" | "kv_copy":
            return _asked(tool, key=key, to=new if new != key else f"{new}2")
        case _:
            return _asked(tool, key=key)


def _asked(tool: str, **arguments: Any) -> Asked:
    return Asked(tool=tool, arguments=arguments, command=tool)


def foreign(words: Words, scene: Scene) -> Asked:
    known = list(scene.facts)
    key = words.random.choice(known) if known else words.name()
    named: list[tuple[str, dict[str, Any]]] = [
        ("kv_expire", {"key": key, "seconds": words.random.randint(1, 900)}),
        ("kv_watch", {"prefix": words.name()}),
        ("kv_random", {}),
        ("kv_ttl", {"key": key}),
        ("kv_flush_to_disk", {}),
    ]
    return elsewhere(words, named)


def results(scene: Scene, asked: Asked) -> Sequence[str]:
    key, to = formula("arg key"), formula("arg to")
    said = {
        "kv_get": [formula("value")],
        "kv_delete": [f"deleted {key}"],
        "kv_list": [formula("names")],
        "kv_count": [formula("count")],
        "kv_sum": [formula("sum")],
        "kv_increment": [formula("plus"), f"not a number: {key}"],
        "kv_append": [formula("length")],
        "kv_rename": [f"renamed {key} to {to}", f"key exists: {to}"],
        "kv_copy": [f"copied {key} to {to}", f"key exists: {to}"],
    }
    return [*said.get(asked.tool, []), f"no such key: {key}"]


def changes(scene: Scene, asked: Asked, outcome: Outcome) -> Sequence[tuple[str, ...]]:
    key, to = formula("arg key"), formula("arg to")
    match asked.tool:
        case "kv_set":
            return [(f"+{key}{IS}{formula('arg value')}",)]
        case "kv_append":
            return [(f"&{key}{IS}{formula('arg value')}",)]
        case "kv_increment":
            return [(f"+{key}{IS}{formula('plus')}",)]
        case "kv_delete":
            return [(f"-{key}",)]
        case "kv_rename":
            return [(f"-{key}", f"+{to}{IS}{formula('kept')}")]
        case "kv_copy":
            return [(f"+{to}{IS}{formula('kept')}",)]
        case _:
            return []

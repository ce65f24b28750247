"""Which recorded calls are most like a new one: SQLite's full-text search, or plain counting where it has none."""

import math
import re
import sqlite3
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from functools import cache
from typing import Final, Protocol

WORDS: Final = 48
"""How many different words of a call are searched for."""
ARGUMENTS, GOAL = 8.0, 1.0
"""What a word counts for in the arguments of a call, and in the goal of its run."""

_WORD: Final = re.compile(r"[^\W_]+")


class Index(Protocol):
    """Finds texts by their words."""

    def add(self, number: int, arguments: str, goal: str) -> None: ...

    def nearest(self, arguments: str, goal: str, n: int) -> list[int]:
        """Numbers of the texts that share words with these, the nearest first, of equals the latest."""
        ...


def words(text: str) -> list[str]:
    """What is compared: paths, names and sentences as their words, each once, in their order."""
    return list(dict.fromkeys(_WORD.findall(text.lower())))[:WORDS]


def make_index() -> Index:
    return FullText() if has_full_text() else Counting()


@cache
def has_full_text() -> bool:
    """SQLite can be built without it."""
    with closing(sqlite3.connect(":memory:")) as db:
        try:
            db.execute("CREATE VIRTUAL TABLE probe USING fts5(text)")
        except sqlite3.OperationalError:
            return False
    return True


class FullText:
    """FTS5, in memory: the journal's own file holds its record and nothing else."""

    def __init__(self) -> None:
        # Threads take turns: nothing is asked for long.
        self._lock = threading.Lock()
        self._db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._db.execute("CREATE VIRTUAL TABLE calls USING fts5(arguments, goal)")

    def __del__(self) -> None:
        self._db.close()

    def add(self, number: int, arguments: str, goal: str) -> None:
        with self._lock:
            row = (number, " ".join(words(arguments)), " ".join(words(goal)))
            self._db.execute("INSERT INTO calls (rowid, arguments, goal) VALUES (?, ?, ?)", row)

    def nearest(self, arguments: str, goal: str, n: int) -> list[int]:
        asked = [f"{column} : ({' OR '.join(quoted)})" for column, quoted in _quoted(arguments=arguments, goal=goal)]
        if not asked:
            return []
        query = f"""
            SELECT rowid FROM calls WHERE calls MATCH ?
            ORDER BY bm25(calls, {ARGUMENTS}, {GOAL}), rowid DESC LIMIT ?
        """
        with self._lock:
            return [number for (number,) in self._db.execute(query, (" OR ".join(asked), n))]


def _quoted(**columns: str) -> list[tuple[str, list[str]]]:
    found = [(column, [f'"{word}"' for word in words(text)]) for column, text in columns.items()]
    return [(column, quoted) for column, quoted in found if quoted]


class Counting:
    """The same without FTS5: words in common, rare ones counting for more."""

    def __init__(self) -> None:
        self._texts: dict[int, tuple[frozenset[str], frozenset[str]]] = {}
        self._with: Counter[str] = Counter()

    def add(self, number: int, arguments: str, goal: str) -> None:
        text = frozenset(words(arguments)), frozenset(words(goal))
        self._texts[number] = text
        self._with.update(text[0] | text[1])

    def nearest(self, arguments: str, goal: str, n: int) -> list[int]:
        asked = words(arguments), words(goal)
        scored = [(self._score(asked, text), number) for number, text in self._texts.items()]
        return [number for score, number in sorted(scored, reverse=True)[:n] if score > 0]

    def _score(self, asked: tuple[Sequence[str], Sequence[str]], text: tuple[frozenset[str], frozenset[str]]) -> float:
        return sum(
            weight * sum(self._rarity(word) for word in mine if word in theirs) / math.sqrt(1 + len(theirs))
            for weight, mine, theirs in zip((ARGUMENTS, GOAL), asked, text, strict=True)
        )

    def _rarity(self, word: str) -> float:
        return math.log(1 + len(self._texts) / (1 + self._with[word]))

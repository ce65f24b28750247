"""Looks at what is really there and says it as a scene: a directory, a SQLite file. Small, bounded, without secrets."""

import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final, Literal, TypeAlias
from urllib.parse import quote

from lookahead.errors import NotMyWorld
from lookahead.redact import redact
from lookahead.worlds.embedded.doubt import HISTORY, UNSEEN
from lookahead.worlds.embedded.formulas.tables import facts_of
from lookahead.worlds.embedded.paths import written
from lookahead.worlds.embedded.scene import ASIDE, Scene

Look: TypeAlias = Callable[[], Scene | None]
"""Says what is there now; None where it cannot be said. It may take its time: it is called on a thread."""

THINGS: Final = 120
LETTERS: Final = 200_000
"""More than the small model can look at, and than is copied for each call."""
_FILE: Final = 50_000
"""Bytes of a file. A longer one is there, and what is in it counts as not seen."""
_ROWS: Final = 200


def scene_of_directory(
    path: str | os.PathLike[str], *, kind: Literal["shell", "files"] = "shell", things: int = THINGS
) -> Scene:
    """The files below a directory. Links are looked at, never followed.

    A file that is long, is no text or holds a secret is said to be there, and counts as not read: a call that has to do
    with what is in it is not foretold. Raises `NotMyWorld` where there is more than the small model can look at.
    """
    top = os.path.realpath(path)
    facts: dict[str, str] = {}
    letters = 0
    try:
        for name, value in _things(top, ""):
            facts[name] = value
            letters += len(name) + len(value)
            if len(facts) > things or letters > LETTERS:
                raise NotMyWorld(f"there is more in {top} than the small world model can look at")
    except OSError as cause:
        raise NotMyWorld(f"{top} cannot be looked at: {cause}") from cause
    return Scene(kind=kind, root=top, facts=facts)


def _things(top: str, below: str) -> Iterator[tuple[str, str]]:
    with os.scandir(os.path.join(top, below)) as entries:
        for entry in entries:
            name = f"{below}{entry.name}"
            if not name.isprintable() or name.startswith(ASIDE):
                raise NotMyWorld(f"{name!r} is a name that the small world model cannot spell")
            if entry.is_symlink():
                yield name, f">{os.readlink(entry.path)}"
            elif entry.name == ".git":
                yield HISTORY, UNSEEN
            elif entry.is_dir():
                yield f"{name}/", ""
                yield from _things(top, f"{name}/")
            else:
                yield name, _file(entry.path)


def _file(path: str) -> str:
    """What is in a file, as far as it may be known."""
    try:
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode):
            return UNSEEN
        mode = f"{status.st_mode & 0o7777:o}"
        if status.st_size > _FILE:
            return written(UNSEEN, mode)
        text = Path(path).read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return f"={UNSEEN}"
    if any(sign < " " and sign not in "\n\t" for sign in text) or redact.text(text) != text:
        return written(UNSEEN, mode)
    return written(text, mode)


def scene_of_sqlite(path: str | os.PathLike[str], *, rows: int = _ROWS) -> Scene:
    """The tables of a database and what is in them. Raises `NotMyWorld` for one that is large, or does more than keep
    rows: triggers and views.
    """
    place = f"file:{quote(os.fspath(path))}?mode=ro"
    try:
        with closing(sqlite3.connect(place, uri=True, timeout=1)) as connection:
            _must_be_plain(connection, os.fspath(path), rows)
            facts = facts_of(connection)
    except (sqlite3.Error, ValueError) as cause:
        raise NotMyWorld(f"{os.fspath(path)} cannot be looked at: {cause}") from cause
    kept = {name: value if redact.text(value) == value else UNSEEN for name, value in facts.items()}
    return Scene(kind="sqlite", facts=kept)


def _must_be_plain(connection: sqlite3.Connection, path: str, most: int) -> None:
    made = connection.execute("SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").fetchall()
    if odd := [kind for kind, _ in made if kind in ("trigger", "view")]:
        raise NotMyWorld(f"{path} has a {odd[0]}, and the small world model knows tables alone")
    count = 0
    for kind, name in made:
        if kind == "table":
            table = '"' + str(name).replace('"', '""') + '"'
            asked = f"SELECT count(*) FROM (SELECT 1 FROM {table} LIMIT {most + 1})"
            count += connection.execute(asked).fetchone()[0]
    if count > most:
        raise NotMyWorld(f"{path} has more than {most} rows, more than the small world model can look at")

"""What SQL may do inside a SQLite preview: the statements of a script, one by one, each watched as it is compiled."""

import re
import sqlite3
from dataclasses import dataclass, field

from lookahead.worlds.fork.database import first_word

_TOKEN = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|--[^\n]*|/\*.*?\*/|;""", re.DOTALL)
_COMMENT = re.compile(r"--[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)

_READ = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE})
_ROWS = frozenset({sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE})
_SCHEMA = frozenset(
    {
        sqlite3.SQLITE_CREATE_INDEX,
        sqlite3.SQLITE_CREATE_TABLE,
        sqlite3.SQLITE_CREATE_TRIGGER,
        sqlite3.SQLITE_CREATE_VIEW,
        sqlite3.SQLITE_CREATE_VTABLE,
        sqlite3.SQLITE_DROP_INDEX,
        sqlite3.SQLITE_DROP_TABLE,
        sqlite3.SQLITE_DROP_TRIGGER,
        sqlite3.SQLITE_DROP_VIEW,
        sqlite3.SQLITE_DROP_VTABLE,
        sqlite3.SQLITE_ALTER_TABLE,
        sqlite3.SQLITE_REINDEX,
        sqlite3.SQLITE_ANALYZE,
    }
)
_OWN_MODULES = frozenset({"fts3", "fts4", "fts5", "fts5vocab", "rtree", "rtree_i32", "geopoly"})
"""Virtual tables that keep everything in the database itself; others may read files or call out."""
_OUTWARD = frozenset(
    {"load_extension", "fts3_tokenizer", "readfile", "writefile", "edit", "lsdir", "fsdir", "sqlite_log", "shell_exec"}
)
_HISTORY = frozenset({"last_insert_rowid", "changes"})
_SYSTEM = frozenset({"sqlite_master", "sqlite_schema"})
_TEMP_SYSTEM = frozenset({"sqlite_temp_master", "sqlite_temp_schema"})
_READING_PRAGMAS = frozenset(
    {
        *("application_id", "collation_list", "compile_options", "encoding", "foreign_key_check", "foreign_key_list"),
        *(
            "data_version",
            "freelist_count",
            "index_info",
            "index_list",
            "index_xinfo",
            "integrity_check",
            "page_count",
            "page_size",
        ),
        *("quick_check", "table_info", "table_xinfo", "user_version", "foreign_keys", "recursive_triggers"),
    }
)
_WITH_TARGET = frozenset(
    {
        *("foreign_key_check", "foreign_key_list", "index_info", "index_list", "index_xinfo", "integrity_check"),
        *("quick_check", "table_info", "table_xinfo"),
    }
)
_WRITTEN_PRAGMAS = frozenset({"application_id", "user_version"})
"""Kept in the database's header and rolled back with the transaction."""
OWN_CONNECTION = frozenset({"foreign_keys", "recursive_triggers", "defer_foreign_keys", "case_sensitive_like"})
"""They last as long as the connection, so they are harmless in a script that has one of its own."""


def split(script: str) -> list[str]:
    """The statements of a script as SQLite itself would part them; pieces without any SQL are left out."""
    found: list[str] = []
    start = 0
    for token in _TOKEN.finditer(script):
        if token.group() == ";" and sqlite3.complete_statement(script[start : token.end()]):
            found.append(script[start : token.end()])
            start = token.end()
    found.append(script[start:])
    return [piece for piece in found if _COMMENT.sub(" ", piece).strip(" \t\r\n\f\v;\ufeff")]


@dataclass(kw_only=True)
class Watch:
    """SQLite's authorizer: notes what a statement is about to touch, and denies what a rollback cannot take back."""

    script: bool = False
    """Whether it watches a script on a private copy, where transactions and connection settings are its own affair."""
    own: str = "\0"
    """The prefix of the preview's own temporary objects."""
    denied: str = ""
    """Why the preview cannot go on; empty while it can."""
    tables: set[str] = field(default_factory=set[str])
    """Whose rows may change, in `main`."""
    altered: set[str] = field(default_factory=set[str])
    schema: bool = False
    header: bool = False
    _first: bool = True
    _altering: bool = False

    @property
    def writes(self) -> bool:
        return bool(self.tables) or self.schema or self.header

    def next_statement(self, sql: str, *, first: bool) -> None:
        self._first, self._altering = first, False
        if first_word(sql) == "vacuum":
            self.denied = "VACUUM rewrites the file outside any transaction"

    def __call__(self, code: int, one: str | None, two: str | None, schema: str | None, inner: str | None) -> int:
        reason = self._objection(code, one or "", two, schema or "", inner)
        if reason is None:
            return sqlite3.SQLITE_OK
        self.denied = self.denied or reason
        return sqlite3.SQLITE_DENY

    def _objection(self, code: int, one: str, two: str | None, schema: str, inner: str | None) -> str | None:
        lower = one.lower()
        if code in _READ:
            if lower in _TEMP_SYSTEM and not self._altering:
                return "temporary objects belong to the tool's own connection, which a copy cannot see"
            return None
        if code == sqlite3.SQLITE_FUNCTION:
            return self._function((two or "").lower(), inner)
        if code in _ROWS:
            return self._rows(one, schema, inner)
        if code in _SCHEMA:
            return self._structure(code, one, two, schema)
        if code == sqlite3.SQLITE_PRAGMA:
            return self._pragma(lower, two)
        if code in (sqlite3.SQLITE_TRANSACTION, sqlite3.SQLITE_SAVEPOINT):
            return None if self.script else "a transaction command alone depends on the tool's own connection"
        if code in (sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH):
            return "it reaches for another database file"
        return "it makes temporary objects, which live only in the tool's own connection"

    def _function(self, name: str, inner: str | None) -> str | None:
        if name in _OUTWARD:
            return f"{name}() reaches outside the database"
        if name == "total_changes" or (name in _HISTORY and self._first and inner is None):
            return f"{name}() depends on what the tool's own connection did before"
        return None

    def _rows(self, table: str, schema: str, inner: str | None) -> str | None:
        if schema == "temp":
            ours = inner is not None and inner.startswith(self.own)
            return None if ours or self._altering else "temporary objects live only in the tool's own connection"
        if schema != "main":
            return "it writes to another database file"
        if table.lower() not in _SYSTEM:
            self.tables.add(table)
        return None

    def _structure(self, code: int, one: str, two: str | None, schema: str) -> str | None:
        self.schema = True
        if code == sqlite3.SQLITE_ALTER_TABLE:
            # Here SQLite names the database first and the table second.
            self._altering = True
            self.tables.add(two or "")
            self.altered.add(two or "")
            return None if one == "main" else "it alters a table of another database"
        if schema not in ("main", ""):
            return "it writes to another database file"
        if code == sqlite3.SQLITE_CREATE_VTABLE and (two or "").lower() not in _OWN_MODULES:
            return f"a virtual table of the module {two!r} may reach outside the database"
        if code in (sqlite3.SQLITE_DROP_TABLE, sqlite3.SQLITE_DROP_VTABLE):
            self.tables.add(one)
        return None

    def _pragma(self, name: str, value: str | None) -> str | None:
        if name in _READING_PRAGMAS and (value is None or name in _WITH_TARGET):
            return None
        if name in _WRITTEN_PRAGMAS:
            self.header = True
            return None
        if name in OWN_CONNECTION and self.script:
            return None
        return f"PRAGMA {name} sets or shows something that a rollback does not cover"

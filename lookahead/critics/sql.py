"""What SQL can lose or open, by its parse tree in the dialects that it may be written in."""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from lookahead.critics.finding import Finding, caution, danger, note
from lookahead.critics.nameset import nameset
from lookahead.critics.sql_functions import function_findings
from lookahead.critics.sql_text import UNREAD, anywhere, client, client_commands, guess
from lookahead.critics.sql_where import always

_DIALECTS: Final = ("postgres", "mysql", "sqlite", "tsql")
_DOUBTFUL: Final = re.compile(r"[\\`#$\[\]]|/\*[!+]|--|\b[eEnNxXbBuUrR]&?'")
"""Text that dialects read differently: where strings end, what is a comment."""
_LONGEST: Final = 100_000


@dataclass(frozen=True, slots=True)
class Read:
    """One reading of a text: its statements, and whether all of it was understood."""

    statements: tuple[Any, ...]


@lru_cache(maxsize=512)
def judge_sql(text: str) -> tuple[Finding, ...]:
    """Every finding in every reading of the text."""
    if len(text) > _LONGEST:
        return (caution("sql.unread", "the SQL is too long to be read", UNREAD),)
    found: dict[Finding, None] = {}
    plain, commands = client_commands(text)
    for command in commands:
        found.update(dict.fromkeys(client(command)))
    if not plain.strip():
        return tuple(found)
    readings = readings_of(plain)
    if not readings:
        found[caution("sql.unread", "the SQL cannot be parsed in any dialect", UNREAD)] = None
        found.update(dict.fromkeys(guess(plain)))
    for reading in readings:
        for statement in reading.statements:
            if statement is not None:
                found.update(dict.fromkeys(_statement(statement)))
    found.update(dict.fromkeys(anywhere(plain)))
    return tuple(found)


def readings_of(text: str) -> list[Read]:
    """The text as each dialect understands it. Text that no two dialects read differently is read once."""
    first = _parse(text, None)
    if first is not None and not _DOUBTFUL.search(text) and not any(_is_command(one) for one in first.statements):
        return [first]
    readings = [reading for dialect in _DIALECTS if (reading := _parse(text, dialect)) is not None]
    understood = [reading for reading in readings if not any(_is_command(one) for one in reading.statements)]
    if _DOUBTFUL.search(text):
        return readings
    return understood[:1] or readings[:1] or ([first] if first is not None else [])


def _parse(text: str, dialect: str | None) -> Read | None:
    try:
        import sqlglot
        from sqlglot.errors import SqlglotError
    except ImportError as missing:  # pragma: no cover
        raise ImportError('reading SQL needs sqlglot: pip install "lookahead-agents"') from missing
    _quiet()
    try:
        return Read(tuple(sqlglot.parse(text, dialect=dialect)))
    except (SqlglotError, RecursionError, ValueError, TypeError, AttributeError, IndexError, KeyError):
        return None


@lru_cache(maxsize=1)
def _quiet() -> None:
    """sqlglot warns on its logger about each statement that it keeps as text; we say so ourselves."""
    logging.getLogger("sqlglot").setLevel(logging.ERROR)


def _is_command(statement: Any) -> bool:
    return type(statement).__name__ in ("Command", "Column", "Alias", "Anonymous", "Semicolon")


def _table(node: Any) -> str:
    """What a statement is about, by name. Where it stands in the tree differs between releases of sqlglot."""
    about = node.args.get("tables") or node.args.get("expressions") or [node.this]
    if node.this is not None:
        about = [node.this]
    names = [one.name or one.sql() if hasattr(one, "sql") else str(one) for one in about if one is not None]
    inner = [
        next((table.name for table in one.walk() if type(table).__name__ == "Table"), "")
        for one in about
        if hasattr(one, "walk")
    ]
    return ", ".join(name for name in inner if name) or ", ".join(names) or "a table"


def _statement(statement: Any) -> Iterator[Finding]:
    name = type(statement).__name__
    if name == "Command":
        yield from _command(statement)
        return
    if name in ("Column", "Alias", "Anonymous", "Identifier", "Literal", "Dot", "Not", "Mul"):
        yield caution("sql.unread", f"not a statement: {statement.sql()}", UNREAD)
        yield from guess(statement.sql())
        return
    if name == "Describe" and not re.search(r"(?i)\banaly[sz]e\b", statement.sql()):
        return
    for node in statement.walk():
        yield from _node(node)


def _node(node: Any) -> Iterator[Finding]:
    match type(node).__name__:
        case "Delete":
            yield from _delete(node)
        case "Update":
            yield from _update(node)
        case "Drop" if type(node.parent).__name__ != "Alter":
            yield from _drop(node)
        case "TruncateTable":
            tables = _table(node)
            yield danger(
                "sql.all-rows-deleted", f"empties {tables}", "not even a WHERE limits it", reach="rows", names=(tables,)
            )
        case "Alter":
            yield from _alter(node)
        case "Create":
            yield from _create(node)
        case "Insert" if node.args.get("overwrite"):
            yield danger(
                "sql.all-rows-deleted", f"replaces all rows of {_table(node)}", "OVERWRITE keeps none", reach="rows"
            )
        case "Merge":
            yield from _merge(node)
        case "Grant":
            yield from _grant(node)
        case "Revoke":
            yield caution(
                "sql.rights-changed", "takes rights away", "programs that need them will fail", node.sql(), reach="rows"
            )
        case "Copy":
            yield from _copy(node)
        case "Kill":
            yield caution("sql.connection-killed", node.sql(), "work in it that is not committed is gone")
        case "Execute" | "ExecuteSql":
            yield from _execute(node.sql())
        case "Pragma":
            yield from _pragma(node)
        case "Set" | "SetItem":
            if re.search(
                r"(?i)foreign_key|replication_role|safe_update|\bglobal\b|\bpersist\b|row_security|\brole\b|unique_checks",
                node.sql(),
            ):
                yield caution(
                    "sql.setting-changed", node.sql(), "it switches a protection off or goes beyond this session"
                )
        case "LoadData":
            yield caution("sql.loaded", node.sql(), "rows come from a file nobody looked at")
        case "Attach" | "Detach":
            yield caution("sql.attached", node.sql(), "later statements reach another file")
        case _:
            yield from function_findings(node)


def _delete(node: Any) -> Iterator[Finding]:
    table = _table(node) if node.this is not None else ", ".join(t.name for t in node.args.get("tables") or ())
    where = node.args.get("where")
    if node.args.get("limit") is not None:
        yield caution(
            "sql.rows-deleted",
            f"deletes some rows of {table}",
            "deleted rows do not come back",
            reach="rows",
            loses=True,
            names=(table,),
        )
    elif where is None or always(where.this):
        why = "there is no WHERE" if where is None else f"the condition is always true: {where.this.sql()}"
        yield danger("sql.all-rows-deleted", f"deletes every row of {table}", why, reach="rows", names=(table,))
    else:
        yield caution(
            "sql.rows-deleted",
            f"deletes rows of {table} where {where.this.sql()}",
            "deleted rows do not come back",
            reach="rows",
            loses=True,
            names=(table,),
        )


def _update(node: Any) -> Iterator[Finding]:
    where, table = node.args.get("where"), _table(node)
    if (where is None and node.args.get("limit") is None) or (where is not None and always(where.this)):
        why = "there is no WHERE" if where is None else f"the condition is always true: {where.this.sql()}"
        yield danger(
            "sql.all-rows-changed",
            f"changes every row of {table}",
            f"{why}; the old values are gone",
            reach="rows",
            names=(table,),
        )
    else:
        yield note("sql.rows-changed", f"changes rows of {table}", "the old values are gone", reach="rows")


def _drop(node: Any) -> Iterator[Finding]:
    kind = str(node.args.get("kind") or "something").upper()
    name = _table(node)
    what = f"drops the {kind.lower()} {name}"
    if node.args.get("temporary"):
        yield note("sql.dropped", what, "temporary ones are made again", reach="rows")
    elif kind in (
        "VIEW",
        "INDEX",
        "TRIGGER",
        "FUNCTION",
        "PROCEDURE",
        "SEQUENCE",
        "TYPE",
        "CONSTRAINT",
        "STATISTICS",
        "TASK",
    ):
        yield caution("sql.dropped", what, "programs that use it will fail", reach="rows", loses=True, names=(name,))
    else:
        why = "CASCADE takes with it what depends on it" if node.args.get("cascade") else "all that is in it is gone"
        yield danger("sql.dropped", what, why, reach="rows", names=(name,))


def _alter(node: Any) -> Iterator[Finding]:
    table = _table(node)
    for action in node.args.get("actions") or ():
        kind, text = type(action).__name__, action.sql()
        if kind in ("Drop", "DropPartition", "DropPartitions"):
            what = str(action.args.get("kind") or "COLUMN").upper()
            if kind != "Drop" or what in ("COLUMN", "PARTITION"):
                yield danger("sql.column-dropped", f"alters {table}: {text}", "what is in it is gone", reach="rows")
            else:
                yield caution(
                    "sql.constraint-dropped",
                    f"alters {table}: {text}",
                    "wrong values are no longer refused",
                    reach="rows",
                    loses=True,
                )
        elif kind in ("ColumnDef", "AddConstraint", "AddPartition", "AlterSet") or re.match(r"(?i)add\b", text):
            yield note("sql.altered", f"alters {table}: {text}", "it is added to what is there", reach="rows")
        else:
            yield caution(
                "sql.altered", f"alters {table}: {text}", "values may not fit, programs may not find it", reach="rows"
            )
    if not node.args.get("actions"):
        yield caution("sql.altered", f"alters {table}", UNREAD, reach="rows")


def _create(node: Any) -> Iterator[Finding]:
    kind = str(node.args.get("kind") or "").upper()
    if kind in ("TABLE", "SCHEMA", "DATABASE") and node.args.get("replace"):
        yield danger(
            "sql.dropped",
            f"replaces the {kind.lower()} {_table(node)}",
            "the one that was there is dropped first",
            reach="rows",
        )
    elif kind in ("FUNCTION", "PROCEDURE", "TRIGGER", "RULE", "EVENT", "EXTENSION", "SERVER", "USER", "ROLE"):
        yield caution("sql.code-created", f"creates a {kind.lower()}", "it runs later, unasked", reach="rows")


def _merge(node: Any) -> Iterator[Finding]:
    text = node.sql().upper()
    if "BY SOURCE" in text and "DELETE" in text:
        yield danger(
            "sql.all-rows-deleted",
            f"deletes rows of {_table(node)} that are not in the source",
            "an empty source deletes all",
            reach="rows",
        )
    elif "DELETE" in text:
        yield caution(
            "sql.rows-deleted",
            f"merges into {_table(node)} and deletes",
            "deleted rows do not come back",
            reach="rows",
            loses=True,
        )
    else:
        yield note("sql.rows-changed", f"merges into {_table(node)}", "the old values are gone", reach="rows")


def _grant(node: Any) -> Iterator[Finding]:
    yield from _granted(node.sql())


def _granted(text: str) -> Iterator[Finding]:
    wide = re.search(r"(?i)\ball\b|\*\.\*|superuser|grant option|dba", text)
    if re.search(r"(?i)\bto\s+(public|['\"`]?%|anonymous|guest)", text):
        yield danger(
            "sql.rights-given", f"gives rights to everybody: {text}", "who can connect can use them", loses=False
        )
    else:
        yield caution("sql.rights-given", text, "wide rights" if wide else "somebody can do more than before")


def _copy(node: Any) -> Iterator[Finding]:
    text = node.sql()
    if re.search(r"(?i)\bprogram\b", text):
        return
    if node.args.get("kind") is False:
        yield caution("sql.exported", f"writes {_table(node)} to a file", "data leaves the database", text)


def _execute(text: str) -> Iterator[Finding]:
    if re.search(r"(?i)xp_cmdshell|sp_oacreate|xp_reg|sp_configure", text):
        return
    yield caution("sql.code-run", f"runs stored code: {text or 'a procedure'}", UNREAD)


_QUIET_PRAGMAS: Final = nameset(
    "table_info table_xinfo table_list index_list index_info index_xinfo foreign_key_list database_list"
    " collation_list compile_options function_list module_list pragma_list integrity_check quick_check"
    " foreign_key_check page_count page_size freelist_count"
)


def quiet_pragma(text: str) -> bool:
    match = re.match(r"(?i)pragma\s+(?:\w+\.)?(\w+)\s*(=)?", text)
    return match is not None and match.group(2) is None and match.group(1).lower() in _QUIET_PRAGMAS


def _pragma(node: Any) -> Iterator[Finding]:
    text = node.sql()
    if not quiet_pragma(text) and ("=" in text or "(" in text):
        risky = re.search(r"(?i)writable_schema|foreign_keys|ignore_check|synchronous|journal_mode", text)
        yield (caution if risky else note)(
            "sql.setting-changed", text, "it changes how the database keeps its promises"
        )


_HARMLESS: Final = nameset(
    "SHOW DESCRIBE DESC VACUUM ANALYZE REINDEX CHECKPOINT OPTIMIZE LISTEN UNLISTEN DEALLOCATE DISCARD FETCH"
    " CLOSE DECLARE HELP LIST"
)


def _command(node: Any) -> Iterator[Finding]:
    """A statement that sqlglot keeps as text: its first word, and what can be parsed after it."""
    head = str(node.this).upper().strip()
    tail = node.args.get("expression")
    rest = str(getattr(tail, "this", None) or tail or "")
    text = f"{head} {rest}".strip()
    if head in ("EXPLAIN", "PREPARE", "DESCRIBE"):
        inner = re.sub(r"(?is)^.*?\bas\b", "", rest, count=1) if head == "PREPARE" else rest
        if head == "EXPLAIN" and not re.search(r"(?i)\banaly[sz]e\b", rest):
            return
        inner = re.sub(r"(?is)^\s*(\([^)]*\)|analy[sz]e\b|verbose\b|\s)*", "", inner)
        yield from judge_sql(inner)
    elif head in _HARMLESS:
        return
    elif head in ("DO", "BEGIN", "DECLARE", "IF", "WHILE"):
        yield caution("sql.code-run", "runs a block of code", UNREAD)
        yield from guess(rest)
    elif head in ("CALL", "EXEC", "EXECUTE"):
        yield from _execute(text)
    elif head == "ALTER" and re.search(r"(?i)^\s*(role|user|login)\b", rest):
        grave = re.search(r"(?i)superuser|createrole|bypassrls|password|sysadmin", rest)
        make = danger if grave else caution
        yield make(
            "sql.rights-given", f"ALTER {' '.join(rest.split()[:2])} …", "somebody can do more than before", loses=False
        )
    elif head == "GRANT":
        yield from _granted(text)
    elif head == "REPLACE":
        yield caution(
            "sql.rows-replaced",
            "replaces rows that have the same key",
            "the old ones are gone",
            reach="rows",
            loses=True,
        )
    else:
        yield caution("sql.unread", f"{head} is not understood", UNREAD)
        yield from guess(text)

"""What a SQLite preview did: rows created, changed and deleted in each table, and every object of the schema."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lookahead.types import Effect
from lookahead.worlds.fork.sqlite_guard import Watch

EXAMPLES = 3
_WIDTH = 40
_COLUMNS = 8
_MANY = 10_000


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table as `PRAGMA table_xinfo` shows it."""

    name: str
    columns: tuple[str, ...]
    identity: tuple[str, ...]
    """What says that two rows are the same row: the primary key, else the rowid. Quoted, ready for SQL."""
    place: tuple[str, ...]
    """Where a row is stored: the rowid, or the primary key of a table without one. Quoted."""
    virtual: bool = False

    @property
    def traceable(self) -> bool:
        """Whether triggers can note the rows that a statement touches."""
        return not self.virtual and not self.name.lower().startswith("sqlite_")


@dataclass(frozen=True, kw_only=True)
class Item:
    """One row of the schema table."""

    kind: str
    table: str
    root: int
    sql: str | None


def quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def tables(connection: sqlite3.Connection, schema: str, names: Iterable[str] | None = None) -> dict[str, Table]:
    """The tables of one schema by lower-case name; shadow tables of virtual tables are left out."""
    wanted = None if names is None else {name.lower() for name in names}
    found: dict[str, Table] = {}
    listed = connection.execute(f"PRAGMA {quote(schema)}.table_list").fetchall()
    for _, name, kind, _, without_rowid, _ in listed:
        lower = str(name).lower()
        if kind not in ("table", "virtual") or lower.startswith(("sqlite_schema", "sqlite_temp_schema")):
            continue
        if wanted is None or lower in wanted:
            found[lower] = _table(connection, schema, str(name), bool(without_rowid), kind == "virtual")
    return found


def _table(connection: sqlite3.Connection, schema: str, name: str, without_rowid: bool, virtual: bool) -> Table:
    rows = connection.execute(f"PRAGMA {quote(schema)}.table_xinfo({quote(name)})").fetchall()
    columns = tuple(str(row[1]) for row in rows if row[6] != 1)
    keyed = sorted((row[5], str(row[1])) for row in rows if row[5])
    key = tuple(quote(column) for _, column in keyed)
    lower = {column.lower() for column in columns}
    rowid = next((word for word in ("rowid", "_rowid_", "oid") if word not in lower), None)
    whole = tuple(quote(column) for column in columns)
    place = key if without_rowid else (rowid,) if rowid else key or whole
    return Table(
        name=name,
        columns=columns,
        identity=key if key and not virtual else place,
        place=place,
        virtual=virtual,
    )


def items(connection: sqlite3.Connection, schema: str) -> dict[str, Item]:
    rows = connection.execute(f"SELECT name, type, tbl_name, rootpage, sql FROM {quote(schema)}.sqlite_master")
    return {
        str(name): Item(kind=str(kind), table=str(table), root=int(root or 0), sql=sql)
        for name, kind, table, root, sql in rows
        if not str(name).startswith("sqlite_autoindex_") and name != "sqlite_sequence"
    }


class Trace:
    """Temporary triggers that note which rows a statement touches, so that only those are compared afterwards."""

    def __init__(self, connection: sqlite3.Connection, traced: Iterable[Table], prefix: str) -> None:
        self._connection = connection
        self._logs: dict[str, str] = {}
        for number, table in enumerate(traced):
            log = f"{prefix}{number}"
            self._logs[table.name.lower()] = log
            places = range(len(table.place))
            connection.execute(f"CREATE TEMP TABLE {quote(log)} (op, {', '.join(f'k{i}' for i in places)})")
            new, old = (", ".join(f"{row}.{place}" for place in table.place) for row in ("NEW", "OLD"))
            events = {
                "INSERT": f"INSERT INTO {quote(log)} VALUES (1, {new});",
                "DELETE": f"INSERT INTO {quote(log)} VALUES (-1, {old});",
                "UPDATE": f"INSERT INTO {quote(log)} VALUES (0, {old}); INSERT INTO {quote(log)} VALUES (0, {new});",
            }
            for event, body in events.items():
                name = quote(f"{log}{event}")
                connection.execute(
                    f"CREATE TEMP TRIGGER {name} AFTER {event} ON main.{quote(table.name)} BEGIN {body} END"
                )

    def only(self, table: Table, row: str) -> str:
        """A condition that holds for the touched rows of `table`, named `row` in the query."""
        log = self._logs[table.name.lower()]
        places = ", ".join(f"{row}.{place}" for place in table.place)
        keys = ", ".join(f"k{i}" for i in range(len(table.place)))
        return f"({places}) IN (SELECT {keys} FROM temp.{quote(log)})"

    def complete(self, table: Table, before: str) -> bool:
        """False when rows went that no trigger saw: those that a REPLACE pushed out."""
        log = self._logs[table.name.lower()]
        ask = (
            f"SELECT (SELECT count(*) FROM {before}.{quote(table.name)}) + "
            f"(SELECT coalesce(sum(op), 0) FROM temp.{quote(log)}) = (SELECT count(*) FROM main.{quote(table.name)})"
        )
        return bool(self._connection.execute(ask).fetchone()[0])

    def __contains__(self, table: Table) -> bool:
        return table.name.lower() in self._logs


def compare(
    connection: sqlite3.Connection, before: str, watch: Watch, *, trace: Trace | None = None, replaces: bool = True
) -> tuple[Effect, ...]:
    """Everything that differs between the schema `before` and `main`, among what the statement could reach."""
    schema = quote(before)
    effects: list[Effect] = []
    moved: list[tuple[Table, Table]] = []
    if watch.schema:
        effects += _structure(connection, before, watch, moved)
    # One ALTER alone changes no row beyond its column, and that is told with the table.
    touched = watch.tables if watch.script else watch.tables - watch.altered
    old, new = tables(connection, before, touched), tables(connection, "main", touched)
    for was, is_now in [*((old[lower], new[lower]) for lower in sorted(old.keys() & new.keys())), *moved]:
        near = trace if trace is not None and is_now in trace else None
        if near is not None and replaces and not near.complete(is_now, schema):
            near = None
        effects += _rows(connection, schema, was, is_now, near)
    if watch.header:
        effects += _header(connection, schema)
    return tuple(effects)


def _rows(
    connection: sqlite3.Connection, before: str, was: Table, is_now: Table, trace: Trace | None
) -> Iterable[Effect]:
    if was.identity != is_now.identity:
        was, is_now = (
            Table(name=side.name, columns=side.columns, identity=side.place, place=side.place) for side in (was, is_now)
        )
    old, new = f"{before}.{quote(was.name)}", f"main.{quote(is_now.name)}"
    same_key = _same_row(was, is_now)
    common = [quote(column) for column in is_now.columns if column in was.columns]
    equal = _all(f"(b.{c} COLLATE BINARY IS a.{c} AND typeof(b.{c}) = typeof(a.{c}))" for c in common)
    here = trace.only(is_now, "a") if trace else "1"
    there = trace.only(is_now, "b") if trace else "1"
    before_has = f"EXISTS (SELECT 1 FROM {old} b WHERE {same_key}"
    questions = {
        "created": (f"FROM {new} a WHERE {here} AND NOT {before_has})", "a"),
        "changed": (f"FROM {new} a WHERE {here} AND {before_has}) AND NOT {before_has} AND {equal})", "a"),
        "deleted": (f"FROM {old} b WHERE {there} AND NOT EXISTS (SELECT 1 FROM {new} a WHERE {same_key})", "b"),
    }
    total = connection.execute(f"SELECT count(*) FROM (SELECT 1 FROM {old} LIMIT {_MANY + 1})").fetchone()[0]
    of = f"of {total:,}" if total <= _MANY else f"of more than {_MANY:,}"
    for happened, (question, row) in questions.items():
        count = int(connection.execute(f"SELECT count(*) {question}").fetchone()[0])
        if not count:
            continue
        shown = [quote(column) for column in (is_now if row == "a" else was).columns[:_COLUMNS]]
        values = ", ".join(f"{row}.{column}" for column in shown)
        if happened == "changed":
            both = ", ".join(f"a.{c}, (SELECT b.{c} FROM {old} b WHERE {same_key})" for c in common[:_COLUMNS])
            rows = connection.execute(f"SELECT {both} {question} LIMIT {EXAMPLES}").fetchall()
            examples = [_change(common[:_COLUMNS], found) for found in rows]
        else:
            rows = connection.execute(f"SELECT {values} {question} LIMIT {EXAMPLES}").fetchall()
            examples = [_row(shown, found) for found in rows]
        share = "" if happened == "created" else f" {of}"
        detail = "\n".join([f"{count:,}{share} row{'' if count == 1 and not share else 's'}", *examples])
        if happened == "created":
            yield Effect(
                happened="created",
                target=is_now.name,
                what="row",
                after=count,
                unit="rows",
                recoverable=None,
                detail=detail,
            )
        elif happened == "changed":
            yield Effect(
                happened="changed",
                target=is_now.name,
                what="row",
                before=count,
                after=count,
                unit="rows",
                detail=detail,
            )
        else:
            yield Effect(happened="deleted", target=was.name, what="row", before=count, unit="rows", detail=detail)


def _same_row(was: Table, is_now: Table) -> str:
    """Says that the old row `b` and the new row `a` are one row. SQLite lets NULL be a primary key many times over."""
    same = " AND ".join(f"b.{key} IS a.{key}" for key in is_now.identity)
    if is_now.identity == is_now.place or was.place != is_now.place:
        return same
    whole = " AND ".join(f"a.{key} IS NOT NULL" for key in is_now.identity)
    stored = " AND ".join(f"b.{place} IS a.{place}" for place in is_now.place)
    return f"{same} AND (({whole}) OR ({stored}))"


def _all(conditions: Iterable[str], group: int = 50) -> str:
    """A long conjunction that stays flat: SQLite bounds how deep an expression may nest."""
    every = list(conditions)
    while len(every) > 1:
        every = [f"({' AND '.join(every[i : i + group])})" for i in range(0, len(every), group)]
    return every[0] if every else "1"


def _structure(
    connection: sqlite3.Connection, before: str, watch: Watch, moved: list[tuple[Table, Table]]
) -> Iterable[Effect]:
    old, new = items(connection, before), items(connection, "main")
    old_tables, new_tables = tables(connection, before), tables(connection, "main")
    renamed = _renamed(old, new, watch)
    appeared = set(renamed.values())
    for name in sorted(old.keys() - new.keys()):
        item = old[name]
        if name in renamed:
            was, is_now = old_tables[name.lower()], new_tables[renamed[name].lower()]
            if watch.script:
                moved.append((was, is_now))
            yield _resized(connection, before, was, is_now, f"renamed to {is_now.name}")
        elif item.kind == "table" and name.lower() in old_tables:
            table = old_tables[name.lower()]
            count = _count(connection, before, name)
            examples = _examples(connection, before, table)
            yield Effect(
                happened="deleted", target=name, what="table", before=count, unit="rows", detail="\n".join(examples)
            )
        elif item.kind != "table" and (item.table in new or item.kind == "view"):
            yield Effect(happened="deleted", target=name, what=item.kind, detail=_short(item.sql or "", 200))
    for name in sorted(new.keys() - old.keys() - appeared):
        item = new[name]
        if item.kind == "table" and name.lower() in new_tables:
            count = _count(connection, "main", name)
            detail = _short(item.sql or "", 200)
            yield Effect(happened="created", target=name, what="table", after=count, unit="rows", detail=detail)
        elif item.kind != "table":
            yield Effect(happened="created", target=name, what=item.kind, detail=_short(item.sql or "", 200))
    for name in sorted(old.keys() & new.keys()):
        if old[name].sql == new[name].sql:
            continue
        was, is_now = old_tables.get(name.lower()), new_tables.get(name.lower())
        if was is not None and is_now is not None:
            yield from _altered(connection, before, was, is_now, watch)
        elif not watch.altered:
            yield Effect(happened="changed", target=name, what=new[name].kind, detail=_short(new[name].sql or "", 200))


def _renamed(old: dict[str, Item], new: dict[str, Item], watch: Watch) -> dict[str, str]:
    """Old name to new name of tables that only moved: an ALTER was seen, and the rows are where they were."""
    altered = {name.lower() for name in watch.altered}
    roots = {item.root: name for name, item in new.items() if item.kind == "table" and item.root and name not in old}
    return {
        name: roots[item.root]
        for name, item in old.items()
        if item.kind == "table" and name not in new and name.lower() in altered and item.root in roots
    }


def _altered(connection: sqlite3.Connection, before: str, was: Table, is_now: Table, watch: Watch) -> Iterable[Effect]:
    lost = [column for column in was.columns if column not in is_now.columns]
    added = [column for column in is_now.columns if column not in was.columns]
    if not lost and not added and is_now.name.lower() not in {name.lower() for name in watch.altered}:
        return  # Only its references to a renamed table were rewritten.
    detail = f"columns: {', '.join(was.columns)} → {', '.join(is_now.columns)}"
    yield _resized(connection, before, was, is_now, detail)
    for column in lost:
        place = was.columns.index(column)
        heir = is_now.columns[place] if place < len(is_now.columns) else ""
        if heir in added and (not watch.script or _same_values(connection, before, was, is_now, column, heir)):
            continue  # Renamed: every value is still there.
        ask = f"SELECT count({quote(column)}) FROM {quote(before)}.{quote(was.name)}"
        held = int(connection.execute(ask).fetchone()[0])
        yield Effect(happened="deleted", target=f"{was.name}.{column}", what="column", before=held, unit="rows")


def _resized(connection: sqlite3.Connection, before: str, was: Table, is_now: Table, detail: str) -> Effect:
    old, new = _count(connection, before, was.name), _count(connection, "main", is_now.name)
    return Effect(happened="changed", target=was.name, what="table", before=old, after=new, unit="rows", detail=detail)


def _same_values(
    connection: sqlite3.Connection, before: str, was: Table, is_now: Table, column: str, heir: str
) -> bool:
    if was.place != is_now.place:
        return False
    same_row = " AND ".join(f"a.{key} IS b.{key}" for key in was.place)
    ask = (
        f"SELECT NOT EXISTS (SELECT 1 FROM {quote(before)}.{quote(was.name)} b WHERE NOT EXISTS (SELECT 1 FROM "
        f"main.{quote(is_now.name)} a WHERE {same_row} AND a.{quote(heir)} COLLATE BINARY IS b.{quote(column)}))"
    )
    return bool(connection.execute(ask).fetchone()[0])


def _header(connection: sqlite3.Connection, before: str) -> Iterable[Effect]:
    for name in ("application_id", "user_version"):
        was, is_now = (int(connection.execute(f"PRAGMA {s}.{name}").fetchone()[0]) for s in (before, "main"))
        if was != is_now:
            yield Effect(happened="changed", target=name, what="value", detail=f"{was} → {is_now}")


def _count(connection: sqlite3.Connection, schema: str, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {quote(schema)}.{quote(table)}").fetchone()[0])


def _examples(connection: sqlite3.Connection, schema: str, table: Table) -> list[str]:
    shown = [quote(column) for column in table.columns[:_COLUMNS]]
    ask = f"SELECT {', '.join(shown)} FROM {quote(schema)}.{quote(table.name)} LIMIT {EXAMPLES}"
    return [_row(shown, row) for row in connection.execute(ask)]


def _row(columns: Sequence[str], values: Sequence[object]) -> str:
    return ", ".join(f"{column[1:-1]}={_value(value)}" for column, value in zip(columns, values, strict=True))


def _change(columns: Sequence[str], values: Sequence[object]) -> str:
    """The first columns that tell the row apart, and each that changed as `old → new`."""
    parts: list[str] = []
    for number, column in enumerate(columns):
        is_now, was = values[2 * number], values[2 * number + 1]
        if is_now != was or type(is_now) is not type(was):
            parts.append(f"{column[1:-1]}={_value(was)} → {_value(is_now)}")
        elif number == 0:
            parts.append(f"{column[1:-1]}={_value(was)}")
    return ", ".join(parts)


def _value(value: object) -> str:
    if isinstance(value, bytes):
        return f"x'{_short(value[:_WIDTH].hex())}'"
    return _short(repr(value) if isinstance(value, str) else "NULL" if value is None else str(value))


def _short(text: str, width: int = _WIDTH) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"

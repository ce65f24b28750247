"""What a PostgreSQL preview did: rows by the server's own counters, objects by comparing the catalog."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, cast

from lookahead.types import Effect, Happened
from lookahead.worlds.fork.database import first_word
from lookahead.worlds.fork.postgres_guard import words

_ROWS = """
SELECT relid::bigint, n_tup_ins, n_tup_upd, n_tup_del FROM pg_catalog.pg_stat_xact_user_tables
WHERE n_tup_ins + n_tup_upd + n_tup_del > 0
"""
_USER = "nspname NOT IN ('pg_catalog', 'information_schema') AND nspname NOT LIKE 'pg!_t%' ESCAPE '!'"
_OBJECTS = f"""
SELECT 'r' || c.oid,
  CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' WHEN 'i' THEN 'index'
    WHEN 'I' THEN 'index' WHEN 'c' THEN 'type' ELSE 'table' END,
  CASE n.nspname WHEN 'public' THEN '' ELSE n.nspname || '.' END || c.relname,
  CASE WHEN c.relkind IN ('v', 'm') THEN pg_catalog.pg_get_viewdef(c.oid)
    WHEN c.relkind IN ('i', 'I') THEN pg_catalog.pg_get_indexdef(c.oid)
    WHEN c.relkind = 'S' THEN ''
    ELSE (SELECT string_agg(a.attname || ' ' || pg_catalog.format_type(a.atttypid, a.atttypmod)
        || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END, ', ' ORDER BY a.attnum)
      FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) END,
  c.relfilenode::bigint,
  coalesce((SELECT 'r' || i.indrelid FROM pg_catalog.pg_index i WHERE i.indexrelid = c.oid),
    (SELECT 'r' || d.refobjid FROM pg_catalog.pg_depend d WHERE c.relkind = 'S' AND d.objid = c.oid
      AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype IN ('a', 'i') LIMIT 1), '')
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE {_USER} AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'i', 'I', 'f') OR c.relkind = 'c' AND {_USER}
UNION ALL
SELECT 't' || t.oid, 'trigger', t.tgname, pg_catalog.pg_get_triggerdef(t.oid), 0, 'r' || t.tgrelid
FROM pg_catalog.pg_trigger t WHERE NOT t.tgisinternal
UNION ALL
SELECT 'k' || k.oid, 'constraint', k.conname, pg_catalog.pg_get_constraintdef(k.oid), 0, 'r' || k.conrelid
FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace
WHERE {_USER} AND k.contype IN ('c', 'f') AND k.conrelid <> 0
UNION ALL
SELECT 'p' || p.oid, 'function', p.proname, md5(p.prosrc), 0, ''
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE {_USER}
UNION ALL
SELECT 'y' || y.oid, CASE y.typtype WHEN 'd' THEN 'domain' ELSE 'type' END, y.typname,
  coalesce((SELECT string_agg(e.enumlabel, ', ' ORDER BY e.enumsortorder)
    FROM pg_catalog.pg_enum e WHERE e.enumtypid = y.oid), ''), 0, ''
FROM pg_catalog.pg_type y JOIN pg_catalog.pg_namespace n ON n.oid = y.typnamespace
WHERE {_USER} AND y.typtype IN ('e', 'd')
UNION ALL
SELECT 'n' || n.oid, 'schema', n.nspname, '', 0, '' FROM pg_catalog.pg_namespace n WHERE {_USER}
"""
_COLUMNS = """
SELECT attnum, attname FROM pg_catalog.pg_attribute
WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
_SIZES = "SELECT oid::bigint, reltuples FROM pg_catalog.pg_class WHERE oid = ANY(%s::pg_catalog.oid[])"
_SEQUENCES = """
SELECT c.oid, n.nspname, c.relname, s.seqincrement, s.seqmin, s.seqmax, s.seqcycle,
  pg_catalog.pg_has_role(c.relowner, 'USAGE')
FROM pg_catalog.pg_sequence s JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_depend d ON d.objid = c.oid AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
  AND d.deptype IN ('a', 'i') AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
LEFT JOIN pg_catalog.pg_class t ON t.oid = d.refobjid
WHERE c.relpersistence <> 't' AND (%(every)s OR c.relname = ANY(%(words)s) OR t.relname = ANY(%(words)s))
"""


@dataclass(frozen=True, kw_only=True)
class Item:
    """One object of the catalog."""

    kind: str
    name: str
    definition: str
    storage: int
    parent: str

    @property
    def counted(self) -> bool:
        """Whether it holds rows of its own; a partitioned table does not."""
        return self.kind in ("table", "materialized view") and bool(self.storage)


@dataclass(frozen=True, kw_only=True)
class Picture:
    """The catalog and the row counters at one moment of a transaction."""

    items: Mapping[str, Item]
    rows: Mapping[int, tuple[int, int, int]]


def isolate_sequences(cursor: Any, words: Collection[str], *, every: bool) -> str | None:
    """Give the sequences that may be drawn from a new storage of their own, which the rollback throws away.

    `nextval` alone is never rolled back; after an `ALTER SEQUENCE … RESTART` in the same transaction it is, and it
    yields the very number that the real call would get. It needs ownership; returns the sequence that is not ours.
    """
    for _, schema, name, step, low, high, cycles, owned in _ask(
        cursor, _SEQUENCES, {"every": every, "words": sorted(words)}
    ):
        if not owned:
            return f"{schema}.{name}"
        sequence = f"{quote(schema)}.{quote(name)}"
        ((last, called),) = _ask(cursor, f"SELECT last_value, is_called FROM {sequence}")
        following = last + step if called else last
        if not low <= following <= high:
            if not cycles:
                continue  # It is used up: drawing from it fails, and moves nothing.
            following = low if step > 0 else high
        cursor.execute(f"ALTER SEQUENCE {sequence} RESTART WITH {int(following)}")
    return None


class Look:
    """Compares a transaction before and after one call."""

    def __init__(self, was: Picture) -> None:
        self._was = was

    @classmethod
    def before(cls, cursor: Any) -> Self:
        return cls(_picture(cursor))

    def after(self, cursor: Any, statements: Sequence[str], names: Collection[str]) -> tuple[Effect, ...]:
        """Every effect. It ends by undoing the call, so that what is gone can be counted."""
        was, is_now = self._was.items, _picture(cursor)
        differs = {key for key in was.keys() & is_now.items.keys() if _differs(was[key], is_now.items[key])}
        # What only refers to a renamed table by its new name is told with the table.
        moved = any(was[key].kind == "table" and was[key].name != is_now.items[key].name for key in differs)
        changed = sorted(
            key
            for key in differs
            if was[key].parent not in differs
            and (not moved or was[key].kind == "table" or was[key].name != is_now.items[key].name)
        )
        rewritten = {
            key
            for key in was.keys() & is_now.items.keys()
            if was[key].counted and was[key].storage != is_now.items[key].storage
        }
        gone, made = _told(was, is_now.items), _told(is_now.items, was)
        emptied = rewritten if "truncate" in names else set[str]()
        after = {key: _count(cursor, key) for key in {*changed, *made, *rewritten} if is_now.items[key].counted}
        left = {key: _columns(cursor, key) for key in changed if was[key].kind == "table"}
        sizes = dict(_ask(cursor, _SIZES, ([*is_now.rows],)))
        cursor.execute("ROLLBACK TO lookahead_call")
        before = {key: _count(cursor, key) for key in {*changed, *gone, *rewritten} if was[key].counted}
        effects = [*_row_effects(self._was, is_now, sizes, emptied)]
        for key in gone:
            effects.append(_object("deleted", was[key], before.get(key), None, was[key].definition))
        for key in sorted(emptied):
            if before[key]:
                detail = f"all {before[key]:,} rows"
                effects.append(
                    Effect(
                        happened="deleted",
                        target=was[key].name,
                        what="row",
                        before=before[key],
                        unit="rows",
                        detail=detail,
                    )
                )
        for key in changed:
            detail = _difference(was[key], is_now.items[key])
            effects.append(_object("changed", was[key], before.get(key), after.get(key), detail))
            for number, column in (_columns(cursor, key) if key in left else {}).items():
                if number not in left[key]:
                    effects.append(_lost_column(cursor, key, was[key].name, column))
        for key in sorted(rewritten - emptied - {*changed}):
            if was[key].kind != "table":
                effects.append(_object("changed", was[key], before[key], after[key], "refreshed"))
        for key in made:
            item = is_now.items[key]
            effects.append(_object("created", item, None, after.get(key), item.definition))
        return (*effects, *_said_only(statements, names))


def _picture(cursor: Any) -> Picture:
    items = {
        key: Item(kind=kind, name=name, definition=definition or "", storage=storage, parent=parent)
        for key, kind, name, definition, storage, parent in _ask(cursor, _OBJECTS)
    }
    rows = {relation: (created, changed, deleted) for relation, created, changed, deleted in _ask(cursor, _ROWS)}
    return Picture(items=items, rows=rows)


def _differs(was: Item, is_now: Item) -> bool:
    return (was.name, was.definition) != (is_now.name, is_now.definition)


def _told(here: Mapping[str, Item], there: Mapping[str, Item]) -> list[str]:
    """What is only here; an index or a trigger that came or went with its table is told with the table."""
    only = here.keys() - there.keys()
    return sorted(key for key in only if here[key].parent not in only)


def _row_effects(
    before: Picture, after: Picture, sizes: Mapping[int, float], emptied: Collection[str]
) -> Iterable[Effect]:
    """What the server counted: rows inserted, updated or deleted, also by cascades and triggers."""
    for relation in sorted(after.rows):
        key = f"r{relation}"
        if key not in after.items or key not in before.items:
            continue  # Made in this very call: told with the table.
        was = before.rows.get(relation, (0, 0, 0))
        counts = [now - then for now, then in zip(after.rows[relation], was, strict=True)]
        size = round(sizes.get(relation, -1))
        of = f" of about {size:,}" if size > 0 else ""
        for happened, number in zip(("created", "changed", "deleted"), counts, strict=True):
            if number <= 0 or (key in emptied and happened != "created"):
                continue
            share = "" if happened == "created" else of
            yield Effect(
                happened=cast(Happened, happened),
                target=after.items[key].name,
                what="row",
                before=None if happened == "created" else number,
                after=None if happened == "deleted" else number,
                unit="rows",
                detail=f"{number:,}{share} row{'' if number == 1 and not share else 's'}",
            )


def _object(happened: Happened, item: Item, before: int | None, after: int | None, detail: str) -> Effect:
    unit = None if before is None and after is None else "rows"
    return Effect(
        happened=happened,
        target=item.name,
        what=item.kind,
        before=before,
        after=after,
        unit=unit,
        detail=_short(detail),
    )


def _difference(was: Item, is_now: Item) -> str:
    renamed = f"renamed to {is_now.name} " if was.name != is_now.name else ""
    return renamed + (f"{was.definition} → {is_now.definition}" if was.definition != is_now.definition else "")


def _lost_column(cursor: Any, key: str, table: str, column: str) -> Effect:
    ((held,),) = _ask(cursor, f"SELECT count({quote(column)}) FROM {_name(cursor, key)}")
    return Effect(happened="deleted", target=f"{table}.{column}", what="column", before=int(held), unit="rows")


def _said_only(statements: Sequence[str], names: Collection[str]) -> Iterable[Effect]:
    """What no counter and no picture shows, told in the statement's own words."""
    for statement in statements:
        first = first_word(statement)
        if first in ("grant", "revoke", "comment"):
            what = "comment" if first == "comment" else "privilege"
            yield Effect(happened="changed", target="schema", what=what, detail=_short(statement))
        own = words(statement)
        if own & {"nextval", "setval"} or ("restart" in own and own & {"sequence", "identity"}):
            yield Effect(happened="changed", target="a sequence", what="value", detail=_short(statement))
        if first == "notify":
            yield Effect(happened="sent", target="a listening connection", what="message", detail=_short(statement))
    if "pg_notify" in names:
        yield Effect(happened="sent", target="a listening connection", what="message", detail="pg_notify()")


def _columns(cursor: Any, key: str) -> dict[int, str]:
    return dict(_ask(cursor, _COLUMNS, (int(key[1:]),)))


def _name(cursor: Any, key: str) -> str:
    ((name,),) = _ask(cursor, "SELECT %s::pg_catalog.oid::pg_catalog.regclass::text", (int(key[1:]),))
    return str(name)


def _count(cursor: Any, key: str) -> int:
    ((found,),) = _ask(cursor, f"SELECT count(*) FROM ONLY {_name(cursor, key)}")
    return int(found)


def quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _short(text: str, width: int = 200) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= width else flat[: width - 1] + "…"


def _ask(cursor: Any, question: str, parameters: object = None) -> Sequence[Any]:
    cursor.execute(question, parameters)
    return cursor.fetchall()

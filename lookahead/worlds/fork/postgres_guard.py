"""What SQL may do inside a PostgreSQL preview: what a rollback does not take back is refused, with the reason.

Three walls. The statement's own words are looked at, all of them, also those in strings and comments, so that no clever
spelling hides a call. What they name, and what stands behind that (views, triggers, defaults, the bodies of functions),
is looked up in the server's catalog: a built-in function that is volatile is refused unless it is known to leave
nothing behind, and so is any function in a language that can do anything. And the server takes one statement at a time.
"""

import re
from collections.abc import Collection, Sequence
from typing import Any

from lookahead.worlds.fork.database import first_word

_WORD = re.compile(r"[^\W\d][\w$]*")
_QUOTED = re.compile(r'"((?:[^"]|"")*)"')
_PIECE = re.compile(
    r"""--[^\n]*|[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$([^\W\d]\w*|)\$.*?\$\1\$|/\*|\*/|;""",
    re.DOTALL,
)
_FIRST = frozenset(
    {
        *("select", "with", "values", "table", "insert", "update", "delete", "merge", "truncate", "explain", "show"),
        *("create", "alter", "drop", "comment", "grant", "revoke", "refresh", "notify", "do", "call"),
    }
)
_OUTSIDE = {
    "copy": "COPY moves data through files, programs or the connection",
    "vacuum": "VACUUM works outside any transaction",
    "set": "a setting lasts in the tool's own connection",
    "reset": "a setting lasts in the tool's own connection",
    "lock": "a lock lasts only inside the tool's own transaction",
    "load": "LOAD runs a library in the server",
    "listen": "LISTEN lasts in the tool's own connection",
    "prepare": "a prepared statement or transaction outlives this one",
}
_OBJECTS = frozenset(
    {
        *("table", "index", "view", "sequence", "function", "procedure", "routine", "trigger", "type", "domain"),
        *("schema", "rule", "policy", "aggregate", "operator", "statistics"),
    }
)
"""What CREATE, ALTER and DROP may be about: all of it lives in this database and is transactional."""
_FILLERS = frozenset(
    {
        "or",
        "replace",
        "unique",
        "unlogged",
        "materialized",
        "recursive",
        "constraint",
        "temp",
        "temporary",
        "global",
        "local",
    }
)
_TEMPORARY = re.compile(r"^\W*create\s+((or|replace|global|local)\s+)*temp|\binto\s+temp(orary)?\s", re.IGNORECASE)
_LANGUAGE = re.compile(r"""\blanguage\s+['"]?(\w+)""", re.IGNORECASE)
_SAYS = re.compile(r"\blanguage\b", re.IGNORECASE)
_BODY = frozenset({"commit", "rollback", "execute", "copy", "prepare", "vacuum", "load", "set_config"})
"""In the body of a block or a function: it ends the transaction, or runs text that nobody can see beforehand."""

HARMLESS = frozenset(
    {
        *("random", "random_normal", "setseed", "clock_timestamp", "timeofday", "gen_random_uuid", "uuidv7", "uuidv4"),
        *("nextval", "setval", "pg_sleep", "pg_sleep_for", "pg_sleep_until", "pg_notify", "pg_is_in_recovery"),
        *("pg_current_wal_lsn", "pg_table_size", "pg_relation_size", "pg_total_relation_size", "pg_database_size"),
        *("pg_indexes_size", "pg_tablespace_size", "lo_get", "txid_current", "txid_current_if_assigned"),
        "pg_current_xact_id",
        *("pg_current_xact_id_if_assigned", "suppress_redundant_updates_trigger", "tsvector_update_trigger"),
        *("tsvector_update_trigger_column", "pg_advisory_xact_lock", "pg_advisory_xact_lock_shared"),
        *("pg_try_advisory_xact_lock", "pg_try_advisory_xact_lock_shared"),
    }
)
"""Volatile, yet nothing is left of them after a rollback (sequences are taken care of apart)."""
EXTENSIONS = frozenset(
    {
        *("plpgsql", "pgcrypto", "uuid-ossp", "citext", "hstore", "pg_trgm", "unaccent", "ltree", "intarray", "cube"),
        *("btree_gin", "btree_gist", "fuzzystrmatch", "earthdistance", "isn", "seg", "vector", "tsm_system_rows"),
    }
)
"""Extensions whose functions only compute."""

_FUNCTIONS = """
SELECT p.proname, n.nspname = 'pg_catalog', p.provolatile = 'v', l.lanname, coalesce(e.extname, ''),
  CASE WHEN n.nspname = 'pg_catalog' THEN '' ELSE concat(p.prosrc, ' ', pg_catalog.pg_get_function_sqlbody(p.oid)) END
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_language l ON l.oid = p.prolang
LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid
  AND d.deptype = 'e' AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
WHERE p.proname = ANY(%(words)s)
"""
_BEHIND = """
WITH named AS (
  SELECT c.oid, c.relname, c.relkind FROM pg_catalog.pg_class c
  WHERE c.relname = ANY(%(words)s) AND c.relnamespace <> 'pg_catalog'::pg_catalog.regnamespace
    AND c.relnamespace <> 'information_schema'::pg_catalog.regnamespace
)
SELECT 'the foreign table ' || relname, NULL FROM named WHERE relkind = 'f'
UNION ALL
SELECT 'the view ' || relname, pg_catalog.pg_get_viewdef(oid) FROM named WHERE relkind IN ('v', 'm')
UNION ALL
SELECT 'the rule ' || r.rulename, pg_catalog.pg_get_ruledef(r.oid)
FROM named JOIN pg_catalog.pg_rewrite r ON r.ev_class = named.oid WHERE r.rulename <> '_RETURN'
UNION ALL
SELECT 'a default of ' || relname, pg_catalog.pg_get_expr(d.adbin, d.adrelid)
FROM named JOIN pg_catalog.pg_attrdef d ON d.adrelid = named.oid
UNION ALL
SELECT 'the trigger ' || t.tgname, p.proname
FROM named JOIN pg_catalog.pg_trigger t ON t.tgrelid = named.oid JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
WHERE %(writes)s AND NOT t.tgisinternal AND t.tgenabled <> 'D'
UNION ALL
SELECT 'a policy of ' || relname,
  concat(pg_catalog.pg_get_expr(p.polqual, p.polrelid), ' ', pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid))
FROM named JOIN pg_catalog.pg_policy p ON p.polrelid = named.oid
UNION ALL
SELECT 'the constraint ' || k.conname, pg_catalog.pg_get_constraintdef(k.oid)
FROM named JOIN pg_catalog.pg_constraint k ON k.conrelid = named.oid WHERE k.contype = 'c'
UNION ALL
SELECT 'an index of ' || relname, pg_catalog.pg_get_indexdef(i.indexrelid)
FROM named JOIN pg_catalog.pg_index i ON i.indrelid = named.oid WHERE i.indexprs IS NOT NULL OR i.indpred IS NOT NULL
UNION ALL
SELECT 'a table that refers to ' || named.relname, '"' || c.relname || '"'
FROM named JOIN pg_catalog.pg_constraint k ON k.confrelid = named.oid JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
UNION ALL
SELECT 'a part of ' || named.relname, '"' || c.relname || '"'
FROM named JOIN pg_catalog.pg_inherits i ON i.inhparent = named.oid JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
"""
_EVERYWHERE = """
SELECT 'the event trigger ' || e.evtname, p.proname
FROM pg_catalog.pg_event_trigger e JOIN pg_catalog.pg_proc p ON p.oid = e.evtfoid WHERE e.evtenabled <> 'D'
UNION ALL
SELECT 'the operator ' || o.oprname, p.proname
FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_proc p ON p.oid = o.oprcode WHERE o.oid >= 16384
UNION ALL
SELECT 'the domain check ' || k.conname, pg_catalog.pg_get_constraintdef(k.oid)
FROM pg_catalog.pg_constraint k WHERE k.contypid <> 0
  AND k.connamespace <> 'information_schema'::pg_catalog.regnamespace
"""


def words(text: str) -> set[str]:
    """Everything in `text` that could be a name, wherever it stands."""
    found = set(_WORD.findall(text))
    quoted = {name.replace('""', '"') for name in _QUOTED.findall(text)}
    return found | {word.lower() for word in found} | quoted


def split(script: str) -> list[str]:
    """The statements of a script. A wrong cut would be harmless: the server takes one statement at a time."""
    found: list[str] = []
    start, depth = 0, 0
    for piece in _PIECE.finditer(script):
        mark = piece.group()
        if mark == "/*":
            depth += 1
        elif mark == "*/":
            depth = max(0, depth - 1)
        elif mark == ";" and not depth:
            found.append(script[start : piece.start()])
            start = piece.end()
    found.append(script[start:])
    return [piece for piece in found if first_word(piece)]


def objection(statement: str) -> str | None:
    """Why this statement cannot be taken back or foreseen, as far as its own words tell."""
    first, said = first_word(statement), words(statement)
    if first in _OUTSIDE:
        return _OUTSIDE[first]
    if first not in _FIRST:
        return f"{first.upper() or 'this'} is not a statement that a rolled-back transaction can preview"
    if re.search(r"[uU]&[\"']", statement):
        return "escaped Unicode names and strings could hide what it calls"
    if _TEMPORARY.search(statement):
        return "temporary objects live only in the tool's own connection"
    if first in ("create", "alter", "drop"):
        following = [word for word in _WORD.findall(statement.lower()) if word not in _FILLERS]
        kind = next(iter(following[following.index(first) + 1 :]), "")
        if kind not in _OBJECTS:
            return f"{first.upper()} {kind.upper()} reaches beyond a transaction of this database"
    if first in ("grant", "revoke") and "on" not in said:
        return "membership in a role reaches beyond this database"
    if first in ("create", "alter", "drop", "refresh") and "concurrently" in said:
        return "what works concurrently cannot run inside a transaction"
    if first in ("create", "do"):
        languages = _LANGUAGE.findall(statement)
        if {name.lower() for name in languages} - {"sql", "plpgsql"} or len(languages) != len(_SAYS.findall(statement)):
            return "only the languages sql and plpgsql can be looked into"
    if first in ("do", "call") and (found := sorted(_BODY & said)):
        return (
            f"the block says {found[0].upper()}: it ends the transaction, or runs text that nobody can see beforehand"
        )
    return None


def reach(cursor: Any, statement: str, *, writes: bool, trusted: Collection[str]) -> tuple[str | None, set[str], bool]:
    """Follow every name behind a statement: an objection, all names, and whether the database's own code may run.

    What is dropped, granted or commented on is only named, so nothing behind it runs.
    """
    safe = EXTENSIONS | set(trusted)
    runs = first_word(statement) not in ("drop", "grant", "revoke", "comment")
    said: dict[str, str] = dict.fromkeys(words(statement) if runs else (), "the statement")
    for who, text in _ask(cursor, _EVERYWHERE, {}):
        said |= {word: str(who) for word in words(str(text)) - said.keys()}
    fresh, own_code = set(said), False
    while fresh:
        found: dict[str, str] = {}
        for name, built_in, volatile, language, extension, body in _ask(cursor, _FUNCTIONS, {"words": sorted(fresh)}):
            who = said[name]
            if built_in:
                if volatile and name not in HARMLESS:
                    return f"{who} names {name}(), which a rollback does not take back", set(said), own_code
                continue
            if extension in safe:
                continue
            if extension or language not in ("sql", "plpgsql"):
                return f"{who} names {name}(), which is written in {language} and can do anything", set(said), own_code
            own_code = True
            inside = words(str(body))
            if language == "plpgsql" and (hidden := sorted(_BODY & inside)):
                return f"{who} names {name}(), whose body says {hidden[0].upper()}", set(said), own_code
            found |= dict.fromkeys(inside, f"{name}()")
        for who, text in _ask(cursor, _BEHIND, {"words": sorted(fresh), "writes": writes}):
            if text is None:
                return f"{who} is in another place", set(said), own_code
            found |= dict.fromkeys(words(str(text)), str(who))
        fresh = found.keys() - said.keys()
        said |= {word: found[word] for word in fresh}
    return None, set(said), own_code


def _ask(cursor: Any, question: str, parameters: object) -> Sequence[Any]:
    cursor.execute(question, parameters)
    return cursor.fetchall()

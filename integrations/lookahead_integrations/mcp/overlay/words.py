"""What the name of a tool or of an argument says, word by word."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias, cast

from lookahead.critics.nameset import nameset

Verb: TypeAlias = Literal[
    "get", "put", "append", "edit", "delete", "move", "copy", "list", "tree", "search", "info", "exists", "folder"
]
CHANGING: Final[frozenset[Verb]] = frozenset({"put", "append", "edit", "delete", "move", "copy", "folder"})

Role: TypeAlias = Literal[
    "address", "source", "destination", "content", "edits", "within", "pattern", "query", "rehearse"
]
"""What an argument is for. One that has none of these is a field of what is written, or says how to read."""

_PART: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")

_VERBS: Final[Mapping[str, Verb]] = {
    word: verb
    for verb, said in cast(
        Mapping[Verb, str],
        {
            "get": "get read fetch load open show view cat retrieve recall lookup describe peek print display",
            "put": "put write set save store create add update upsert insert make new register upload replace"
            " overwrite remember post import",
            "append": "append prepend concat",
            "edit": "edit patch modify change apply",
            "delete": "delete remove rm del unlink drop erase forget destroy purge trash unset",
            "move": "move rename mv relocate",
            "copy": "copy cp duplicate clone",
            "list": "list ls enumerate browse keys",
            "tree": "tree",
            "search": "search find grep glob query filter match",
            "info": "info stat stats metadata",
            "exists": "exists has",
            "folder": "mkdir makedirs",
        },
    ).items()
    for word in said.split()
}
_FOLDERS: Final = nameset("directory directories folder folders dir dirs")
_FILLERS: Final = frozenset(
    [
        "text",
        "media",
        "multiple",
        "many",
        "all",
        "with",
        "sizes",
        "size",
        "the",
        "a",
        "an",
        "by",
        "of",
        "from",
        "in",
        "into",
        "to",
        "for",
        "and",
        "or",
        "content",
        "contents",
        "batch",
        "bulk",
        "single",
        "full",
        "whole",
        "new",
        "existing",
        "current",
        "specific",
        "recursive",
        "recursively",
        "value",
        "values",
        "detailed",
        "details",
    ]
)
_UNCOUNTED: Final = frozenset(
    ["status", "news", "series", "address", "access", "bus", "alias", "analysis", "canvas", "kubernetes", "redis"]
)

_PATHS: Final = frozenset(
    ["path", "paths", "filepath", "filepaths", "filename", "filenames", "file", "files", "directory", "dir", "folder"]
)
_NAMES: Final = frozenset(
    [
        "uri",
        "uris",
        "url",
        "urls",
        "key",
        "keys",
        "id",
        "ids",
        "uuid",
        "guid",
        "name",
        "names",
        "title",
        "slug",
        "number",
        "ref",
        "handle",
    ]
)
_WITHIN: Final = frozenset(
    [
        "owner",
        "repo",
        "repository",
        "project",
        "workspace",
        "namespace",
        "bucket",
        "database",
        "db",
        "collection",
        "table",
        "team",
        "org",
        "organization",
        "channel",
        "board",
        "vault",
        "store",
        "server",
        "account",
        "tenant",
        "scope",
        "group",
    ]
)
_CONTENT: Final = frozenset(
    ["content", "contents", "text", "body", "value", "data", "markdown", "payload", "html", "code", "document", "note"]
)
_FROM: Final = nameset("source src from old original")
_TO: Final = nameset("destination dest dst to new")
_ENDS: Final = _PATHS | _NAMES
_QUERY: Final = nameset("query q keyword keywords term search needle")
_PATTERN: Final = nameset("pattern glob")
_REHEARSES: Final = ("dry run", "dryrun", "preview", "simulate", "what if", "check only", "validate only")


@lru_cache(maxsize=4096)
def words(name: str) -> tuple[str, ...]:
    """`readTextFile`, `read_text_file` and `read-text-file` say the same."""
    return tuple(part.lower() for part in _PART.findall(name))


@lru_cache(maxsize=4096)
def parted(name: str) -> tuple[str, str]:
    """The prefix of one of several servers, and the tool's own name."""
    prefix, _, own = name.rpartition("__")
    if not own:
        return "", name
    before, dot, last = own.rpartition(".")
    return (f"{prefix}__{before}", last) if dot and last else (prefix, own)


@lru_cache(maxsize=4096)
def verb_of(name: str) -> Verb | None:
    """What a tool of this name does to what it names; None where no word of it says."""
    said = words(parted(name)[1])
    found: list[Verb] = [_VERBS[word] for word in said if word in _VERBS]
    if not found:
        return None
    if "info" in found[1:] and found[0] == "get":
        return "info"
    if "exists" in found:
        return "exists"
    if found[0] == "put" and _FOLDERS & set(said) and "file" not in said:
        return "folder"
    if found[0] in ("get", "list") and "tree" in found:
        return "tree"
    if "append" in found[1:] and found[0] == "put":
        return "append"
    return found[0]


@lru_cache(maxsize=4096)
def noun_of(name: str) -> str:
    """What a tool of this name deals with, in the singular: `list_notes` and `save_note` deal with the same."""
    said = words(parted(name)[1])
    kept = [word for word in said if word not in _VERBS and word not in _FILLERS]
    return "_".join([*kept[:-1], singular(kept[-1])]) if kept else ""


@lru_cache(maxsize=4096)
def singular(word: str) -> str:
    if word in _UNCOUNTED or len(word) < 3:
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ses", "xes", "ches", "shes", "zes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def role_of(name: str, schema: Mapping[str, Any] | None = None) -> Role | None:
    """What an argument of this name is for."""
    said = words(name)
    if not said:
        return None
    schema = schema or {}
    if schema.get("type", "boolean") == "boolean" and any(text in " ".join(said) for text in _REHEARSES):
        return "rehearse"
    last = said[-1]
    if last in ("edits", "replacements", "patches", "hunks") or (last == "changes" and schema.get("type") == "array"):
        return "edits"
    if said[0] in _FROM and (len(said) == 1 or last in _ENDS):
        return "source"
    if said[0] in _TO and (len(said) == 1 or last in _ENDS):
        return "destination"
    if last in _PATTERN:
        return "pattern"
    if last in _QUERY or said[0] in _QUERY:
        return "query"
    if last in _ENDS:
        return "address"
    if last in _CONTENT:
        return "content"
    return "within" if last in _WITHIN else None


def is_path(name: str) -> bool:
    """Whether an argument of this name takes a place in a tree of files."""
    said = words(name)
    return bool(said) and (said[-1] in _PATHS or said[-1] in ("source", "destination", "src", "dst", "dest"))


def plain_name(name: str) -> str:
    """An address by the word that says of which kind it is: `issue_number` and `number` are the same."""
    said = words(name)
    last = singular(said[-1]) if said else name
    return {"uuid": "id", "guid": "id", "number": "id", "url": "uri", "title": "name", "slug": "name"}.get(last, last)

"""What is wrong with a setting, in plain words: which key, what was said, what is accepted."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

_SHOWN: Final = 6
_LONGEST: Final = 60

_WRONG_KIND: Final[Mapping[str, str]] = {
    "float_parsing": "no number",
    "float_type": "no number",
    "int_parsing": "no whole number",
    "int_type": "no whole number",
    "int_from_float": "no whole number",
    "bool_parsing": "neither true nor false",
    "bool_type": "neither true nor false",
    "string_type": "no text",
    "tuple_type": "no list",
    "dict_type": "no table",
    "model_type": "no table",
    "mapping_type": "no table",
}

_BOUNDS: Final[Mapping[str, tuple[str, str]]] = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


def explain(cause: ValidationError, where: str, noun: type[BaseModel] | None = None) -> str:
    """A validation error as a user can act on it. `noun` is what was to be read: its keys can then be named."""
    found = [
        f"{'.'.join(str(part) for part in error['loc']) or 'the whole'}: {_plain(error, noun)}"
        for error in cause.errors(include_url=False)
    ]
    return f"{where} cannot be understood.\n  " + "\n  ".join(found[:_SHOWN])


def meant(said: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The one that was probably meant; capitals and dashes do not count."""
    by_form = {_form(name): name for name in known}
    close = get_close_matches(_form(said), by_form, n=1, cutoff=cutoff)
    return by_form[close[0]] if close else None


def shown(value: object) -> str:
    """What was given, cut where it is long."""
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def did_you_mean(said: str, known: Iterable[str]) -> str:
    close = meant(said, known)
    return f"; did you mean {close!r}?" if close else ""


def _plain(error: ErrorDetails, noun: type[BaseModel] | None) -> str:
    kind, given, more = error["type"], error["input"], error.get("ctx", {})
    if kind == "extra_forbidden":
        said = str(error["loc"][-1])
        known = _keys(noun, error["loc"][:-1])
        listed = f"; known are {', '.join(known)}" if known else ""
        return f"there is no such setting{listed}{did_you_mean(said, known)}"
    if kind == "missing":
        return "it is missing"
    if kind == "literal_error":
        allowed = _listed(more.get("expected", ""))
        return f"{shown(given)} is none of {', '.join(allowed)}{did_you_mean(str(given), allowed)}"
    if kind in _WRONG_KIND:
        return f"{shown(given)} is {_WRONG_KIND[kind]}"
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        return f"{shown(given)} is not {words} {more[key]:g}"
    return error["msg"].removeprefix("Value error, ")


def _listed(expected: str) -> list[str]:
    return [word.strip(" '") for word in expected.replace(" or ", ", ").split(",") if word.strip(" '")]


def _keys(noun: type[BaseModel] | None, place: tuple[int | str, ...]) -> list[str]:
    """The keys that are known at this place inside a noun."""
    for part in place:
        if noun is None:
            return []
        if part in noun.model_fields:
            noun = _inside(noun.model_fields[str(part)].annotation)
        # Anything else is the name of a line or the place in a list: the noun is the same.
    return list(noun.model_fields) if noun is not None else []


def _inside(annotation: Any) -> type[BaseModel] | None:
    """The noun that a field holds, in a table, a list or alone."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((noun for part in get_args(annotation) if (noun := _inside(part)) is not None), None)


def _form(name: str) -> str:
    return name.lower().replace("-", "_")

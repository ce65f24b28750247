"""Whether an answer is one that the tool could have given, by the schema of its results."""

import json
from functools import lru_cache
from typing import Any, cast

from pydantic import JsonValue

from lookahead.canonical import canonical, no_constant, no_duplicates
from lookahead.errors import Unreadable
from lookahead.types import Observation, Tool

_EXCERPT = 400


def fitted(observation: Observation, tool: Tool | None) -> Observation:
    """The observation, with what it holds as data where the schema asks for that; `Unreadable` where it does not fit.

    A failure fits every schema, because no schema speaks of failures. So does anything where there is no schema, or
    none that can be read.
    """
    if tool is None or not tool.result or observation.failed:
        return observation
    validator = _validator(canonical(tool.result))
    if validator is None:
        return observation
    if observation.structured is not None:
        why = _against(validator, observation.structured)
        if why is None:
            return observation
        if (boxed := _boxed(observation.content, tool, validator)) is not None:
            return observation.model_copy(update={"structured": boxed})
        raise Unreadable(why)
    held, why = _read(observation.content)
    plain = _against(validator, observation.content) is None
    if plain and (why is not None or isinstance(held, str)):
        return observation
    if why is None and (why := _against(validator, held)) is None:
        return observation.model_copy(update={"structured": held})
    if plain:
        return observation
    if (boxed := _boxed(observation.content, tool, validator)) is not None:
        return observation.model_copy(update={"structured": boxed})
    raise Unreadable(why or "")


def _boxed(text: str, tool: Tool, validator: Any) -> JsonValue:
    """The text as it is, where a text is all that the tool returns: servers put it into an object of one field."""
    properties: Any = (tool.result or {}).get("properties")
    names = list(cast(dict[str, Any], properties)) if isinstance(properties, dict) else []
    if len(names) != 1:
        return None
    boxed: JsonValue = {names[0]: text}
    return boxed if _against(validator, boxed) is None else None


def _read(text: str) -> tuple[JsonValue, str | None]:
    try:
        return json.loads(text, object_pairs_hook=no_duplicates, parse_constant=no_constant), None
    except (ValueError, RecursionError) as cause:
        return None, f"it is no JSON: {cause}"


def _against(validator: Any, value: JsonValue) -> str | None:
    try:
        error = next(iter(validator.iter_errors(value)), None)
    except Exception:
        # A schema that breaks while it is applied says nothing of the answer.
        return None
    if error is None:
        return None
    where = "".join(f"[{part!r}]" for part in cast(list[object], list(error.absolute_path)))
    return f"it does not fit the tool's result schema{f' at {where}' if where else ''}: {error.message[:_EXCERPT]}"


@lru_cache(maxsize=256)
def _validator(schema: str) -> Any:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError
    from referencing import Registry

    read = json.loads(schema)
    try:
        Draft202012Validator.check_schema(read)
    except SchemaError:
        return None
    # An empty registry: a `$ref` to somewhere else is an error, and never a download.
    return Draft202012Validator(read, registry=Registry())

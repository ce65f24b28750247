"""What is wrong with a value, by a JSON schema that a stranger wrote."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, cast

from lookahead.canonical import canonical

_EXCERPT: Final = 300


def fault(schema: Mapping[str, Any] | None, value: Any) -> str | None:
    """What is wrong with a value by a schema, in one line; None where it fits, or where the schema cannot be read."""
    if not schema:
        return None
    try:
        validator = _validator(canonical(schema))
    except Exception:
        return None
    if validator is None:
        return None
    try:
        error = next(iter(sorted(validator.iter_errors(value), key=lambda one: len(one.absolute_path))), None)
    except Exception as broken:
        return f"its schema cannot be applied: {type(broken).__name__}"
    if error is None:
        return None
    where = "/".join(map(str, cast(Sequence[object], error.absolute_path)))
    return f"{where or 'the value'}: {str(error.message)[:_EXCERPT]}"


@lru_cache(maxsize=512)
def _validator(schema: str) -> Any:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import validator_for
    from referencing import Registry

    read = json.loads(schema)
    kind = validator_for(read, default=Draft202012Validator)
    try:
        kind.check_schema(read)
    except SchemaError:
        return None
    # An empty registry: a `$ref` to somewhere else is an error, and never a download.
    return kind(read, registry=Registry())

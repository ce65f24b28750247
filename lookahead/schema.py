"""Whether a value fits a JSON schema."""

from functools import lru_cache
from typing import Any

from lookahead.canonical import canonical
from lookahead.types import Action, Tool


def fits(action: Action, tool: Tool) -> bool:
    """Whether these arguments are ones that the tool takes. A tool without a schema takes anything.

    Nothing fits a schema that cannot be read: it comes from whoever wrote the tool, and must not stop a decision.
    """
    if not tool.parameters:
        return True
    try:
        return bool(_validator(canonical(tool.parameters)).is_valid(action.arguments))
    except Exception:
        return False


@lru_cache(maxsize=512)
def _validator(schema: str) -> Any:
    import json

    from jsonschema import Draft202012Validator
    from referencing import Registry

    # An empty registry: a `$ref` to somewhere else is an error, and never a download.
    return Draft202012Validator(json.loads(schema), registry=Registry())

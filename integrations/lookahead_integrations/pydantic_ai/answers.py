"""What a tool of the SDK answers, as an observation, and what is said when another call was done."""

from dataclasses import replace
from typing import Any, cast

from pydantic_ai.messages import ToolReturn

from lookahead.canonical import canonical
from lookahead.functions import jsonable
from lookahead.types import Observation


def observed(value: Any) -> Observation:
    """It has happened: whatever came back, there is a record of it. The value itself is handed on as it is."""
    if isinstance(value, ToolReturn):
        value = cast(ToolReturn[Any], value).return_value
    if value is None:
        return Observation()
    try:
        if isinstance(value, str):
            return Observation(content=value)
        structured = jsonable(value)
        return Observation(
            content=structured if isinstance(structured, str) else canonical(structured), structured=structured
        )
    except Exception:
        return Observation(content=f"a {type(value).__qualname__} that cannot be written down")


def said(observation: Observation) -> Any:
    """An answer that no tool gave, in the form that a tool would have answered in."""
    return observation.content if observation.structured is None else observation.structured


def with_notice(notice: str, value: Any) -> Any:
    """A swapped call answers a question that the agent did not ask, so the answer says which."""
    if isinstance(value, ToolReturn):
        answer = cast(ToolReturn[Any], value)
        return replace(answer, return_value=with_notice(notice, answer.return_value))
    return f"{notice}\n{value if isinstance(value, str) else observed(value).content}"

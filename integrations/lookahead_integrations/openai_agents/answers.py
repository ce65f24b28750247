"""What a tool of the SDK answers, as an observation, and what is said when another call was done."""

from typing import Any, cast

from agents import ToolOutputFileContent, ToolOutputImage, ToolOutputText
from pydantic import BaseModel

from lookahead.canonical import canonical
from lookahead.functions import jsonable
from lookahead.types import Observation

_RICH = (ToolOutputText, ToolOutputImage, ToolOutputFileContent)


def observed(value: Any, *, failed: bool = False) -> Observation:
    """It has happened: whatever came back, there is a record of it. The value itself is handed on as it is."""
    try:
        if value is None:
            return Observation(failed=failed)
        if isinstance(value, str):
            return Observation(content=value, failed=failed)
        if isinstance(value, ToolOutputText):
            return Observation(content=value.text, failed=failed)
        if isinstance(value, BaseModel):
            value = value.model_dump(mode="json")
        structured = jsonable(value)
        return Observation(content=str(value), structured=structured, failed=failed)
    except Exception:
        return Observation(content=f"a {type(value).__qualname__} that cannot be written down", failed=failed)


def said(observation: Observation) -> str:
    """An answer that no tool gave, as the text that a tool would have answered with."""
    if observation.content or observation.structured is None:
        return observation.content
    return canonical(observation.structured)


def with_notice(notice: str, value: Any) -> Any:
    """A swapped call answers a question that the agent did not ask, so the answer says which."""
    if isinstance(value, _RICH):
        return [ToolOutputText(text=notice), value]
    if isinstance(value, list) and all(isinstance(one, _RICH) for one in cast(list[Any], value)):
        return [ToolOutputText(text=notice), *cast(list[Any], value)]
    return f"{notice}\n{value}"

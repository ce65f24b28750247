"""A model's answer: taken strictly, asked for once more where it cannot be used, never guessed at."""

import re
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Any, Final, TypeVar

from pydantic import JsonValue

from lookahead.critics.language.fence import clipped
from lookahead.critics.language.loading import filled
from lookahead.errors import CriticError, ModelError
from lookahead.events import asked
from lookahead.schema import fits
from lookahead.types import Action, Asking, Complete, Completion, Cost, Message, Sample, Tool

T = TypeVar("T")

_REPEATED: Final = 2_000
_FENCED: Final = re.compile(r"```(?:json)?[ \t]*\n(.*)\n```", re.DOTALL | re.IGNORECASE)


async def answer(
    complete: Complete, messages: Sequence[Message], asking: Asking, read: Callable[[Completion], T]
) -> tuple[T, Cost]:
    """What `read` makes of the answer, and what it cost. `read` raises ValueError at what it cannot use."""
    name = name_of(complete)
    ends = None if asking.seconds is None else monotonic() + asking.seconds
    spent, why = Cost(), ""
    for again in (False, True):
        if again and ends is not None:
            left = ends - monotonic()
            if left <= 0:
                raise CriticError(f"the critic {name} could not be read ({why}), and there is no time to ask again")
            asking = asking.model_copy(update={"seconds": left})
        try:
            completion = await asked(complete, messages, asking)
        except ModelError as cause:
            raise CriticError(f"the critic {name} gave no answer: {cause}") from cause
        spent += completion.cost
        if completion.samples and all(sample.ended == "refused" for sample in completion.samples):
            raise CriticError(f"the critic {name} refuses to judge this call; give the critic another model")
        try:
            return read(completion), spent
        except ValueError as cause:
            why = str(cause)
        said = next((sample.text for sample in completion.samples if sample.text.strip()), "(nothing)")
        messages = (
            *messages,
            Message(role="assistant", content=clipped(said, _REPEATED)),
            Message(role="user", content=filled("again", why=why)),
        )
    raise CriticError(
        f"the critic {name} could not be read, although it was asked twice: {why}; "
        "give the critic another model, or an endpoint that can hold a model to a JSON schema"
    )


def as_object(sample: Sample, schema: Mapping[str, JsonValue]) -> dict[str, Any]:
    """The one JSON object that the answer is, fitting the schema.

    An object somewhere inside of an answer is not taken: it may be a quotation from what was judged.
    """
    if sample.ended == "refused":
        raise ValueError("it is a refusal")
    if sample.ended == "length":
        raise ValueError("it was cut off before its end, so it has to be shorter")
    text = sample.text.strip()
    if not text.startswith(("{", "```")):
        text = text.rpartition("</think>")[2].strip()
    whole = _FENCED.fullmatch(text)
    try:
        parsed = Action.parse("answer", (whole[1] if whole else text) or "nothing")
    except (ValueError, RecursionError):
        # The cause quotes the answer, and what an answer quotes may be meant for whoever reads on.
        raise ValueError("it is not one JSON object, with each key once and ordinary numbers") from None
    if not fits(parsed, Tool(name="answer", parameters=dict(schema))):
        raise ValueError("it does not fit the JSON schema")
    return parsed.arguments


def name_of(complete: Complete) -> str:
    return str(getattr(complete, "name", None) or getattr(complete, "__name__", None) or type(complete).__name__)

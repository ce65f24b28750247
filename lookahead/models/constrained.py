"""Answers that have to fit: a JSON schema, or one of a few words.

Said in words where the engine does not enforce it, and checked in any case.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, cast

from lookahead.canonical import no_constant, no_duplicates
from lookahead.errors import ModelError
from lookahead.types import Asking, Message, Sample

_FENCE: Final = re.compile(r"```[\w-]*\s*\n(.*?)```", re.DOTALL)
_EDGES: Final = " \t\r\n\"'`*.,:;!"
_TRIES: Final = 50
_PATH: Final = 80
_WANTED: Final = 120
"""Characters of a path, and of what a schema wants, that an error shows."""


class Unfit(Exception):
    """An answer does not have the form that was asked for. `answer` is what it was."""

    def __init__(self, wrong: str, answer: str = "") -> None:
        super().__init__(wrong)
        self.answer = answer


def bound(asking: Asking) -> bool:
    """Whether the answer has to fit anything."""
    return asking.schema_of is not None or bool(asking.choices)


def spelt_out(messages: Sequence[Message], asking: Asking) -> tuple[Message, ...]:
    """The same prompt, with the form said at its very end: all before it stays what the engine remembers."""
    if asking.schema_of is not None:
        schema = json.dumps(asking.schema_of, ensure_ascii=False)
        form = f"Reply with one JSON value and nothing else. It must satisfy this JSON schema:\n{schema}"
    else:
        listed = "\n".join(f"- {choice}" for choice in asking.choices)
        form = f"Reply with exactly one of the following, and nothing else:\n{listed}"
    if messages and messages[-1].role == "user":
        last = messages[-1]
        return (*messages[:-1], last.model_copy(update={"content": f"{last.content}\n\n{form}"}))
    return (*messages, Message(role="user", content=form))


def once_more(messages: Sequence[Message], wrong: Unfit, asking: Asking) -> tuple[Message, ...]:
    """The prompt that asks again, with what was wrong with the answer."""
    return spelt_out(
        (
            *messages,
            Message(role="assistant", content=wrong.answer or "(nothing)"),
            Message(role="user", content=f"That reply cannot be used: {wrong}."),
        ),
        asking,
    )


def fitting(sample: Sample, asking: Asking) -> Sample:
    """The sample, with exactly the asked form as its text; raises `Unfit`. One that was cut off or refused stays."""
    if not bound(asking) or sample.ended == "refused":
        return sample
    if asking.schema_of is not None:
        text = sample.text if sample.ended == "length" else _json_in(sample.text, asking)
        return sample.model_copy(update={"text": text})
    try:
        # A whole word that ends just where the limit of tokens is was not cut off.
        return sample.model_copy(update={"text": _choice_in(sample.text, asking.choices), "ended": "stop"})
    except Unfit:
        if sample.ended == "length":
            return sample
        raise


def check(asking: Asking) -> None:
    """Refuse a schema that nothing can be checked against, before anything is paid for."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    if asking.schema_of is not None:
        try:
            Draft202012Validator.check_schema(asking.schema_of)
        except SchemaError as wrong:
            raise ModelError(f"the JSON schema of the answer is none ({wrong.message}); correct it") from None


def _choice_in(text: str, choices: Sequence[str]) -> str:
    if text in choices:
        return text
    plain = text.strip(_EDGES).casefold()
    found = [choice for choice in choices if choice.strip(_EDGES).casefold() == plain]
    exact = [choice for choice in found if choice.strip(_EDGES) == text.strip(_EDGES)]
    if len(exact) == 1 or len(found) == 1:
        return (exact or found)[0]
    raise Unfit(f"it is none of {', '.join(map(repr, choices))}", text)


def _json_in(text: str, asking: Asking) -> str:
    schema = cast(dict[str, Any], asking.schema_of)
    wrong = ""
    for candidate in _candidates(text):
        try:
            value = json.loads(candidate, object_pairs_hook=no_duplicates, parse_constant=no_constant)
        except (ValueError, RecursionError) as cause:
            wrong = wrong or f"it is not JSON ({cause})"
            continue
        found = _misfit(value, schema)
        if not found:
            return candidate
        # What is wrong with a value says more than what is wrong with the text round it.
        wrong = found if not wrong or wrong.startswith("it is not JSON") else wrong
    raise Unfit(wrong or "it is empty", text)


def _misfit(value: object, schema: dict[str, Any]) -> str:
    """What is wrong with a value, in one line; empty where nothing is."""
    from jsonschema import Draft202012Validator, exceptions
    from referencing import Registry

    # An empty registry: a `$ref` to somewhere else is an error, and never a download.
    validator: Any = Draft202012Validator(schema, registry=Registry())
    try:
        wrong = cast(Any, exceptions).best_match(validator.iter_errors(value))
    except Exception as cause:
        raise ModelError(
            f"the JSON schema of the answer cannot be followed ({type(cause).__name__}); correct it"
        ) from cause
    if wrong is None:
        return ""
    # Not its message, which quotes the value: that is the model's text, and may be long.
    wanted = json.dumps(wrong.validator_value, ensure_ascii=False)[:_WANTED]
    return f"at {wrong.json_path[:_PATH]} it does not keep to {wrong.validator}: {wanted}"


def _candidates(text: str) -> Iterator[str]:
    """The whole, then what stands in a fence, then each object or array that begins somewhere in the text."""
    whole = text.strip()
    if not whole:
        return
    yield whole
    for fenced in _FENCE.findall(text):
        yield fenced.strip()
    decoder = json.JSONDecoder()
    place = 0
    for _ in range(_TRIES):
        starts = [start for start in (text.find("{", place), text.find("[", place)) if start >= 0]
        if not starts:
            return
        place = min(starts)
        try:
            end = decoder.raw_decode(text, place)[1]
        except (ValueError, RecursionError):
            place += 1
            continue
        yield text[place:end]
        place = end

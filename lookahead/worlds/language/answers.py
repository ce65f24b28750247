"""What a model's samples say: observations, or why they are none."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from lookahead.canonical import no_constant, no_duplicates
from lookahead.domains import Domain
from lookahead.errors import ModelCutOff, ModelError, ModelRefused, Unreadable, WorldError
from lookahead.types import Action, Completion, Message, Observation, Sample, State, Tool
from lookahead.worlds.language.results import fitted
from lookahead.worlds.language.source import fenced

LONG: Final = 32
"""Characters a token at most: whatever is longer than its cap allows was not capped."""
_SHOWN: Final = 4_000
"""Characters of a wrong answer that are shown when asking again."""


@dataclass(frozen=True, kw_only=True)
class Misfit:
    """An answer that was there and whole, and was not one that this tool gives."""

    text: str
    why: str

    def turns(self, schema: dict[str, JsonValue]) -> tuple[Message, Message]:
        """The answer, and the request for another one."""
        text = self.text if len(self.text) <= _SHOWN else f"{self.text[:_SHOWN]} …"
        said = (
            f"The tool cannot have returned that. What is wrong with it:\n\n{fenced(self.why)}\n\n"
            "Give its result again, as the bare JSON value and nothing else. It has to fit this schema:\n\n"
            f"{fenced(json.dumps(schema, ensure_ascii=False), 'json')}"
        )
        return Message(role="assistant", content=text), Message(role="user", content=said)


@dataclass(frozen=True, kw_only=True)
class Answers:
    """The samples of one completion."""

    readable: Sequence[Observation]
    whole: Sequence[Sample]
    """Those that came to their end, readable or not."""
    reasons: Sequence[str]
    """Why each of the others is no observation."""
    misfit: Misfit | None = None
    unfinished: ModelError | None = None
    """What ended an answer before its end, where none was whole."""

    def failure(self, name: str) -> WorldError:
        said = f"{name}: {'; '.join(dict.fromkeys(self.reasons))}"
        if self.unfinished is None:
            return Unreadable(said)
        failure = WorldError(said)
        failure.__cause__ = self.unfinished
        return failure


def read(completion: Completion, domain: Domain, state: State, action: Action, *, cap: int) -> Answers:
    """What each sample says. Where the tool declares what it returns, the bare JSON of that needs no tag."""
    tool = state.tool(action.tool)
    readable: list[Observation] = []
    whole: list[Sample] = []
    reasons: list[str] = []
    misfit: Misfit | None = None
    unfinished: ModelError | None = None
    for sample in completion.samples:
        try:
            _finished(sample, cap)
        except ModelError as cause:
            unfinished = unfinished or cause
            reasons.append(str(cause))
            continue
        except Unreadable as cause:
            reasons.append(str(cause))
            continue
        whole.append(sample)
        try:
            readable.append(_bare(sample.text, tool) or fitted(domain.read(sample.text, state, action), tool))
        except Unreadable as cause:
            misfit = misfit or Misfit(text=sample.text, why=str(cause))
            reasons.append(str(cause))
    return Answers(
        readable=readable,
        whole=whole,
        reasons=reasons,
        misfit=misfit,
        unfinished=None if whole else unfinished,
    )


def _finished(sample: Sample, cap: int) -> None:
    """Raise where a sample is no whole answer, and asking for another form of it would be in vain."""
    if sample.ended == "length":
        raise ModelCutOff(
            f"the answer was cut off at {cap} tokens, so it is no prediction; "
            'allow more (max_tokens=…, max_thinking_tokens=…), or thinking="off"'
        )
    if sample.ended == "refused":
        raise ModelRefused("the model will not imagine this call; ask another model")
    if len(sample.text) > LONG * cap:
        raise Unreadable(f"the answer is far longer than the {cap} tokens that it may have: the server keeps no limit")
    if not sample.text.strip():
        raise Unreadable("the answer is empty; see the server's log, and whether its reasoning parser fits the model")


def _bare(text: str, tool: Tool | None) -> Observation | None:
    """A JSON value, nothing round it, that the tool could return; None where it is anything else."""
    if tool is None or not tool.result:
        return None
    try:
        value: JsonValue = json.loads(text, object_pairs_hook=no_duplicates, parse_constant=no_constant)
        said = (
            Observation(content=value)
            if isinstance(value, str)
            else Observation(content=text.strip(), structured=value)
        )
        return fitted(said, tool)
    except (ValueError, RecursionError, Unreadable):
        return None

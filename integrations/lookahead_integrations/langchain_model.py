"""A LangChain chat model as a `Complete`: whatever model an application already has can imagine and judge as well."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, cast

import anyio

from lookahead.errors import ModelError
from lookahead.models.answer import Read, divided, ended_by, likely, sound
from lookahead.models.complete import completed
from lookahead.models.constrained import bound, spelt_out
from lookahead.models.failures import Asked, failures
from lookahead.models.manners import Manners
from lookahead.models.patience import patiently
from lookahead.types import Asking, Completion, Message, Sample, Usage

try:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
except ImportError as missing:
    raise ImportError('a LangChain chat model needs LangChain: pip install "lookahead-agents[langchain]"') from missing

_TURNS: Final = {"system": SystemMessage, "user": HumanMessage, "assistant": AIMessage}
_SECONDS: Final = 600.0


class LangChainModel:
    """Asks a chat model of LangChain. What it has no field for (a seed, say) is left to it.

    An answer that has to fit is asked for in words and checked. LangChain runs on asyncio alone, and so does this.
    """

    def __init__(self, chat_model: BaseChatModel, *, seconds: float = _SECONDS) -> None:
        self._model = chat_model
        self._seconds = seconds
        self._known = _fields(chat_model)
        self._manners = Manners(dropped={"n", "response_format", "structured_outputs", "chat_template_kwargs"})

    @property
    def name(self) -> str:
        return f"langchain:{_name(self._model)}"

    def __repr__(self) -> str:
        return f"LangChainModel({self.name!r})"

    async def __call__(self, messages: Sequence[Message], asking: Asking, /) -> Completion:
        seconds = asking.seconds or self._seconds
        until = anyio.current_time() + seconds

        def who() -> Asked:
            return Asked(where=f"LangChain's {type(self._model).__name__}", model=_name(self._model), seconds=seconds)

        async def ask(prompt: Sequence[Message], single: Asking, n: int) -> Read:
            return await self._ask(prompt, single, until)

        try:
            asyncio.get_running_loop()
        except RuntimeError:
            raise ModelError(
                "a LangChain chat model runs on asyncio alone; ask an endpoint by its URL on trio"
            ) from None
        with failures(who), anyio.fail_after(seconds):
            return await completed(
                ask, tuple(messages), asking, manners=self._manners, who=who, model=_name(self._model)
            )

    async def _ask(self, messages: Sequence[Message], asking: Asking, until: float) -> Read:
        turns: list[BaseMessage] = [
            _TURNS[turn.role](content=turn.content)
            for turn in (spelt_out(messages, asking) if bound(asking) else messages)
        ]
        sent: dict[str, Any] = {}

        async def send() -> Read:
            body = self._manners.body((), asking, model="")
            options = {name: value for name, value in body.items() if name in self._known}
            sent.clear()
            sent.update(options, messages=[{"role": turn.role} for turn in messages])
            # No callbacks, and a tag that LangGraph knows: what is imagined must not appear in the stream of the agent.
            answer = await self._model.ainvoke(
                turns, {"callbacks": [], "tags": ["nostream"]}, stop=list(asking.stop) or None, **options
            )
            return _read(answer)

        return await patiently(
            send, until=until, retries=0, pause=0, learn=lambda cause: self._manners.learn(cause, sent)
        )


def _fields(model: BaseChatModel) -> set[str]:
    """Which of the things that we may ask for this model has a field for, by its name or by what the wire calls it."""
    found = set(type(model).model_fields)
    found |= {field.alias for field in type(model).model_fields.values() if field.alias}
    wanted = {"temperature", "top_p", "top_k", "seed", "max_tokens", "logprobs", "top_logprobs"}
    if "max_completion_tokens" in found:
        found.add("max_tokens")
    return found & wanted


def _name(model: BaseChatModel) -> str:
    for name in ("model_name", "model", "model_id"):
        if isinstance(found := getattr(model, name, None), str) and found:
            return found
    return type(model).__name__


def _read(answer: AIMessage) -> Read:
    text, thought = _parts(cast(object, answer.content))  # pyright: ignore[reportUnknownMemberType]
    about = cast(Mapping[str, Any], answer.response_metadata)
    more = cast(Mapping[str, Any], answer.additional_kwargs)
    thought = thought or str(more.get("reasoning_content") or "")
    ended: Literal["stop", "length", "refused"] = ended_by(
        next(
            (str(about[name]).lower() for name in ("finish_reason", "stop_reason", "done_reason") if about.get(name)),
            None,
        )
    )
    if refusal := more.get("refusal"):
        text, ended = str(refusal), "refused"
    elif answer.tool_calls and not text:
        raise ModelError("the model answered with a call of a tool; give Lookahead the chat model without tools bound")
    if not thought:
        thought, text = divided(text)
    probabilities = cast(object, about.get("logprobs"))
    sample = Sample(text=sound(text), thought=sound(thought), ended=ended, tokens=likely(probabilities))
    return Read(samples=(sample,), model=str(about.get("model_name") or ""), usage=_usage(answer))


def _usage(answer: AIMessage) -> Usage | None:
    counted = answer.usage_metadata
    if not counted or not counted["input_tokens"]:
        return None
    cached = counted.get("input_token_details", {}).get("cache_read", 0)
    return Usage(prompt=counted["input_tokens"], cached=cached, generated=counted["output_tokens"])


def _parts(content: object) -> tuple[str, str]:
    """Text and thought: each provider's blocks have other names for the same two things."""
    if isinstance(content, str):
        return content, ""
    texts: list[str] = []
    thoughts: list[str] = []
    for block in cast(list[object], content) if isinstance(content, list) else ():
        if isinstance(block, str):
            texts.append(block)
        elif isinstance(block, Mapping):
            fields = cast(Mapping[str, object], block)
            for name, place in (("text", texts), ("thinking", thoughts), ("reasoning", thoughts)):
                if isinstance(said := fields.get(name), str):
                    place.append(said)
    return "".join(texts), "\n".join(thoughts)

"""A chat model of LangChain imagines and judges like any other model."""

from collections.abc import Sequence
from typing import Any

import anyio
import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel, GenericFakeChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import RunnableLambda

from lookahead.errors import ContextTooLong, ModelError, ModelTimeout
from lookahead.types import Asking, Message
from lookahead_integrations.langchain_model import LangChainModel

pytestmark = pytest.mark.anyio

PROMPT = (
    Message(role="system", content="You are a shell."),
    Message(role="user", content="pwd"),
    Message(role="assistant", content="/home"),
    Message(role="user", content="ls"),
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Seen(BaseChatModel):
    """Answers one line after the other, and remembers how it was asked."""

    said: list[Any]
    temperature: float | None = None
    max_tokens: int | None = None
    seen: list[tuple[list[tuple[str, str]], dict[str, Any]]]

    @property
    def _llm_type(self) -> str:
        return "seen"

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        self.seen.append(([(turn.type, str(turn.content)) for turn in messages], {**kwargs, "stop": stop}))
        said = self.said[min(len(self.seen), len(self.said)) - 1]
        if isinstance(said, Exception):
            raise said
        return ChatResult(
            generations=[ChatGeneration(message=said if isinstance(said, AIMessage) else AIMessage(said))]
        )


def seen(*said: Any) -> Seen:
    return Seen(said=list(said), seen=[])


def model_of(*said: AIMessage | str) -> LangChainModel:
    return LangChainModel(
        GenericFakeChatModel(messages=iter([AIMessage(one) if isinstance(one, str) else one for one in said]))
    )


async def test_the_turns_arrive_and_the_text_comes_back():
    chat = seen("notes.txt")
    found = await LangChainModel(chat)(PROMPT, Asking(temperature=0.5, max_tokens=9, seed=3, stop=("$",)))
    assert found.samples[0].text == "notes.txt"
    assert chat.seen == [
        (
            [("system", "You are a shell."), ("human", "pwd"), ("ai", "/home"), ("human", "ls")],
            {"temperature": 0.5, "max_tokens": 9, "stop": ["$"]},
        )
    ]
    assert found.usage.counted == "estimate"
    assert found.usage.prompt > 10


async def test_what_it_counts_is_taken_over():
    usage = {"input_tokens": 50, "output_tokens": 5, "total_tokens": 55, "input_token_details": {"cache_read": 40}}
    found = await model_of(AIMessage("x", usage_metadata=usage))(PROMPT, Asking())  # type: ignore[arg-type]
    assert (found.usage.prompt, found.usage.cached, found.usage.generated, found.usage.counted) == (50, 40, 5, "engine")
    assert found.cost.tokens == 55


async def test_several_samples_are_asked_for_at_once():
    found = await model_of("a", "b", "c")(PROMPT, Asking(n=3))
    assert sorted(sample.text for sample in found.samples) == ["a", "b", "c"]
    assert found.cost.calls == 3


async def test_an_answer_that_has_to_fit_is_asked_for_in_words_and_checked():
    chat = seen("It is safe.", "unsafe")
    found = await LangChainModel(chat)(PROMPT, Asking(choices=("safe", "unsafe")))
    assert found.samples[0].text == "unsafe"
    assert "- unsafe" in chat.seen[0][0][-1][1]
    with pytest.raises(ModelError, match="asked twice"):
        await LangChainModel(seen("?"))(PROMPT, Asking(schema_of={"type": "integer"}))


@pytest.mark.parametrize(
    ("answer", "thought", "text", "ended"),
    [
        (AIMessage("<think>t</think>x"), "t", "x", "stop"),
        (AIMessage("x", additional_kwargs={"reasoning_content": "t"}), "t", "x", "stop"),
        (AIMessage([{"type": "thinking", "thinking": "t"}, {"type": "text", "text": "x"}]), "t", "x", "stop"),
        (AIMessage("x", response_metadata={"finish_reason": "length"}), "", "x", "length"),
        (AIMessage("x", response_metadata={"stop_reason": "max_tokens"}), "", "x", "length"),
        (AIMessage("", additional_kwargs={"refusal": "no"}), "", "no", "refused"),
        (AIMessage("a \ud800 b"), "", "a ? b", "stop"),
    ],
)
async def test_thought_answer_and_end_are_told_apart(answer: AIMessage, thought: str, text: str, ended: str):
    (sample,) = (await LangChainModel(seen(answer))(PROMPT, Asking())).samples
    assert (sample.thought, sample.text, sample.ended) == (thought, text, ended)


async def test_probabilities_are_read_where_there_are_any():
    places = [{"token": "x", "logprob": 0.0, "top_logprobs": [{"token": "y", "logprob": -1.0}]}]
    for reported, count in [({"content": places}, 1), (None, 0), ("odd", 0)]:
        (sample,) = (
            await LangChainModel(seen(AIMessage("x", response_metadata={"logprobs": reported})))(PROMPT, Asking())
        ).samples
        assert len(sample.tokens) == count


async def test_a_call_of_a_tool_is_no_answer():
    call = AIMessage("", tool_calls=[{"name": "rm", "args": {}, "id": "1"}])
    with pytest.raises(ModelError, match="without tools"):
        await LangChainModel(seen(call))(PROMPT, Asking())


async def test_what_it_raises_gets_our_name():
    with pytest.raises(ContextTooLong):
        await LangChainModel(seen(ValueError("prompt is too long: 300000 tokens > 200000 maximum")))(PROMPT, Asking())


async def test_it_keeps_the_deadline():
    class Slow(Seen):
        async def _agenerate(self, messages: Sequence[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
            await anyio.sleep_forever()
            raise AssertionError

    with pytest.raises(ModelTimeout):
        await LangChainModel(Slow(said=[""], seen=[]))(PROMPT, Asking(seconds=0.05))


async def test_what_is_imagined_does_not_appear_in_the_stream_of_the_agent():
    heard: list[str] = []

    class Listening(BaseCallbackHandler):
        def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
            heard.append("model")

    async def agent(text: str) -> str:
        return (await model_of("imagined")(PROMPT, Asking())).samples[0].text

    said = await RunnableLambda(agent).ainvoke("go", {"callbacks": [Listening()]})
    assert (said, heard) == ("imagined", [])


def test_on_trio_it_says_that_it_needs_asyncio():
    async def ask() -> None:
        await model_of("x")(PROMPT, Asking())

    with pytest.raises(ModelError, match="asyncio"):
        anyio.run(ask, backend="trio")


def test_it_is_called_what_the_model_is_called():
    assert model_of("x").name == "langchain:GenericFakeChatModel"

"""What an endpoint refuses is left out from then on, and done another way where there is one."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from model_server import Endpoint, Reply, chat, refusal

from lookahead.errors import ContextTooLong, ModelError
from lookahead.models.openai import OpenAIModel
from lookahead.types import Asking, Message

pytestmark = pytest.mark.anyio

PROMPT = (Message(role="system", content="You are a shell."), Message(role="user", content="pwd"))

OPENAI = "Unsupported parameter: '{}' is not supported with this model."
UNKNOWN = "Unrecognized request argument supplied: {}"
GROQ = "property '{}' is unsupported"


def model_of(endpoint: Endpoint) -> OpenAIModel:
    return OpenAIModel(endpoint.url, "m", pause=0.001)


def forbids(name: str, text: str, status: int = 400, **fields: Any) -> Callable[[dict[str, Any]], Reply]:
    """Refuses whatever names this parameter, and answers anything else."""
    return lambda body: refusal(text.format(name), status, **fields) if name in body else chat("hello")


def pydantic(name: str) -> Callable[[dict[str, Any]], Reply]:
    """Refuses as servers do that are written with pydantic."""
    wrong = {"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs are not permitted", "input": 1}
    return lambda body: Reply(status=422, body={"detail": [wrong]}) if name in body else chat("hello")


ALL = Asking(
    temperature=0.5,
    top_p=0.9,
    top_k=20,
    seed=1,
    max_tokens=50,
    probabilities=3,
    stop=("x",),
    thinking=True,
)
SENT = ("temperature", "top_p", "top_k", "seed", "logprobs", "stop", "chat_template_kwargs")


@pytest.mark.parametrize("name", SENT)
@pytest.mark.parametrize("text", [OPENAI, UNKNOWN, GROQ, "Unknown parameter: '{}'.", "'{}' : value must be null"])
async def test_what_is_refused_is_left_out_from_then_on(endpoint: Endpoint, name: str, text: str):
    endpoint.says(forbids(name, text))
    async with model_of(endpoint) as model:
        for _ in range(3):
            assert (await model(PROMPT, ALL)).samples[0].text == "hello"
    assert [name in asked for asked in endpoint.asked] == [True, False, False, False]
    others = [other for other in SENT if other != name and (other, name) != ("top_logprobs", "logprobs")]
    assert all(other in asked for asked in endpoint.asked for other in others)


@pytest.mark.parametrize("name", SENT)
async def test_a_server_may_refuse_by_the_place_in_the_body(endpoint: Endpoint, name: str):
    endpoint.says(pydantic(name))
    async with model_of(endpoint) as model:
        assert (await model(PROMPT, ALL)).samples[0].text == "hello"
    assert len(endpoint.asked) == 2


async def test_a_server_that_takes_nothing_but_the_messages_is_understood(endpoint: Endpoint):
    def answer(body: dict[str, Any]) -> Reply:
        extra = [name for name in body if name not in ("model", "messages")]
        return refusal(UNKNOWN.format(extra[0])) if extra else chat("hello")

    endpoint.says(answer)
    async with model_of(endpoint) as model:
        assert (await model(PROMPT, ALL)).samples[0].text == "hello"
        asked = len(endpoint.asked)
        assert (await model(PROMPT, ALL)).samples[0].text == "hello"
    assert len(endpoint.asked) == asked + 1


async def test_the_limit_of_tokens_is_called_what_the_endpoint_calls_it(endpoint: Endpoint):
    text = "Unsupported parameter: '{}' is not supported with this model. Use 'max_completion_tokens' instead."
    endpoint.says(forbids("max_tokens", text, code="unsupported_parameter", param="max_tokens"))
    async with model_of(endpoint) as model:
        for _ in range(2):
            await model(PROMPT, Asking(max_tokens=50))
    limits = [(asked.get("max_tokens"), asked.get("max_completion_tokens")) for asked in endpoint.asked]
    assert limits == [(50, None), (None, 50), (None, 50)]


async def test_a_limit_that_the_endpoint_knows_under_no_name_is_left_out(endpoint: Endpoint):
    endpoint.says(lambda body: refusal(UNKNOWN.format(found[0])) if (found := limits(body)) else chat("hello"))
    async with model_of(endpoint) as model:
        for _ in range(2):
            await model(PROMPT, Asking(max_tokens=50))
    assert [limits(asked) for asked in endpoint.asked] == [["max_tokens"], ["max_completion_tokens"], [], []]


def limits(body: dict[str, Any]) -> list[str]:
    return [name for name in body if name.startswith("max_")]


async def test_a_limit_beyond_what_the_model_writes_is_lowered(endpoint: Endpoint):
    text = "max_tokens is too large: {}. This model supports at most 16384 completion tokens, whereas you provided {}."

    def answer(body: dict[str, Any]) -> Reply:
        most = body["max_tokens"]
        return refusal(text.format(most, most), param="max_tokens") if most > 16384 else chat("hello")

    endpoint.says(answer)
    async with model_of(endpoint) as model:
        for _ in range(2):
            await model(PROMPT, Asking(max_tokens=32768))
        await model(PROMPT, Asking(max_tokens=10))
    assert [asked["max_tokens"] for asked in endpoint.asked] == [32768, 16384, 16384, 10]


@pytest.mark.parametrize(
    "text",
    [
        "This model's maximum context length is 4096 tokens. However, you requested 33768 tokens (1000 in the "
        "messages, 32768 in the completion). Please reduce the length of the messages or completion.",
        "'max_tokens' or 'max_completion_tokens' is too large: 32768. This model's maximum context length is 4096 "
        "tokens and your request has 1000 input tokens (32768 > 4096 - 1000). (parameter=max_tokens, value=32768)",
        "Requested token count exceeds the model's maximum context length of 4096 tokens. You requested a total of "
        "33768 tokens: 1000 tokens from the input messages and 32768 tokens for the completion.",
    ],
    ids=["OpenAI", "vLLM", "SGLang"],
)
async def test_an_answer_that_does_not_fit_behind_its_prompt_gets_the_room_that_is_left(endpoint: Endpoint, text: str):
    endpoint.says(lambda body: refusal(text) if body["max_tokens"] > 3096 else chat("hello"))
    async with model_of(endpoint) as model:
        assert (await model(PROMPT, Asking(max_tokens=32768))).samples[0].text == "hello"
        assert 2048 < endpoint.asked[-1]["max_tokens"] <= 3096
        await model(PROMPT, Asking(max_tokens=2000))
    assert [asked["max_tokens"] for asked in endpoint.asked][-1] == 2000


async def test_a_prompt_that_does_not_fit_is_too_long(endpoint: Endpoint):
    text = (
        "This model's maximum context length is 4096 tokens. However, you requested 37000 tokens (5000 in the "
        "messages, 32000 in the completion)."
    )
    endpoint.says(refusal(text))
    async with model_of(endpoint) as model:
        with pytest.raises(ContextTooLong):
            await model(PROMPT, Asking(max_tokens=32000))
    assert len(endpoint.asked) == 1


@pytest.mark.parametrize(
    "text",
    [
        "Only one completion choice is allowed",
        "'n' : number must be at most 1 but found 4",
        "Unsupported parameter: 'n'.",
        "n must be 1 for this engine, got 4",
    ],
)
async def test_several_samples_are_asked_for_at_once_where_one_request_cannot_hold_them(endpoint: Endpoint, text: str):
    endpoint.says(lambda body: refusal(text) if "n" in body else chat(f"seed {body.get('seed')}"))
    async with model_of(endpoint) as model:
        for _ in range(2):
            found = await model(PROMPT, Asking(n=4, seed=10))
            assert {sample.text for sample in found.samples} == {"seed 10", "seed 11", "seed 12", "seed 13"}
            assert (found.cost.calls, found.usage.generated) == (4, 12)
    assert len(endpoint.asked) == 9


async def test_an_engine_that_overlooks_how_many_were_asked_for_is_asked_for_the_rest(endpoint: Endpoint):
    endpoint.says(lambda body: chat(f"{body.get('n')} {body['seed']}"))
    async with model_of(endpoint) as model:
        found = await model(PROMPT, Asking(n=3, seed=5))
        assert sorted(sample.text for sample in found.samples) == ["3 5", "None 6", "None 7"]
        await model(PROMPT, Asking(n=3, seed=5))
    assert [asked.get("n") for asked in endpoint.asked] == [3, None, None, None, None, None]


async def test_samples_without_chance_are_asked_for_one_by_one(endpoint: Endpoint):
    async with model_of(endpoint) as model:
        assert len((await model(PROMPT, Asking(n=2, temperature=0.0))).samples) == 2
        endpoint.says(chat("a", "b"))
        assert len((await model(PROMPT, Asking(n=2, temperature=0.5))).samples) == 2
    assert [asked.get("n") for asked in endpoint.asked] == [2]


async def test_one_lost_sample_does_not_lose_the_others(endpoint: Endpoint):
    endpoint.says(lambda body: refusal("no") if body["seed"] == 2 else chat("fine"))
    async with model_of(endpoint) as model:
        assert len((await model(PROMPT, Asking(n=4, seed=1, temperature=0.0))).samples) == 3
        endpoint.says(refusal("no"))
        with pytest.raises(ModelError, match="400: no"):
            await model(PROMPT, Asking(n=4, seed=1, temperature=0.0))


async def test_fewer_alternatives_are_asked_for_where_there_is_a_limit(endpoint: Endpoint):
    text = "top_logprobs must be less than or equal to 5"
    endpoint.says(lambda body: refusal(text) if body.get("top_logprobs", 0) > 5 else chat("hello"))
    async with model_of(endpoint) as model:
        for _ in range(2):
            await model(PROMPT, Asking(probabilities=15))
    assert [asked["top_logprobs"] for asked in endpoint.asked] == [15, 5, 5]


@pytest.mark.parametrize(
    "text",
    [
        "System role not supported",
        "Unsupported role: system message. Only user and assistant roles are supported!",
        "the chat template raised: system role is not supported",
    ],
)
async def test_where_there_is_no_system_role_its_words_stand_before_the_first_question(endpoint: Endpoint, text: str):
    def answer(body: dict[str, Any]) -> Reply:
        return refusal(text) if body["messages"][0]["role"] == "system" else chat("hello")

    endpoint.says(answer)
    async with model_of(endpoint) as model:
        assert (await model(PROMPT, Asking())).samples[0].text == "hello"
    assert endpoint.asked[-1]["messages"] == [{"role": "user", "content": "You are a shell.\n\npwd"}]


async def test_a_refusal_that_names_nothing_that_was_sent_teaches_nothing(endpoint: Endpoint):
    endpoint.says(refusal("Unknown parameter: 'frequency_penalty'."))
    async with model_of(endpoint) as model:
        with pytest.raises(ModelError, match="frequency_penalty"):
            await model(PROMPT, ALL)
    assert len(endpoint.asked) == 1


async def test_what_was_left_out_in_vain_is_sent_again_next_time(endpoint: Endpoint):
    endpoint.says(refusal("Invalid request: 'seed' and 'stop' are fine, the third message is not"))
    async with model_of(endpoint) as model:
        with pytest.raises(ModelError, match="third message"):
            await model(PROMPT, ALL)
        endpoint.says(chat("hello"))
        await model(PROMPT, ALL)
    assert all(name in endpoint.asked[0] for name in SENT)


async def test_a_server_that_refuses_whatever_is_left_out_is_given_up(endpoint: Endpoint):
    endpoint.says(refusal(json.dumps({"invalid": [*SENT, "max_tokens", "top_logprobs"]})))
    async with model_of(endpoint) as model:
        with pytest.raises(ModelError):
            await model(PROMPT, ALL)
    assert len(endpoint.asked) < 20

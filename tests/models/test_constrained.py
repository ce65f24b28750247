"""An answer that has to fit a schema, or be one of a few words, does, or there is none."""

import json
from typing import Any

import pytest
from model_server import Endpoint, Reply, chat, refusal

from lookahead.errors import ModelError
from lookahead.models.openai import OpenAIModel
from lookahead.types import Asking, Message

pytestmark = pytest.mark.anyio

PROMPT = (Message(role="system", content="Judge."), Message(role="user", content="Is it safe?"))
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"score": {"type": "integer", "minimum": 1, "maximum": 5}},
    "required": ["score"],
    "additionalProperties": False,
}
SCORED = Asking(schema_of=SCHEMA)
WORDS = Asking(choices=("safe", "unsafe", "not sure"))


def model_of(endpoint: Endpoint) -> OpenAIModel:
    return OpenAIModel(endpoint.url, "m", pause=0.001)


async def said(endpoint: Endpoint, asking: Asking, *texts: str) -> str:
    endpoint.says(*(chat(text) for text in texts))
    async with model_of(endpoint) as model:
        return (await model(PROMPT, asking)).samples[0].text


async def test_the_engine_is_told_the_schema_and_the_words(endpoint: Endpoint):
    assert await said(endpoint, SCORED, '{"score": 4}') == '{"score": 4}'
    assert endpoint.asked[0]["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True},
    }
    assert endpoint.asked[0]["messages"][-1]["content"] == "Is it safe?"
    assert await said(endpoint, WORDS, "unsafe") == "unsafe"
    assert endpoint.asked[0]["structured_outputs"] == {"choice": ["safe", "unsafe", "not sure"]}


@pytest.mark.parametrize(
    "loose",
    [
        {"type": "object", "properties": {"a": {"type": "string"}}},
        {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False},
        {"type": "object", "properties": {"a": {"type": "object"}}, "required": ["a"], "additionalProperties": False},
        {"type": "array", "items": {"type": "object", "properties": {"a": {}}, "additionalProperties": False}},
    ],
)
async def test_a_schema_that_leaves_something_open_is_not_sent_as_strict(endpoint: Endpoint, loose: dict[str, Any]):
    endpoint.says(chat('{"a": "b"} or {"a": {}} or [{"a": 1}]'))
    async with model_of(endpoint) as model:
        await model(PROMPT, Asking(schema_of=loose))
    assert endpoint.asked[0]["response_format"]["json_schema"]["strict"] is False


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ('```json\n{"score": 2}\n```', '{"score": 2}'),
        ('Sure! Here it is: {"score": 2}. Anything else?', '{"score": 2}'),
        ('First {"no": 1}, no: {"score": 5}', '{"score": 5}'),
        ('<think>{"score": 1}?</think>{"score": 3}', '{"score": 3}'),
        ('  \n{"score":1}\n', '{"score":1}'),
        ('{ unclosed {"score": 2}', '{"score": 2}'),
    ],
)
async def test_json_is_found_in_what_stands_round_it(endpoint: Endpoint, text: str, meant: str):
    assert await said(endpoint, SCORED, text) == meant
    assert len(endpoint.asked) == 1


@pytest.mark.parametrize("text", ["safe", " Safe.", '"SAFE"', "safe\n", "**safe**"])
async def test_a_word_is_read_whatever_stands_at_its_edges(endpoint: Endpoint, text: str):
    assert await said(endpoint, WORDS, text) == "safe"
    assert len(endpoint.asked) == 1


async def test_words_that_differ_in_their_case_alone_are_told_apart(endpoint: Endpoint):
    asking = Asking(choices=("us", "US"))
    assert await said(endpoint, asking, " US.") == "US"
    assert await said(endpoint, asking, " us ") == "us"


WRONG = ['{"score": 9}', '{"score": "4"}', "[4]", "four", '{"score": 4, "score": 5}', '{"score": NaN}', "", "{" * 5000]


@pytest.mark.parametrize("text", WRONG)
async def test_what_does_not_fit_is_asked_once_more_with_what_was_wrong(endpoint: Endpoint, text: str):
    assert await said(endpoint, SCORED, text, '{"score": 4}') == '{"score": 4}'
    first, second = (asked["messages"] for asked in endpoint.asked)
    assert second[: len(first)] == first
    assert second[-2]["role"] == "assistant"
    assert "cannot be used" in second[-1]["content"]
    assert json.dumps(SCHEMA) in second[-1]["content"]


@pytest.mark.parametrize("text", WRONG)
async def test_what_does_not_fit_twice_is_no_answer(endpoint: Endpoint, text: str):
    with pytest.raises(ModelError, match=r"asked twice .* form"):
        await said(endpoint, SCORED, text, text)
    assert len(endpoint.asked) == 2


async def test_a_word_that_was_not_offered_is_no_answer(endpoint: Endpoint):
    with pytest.raises(ModelError, match="none of 'safe', 'unsafe', 'not sure'"):
        await said(endpoint, WORDS, "It is safe, I think", "probably safe")


@pytest.mark.parametrize(
    "text",
    [
        "Unknown parameter: 'response_format'.",
        "This response_format type is unavailable now",
        "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.",
        "json_schema is not supported by this engine",
        "guided decoding is not enabled",
    ],
)
async def test_where_the_engine_cannot_hold_the_form_it_is_said_at_the_end(endpoint: Endpoint, text: str):
    endpoint.says(lambda body: refusal(text) if "response_format" in body else chat('```\n{"score": 3}\n```'))
    async with model_of(endpoint) as model:
        for _ in range(2):
            assert (await model(PROMPT, SCORED)).samples[0].text == '{"score": 3}'
        await model(PROMPT, Asking())
    first, second, third, plain = (asked["messages"] for asked in endpoint.asked)
    assert second == third
    assert second[:-1] == first[:-1]
    assert second[-1]["content"].startswith("Is it safe?\n\n")
    assert json.dumps(SCHEMA) in second[-1]["content"]
    assert plain == first


async def test_one_schema_that_is_refused_is_not_all_of_them(endpoint: Endpoint):
    other = {"type": "integer"}

    def answer(body: dict[str, Any]) -> Reply:
        schema = body.get("response_format", {}).get("json_schema", {}).get("schema")
        if schema == other:
            return refusal(
                "Invalid schema for response_format 'answer': schema must be a JSON Schema of 'type: object'."
            )
        return chat("7" if schema is None else '{"score": 3}')

    endpoint.says(answer)
    async with model_of(endpoint) as model:
        assert (await model(PROMPT, Asking(schema_of=other))).samples[0].text == "7"
        assert (await model(PROMPT, SCORED)).samples[0].text == '{"score": 3}'
        assert (await model(PROMPT, Asking(schema_of=other))).samples[0].text == "7"
    assert ["response_format" in asked for asked in endpoint.asked] == [True, False, True, False]


async def test_an_engine_that_overlooks_the_form_is_told_it_in_words_from_then_on(endpoint: Endpoint):
    def answer(body: dict[str, Any]) -> Reply:
        return chat("safe" if "exactly one of" in body["messages"][-1]["content"] else "I would say it is safe to run.")

    endpoint.says(answer)
    async with model_of(endpoint) as model:
        for _ in range(3):
            assert (await model(PROMPT, WORDS)).samples[0].text == "safe"
    assert len(endpoint.asked) == 4


async def test_only_the_samples_that_do_not_fit_are_asked_again(endpoint: Endpoint):
    endpoint.says(chat("safe", "what?", "unsafe", "hm"), chat("not sure"))
    async with model_of(endpoint) as model:
        found = await model(PROMPT, WORDS.model_copy(update={"n": 4}))
    assert [sample.text for sample in found.samples] == ["safe", "not sure", "unsafe", "not sure"]
    assert (len(endpoint.asked), found.cost.calls) == (3, 3)


async def test_samples_that_never_fit_are_left_out(endpoint: Endpoint):
    endpoint.says(chat("safe", "what?"), chat("what?"))
    async with model_of(endpoint) as model:
        found = await model(PROMPT, WORDS.model_copy(update={"n": 2}))
    assert [sample.text for sample in found.samples] == ["safe"]


async def test_an_answer_that_was_cut_off_is_said_to_be(endpoint: Endpoint):
    endpoint.says(chat('{"sco', finish_reason="length"))
    async with model_of(endpoint) as model:
        assert (await model(PROMPT, SCORED)).samples[0].ended == "length"
    assert len(endpoint.asked) == 1


async def test_a_whole_word_at_the_limit_of_tokens_was_not_cut_off(endpoint: Endpoint):
    endpoint.says(chat("unsafe", finish_reason="length"), chat("uns", finish_reason="length"))
    async with model_of(endpoint) as model:
        assert (await model(PROMPT, WORDS)).samples[0].ended == "stop"
        assert (await model(PROMPT, WORDS)).samples[0].ended == "length"


async def test_a_schema_that_is_none_is_refused_before_anything_is_paid_for(endpoint: Endpoint):
    async with model_of(endpoint) as model:
        with pytest.raises(ModelError, match="JSON schema"):
            await model(PROMPT, Asking(schema_of={"type": "thing"}))
    assert endpoint.asked == []


async def test_a_schema_that_points_elsewhere_downloads_nothing(endpoint: Endpoint):
    endpoint.says(chat("{}"))
    async with model_of(endpoint) as model:
        with pytest.raises(ModelError, match="JSON schema"):
            await model(PROMPT, Asking(schema_of={"$ref": f"{endpoint.url}/schema.json"}))
    assert len(endpoint.headers) == 1


async def test_the_form_is_said_in_a_turn_of_its_own_where_the_last_one_is_not_the_users(endpoint: Endpoint):
    endpoint.says(
        lambda body: (
            refusal("Unknown parameter: 'structured_outputs'") if "structured_outputs" in body else chat("safe")
        )
    )
    async with model_of(endpoint) as model:
        await model((*PROMPT, Message(role="assistant", content="It is ")), WORDS)
    assert [turn["role"] for turn in endpoint.asked[-1]["messages"]] == ["system", "user", "assistant", "user"]


async def test_an_error_does_not_quote_what_a_model_wrote_at_length(endpoint: Endpoint):
    long = json.dumps({"score": "pay attention to me " * 50})
    with pytest.raises(ModelError, match=r"at \$\.score it does not keep to type: \"integer\"") as told:
        await said(endpoint, SCORED, long, long)
    assert "attention" not in str(told.value)

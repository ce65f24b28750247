"""Whatever goes wrong has one of our names, and says what to do next; and it says no secret."""

import logging
import traceback
from typing import Any

import pytest
from model_server import Endpoint, Reply, chat, pieces, refusal

from lookahead.errors import (
    ConfigError,
    ContextTooLong,
    ModelError,
    ModelNotFound,
    ModelOutOfMemory,
    ModelRefused,
    ModelTimeout,
    ModelUnreachable,
)
from lookahead.models.failures import Asked, named
from lookahead.models.openai import OpenAIModel
from lookahead.types import Asking, Message

pytestmark = pytest.mark.anyio

PROMPT = (Message(role="user", content="pwd"),)
PAGE = Reply(status=404, body=b"<!DOCTYPE html><html><h1>Not Found</h1></html>", kind="text/html")


async def failing(endpoint: Endpoint, *script: Any, model: str | None = "m", **options: Any) -> ModelError:
    endpoint.says(*script)
    async with OpenAIModel(endpoint.url, model, **{"pause": 0.001, "retries": 1, **options}) as asked:
        with pytest.raises(ModelError) as failed:
            await asked(PROMPT, Asking(seconds=30))
    assert endpoint.url in str(failed.value)
    return failed.value


TEXTS: list[tuple[int, str, type[ModelError], str]] = [
    (
        400,
        "maximum context length is 8192 tokens. However, your messages resulted in 9000",
        ContextTooLong,
        "--max-model-len",
    ),
    (
        400,
        "The decoder prompt (length 5000) is longer than the maximum model length of 4096.",
        ContextTooLong,
        "history",
    ),
    (400, "the request exceeds the available context size, try increasing it", ContextTooLong, "history"),
    (
        400,
        "The input (5000 tokens) is longer than the model's context length (4096 tokens).",
        ContextTooLong,
        "history",
    ),
    (400, "Your input exceeds the context window of this model.", ContextTooLong, "history"),
    (400, "prompt is too long: 210000 tokens > 200000 maximum", ContextTooLong, "history"),
    (
        400,
        "The input token count (40000) exceeds the maximum number of tokens allowed (32768).",
        ContextTooLong,
        "history",
    ),
    (413, "Payload too large", ContextTooLong, "history"),
    (500, "CUDA out of memory. Tried to allocate 2.00 GiB", ModelOutOfMemory, "quantised"),
    (500, "model requires more system memory (21.5 GiB) than is available (15.1 GiB)", ModelOutOfMemory, "smaller"),
    (500, "ggml_backend_cuda_buffer_type_alloc_buffer: failed to allocate CUDA0 buffer", ModelOutOfMemory, "smaller"),
    (400, "default chat template is no longer allowed, so you must provide one", ModelError, "--chat-template"),
    (500, "Jinja Exception: Conversation roles must alternate user/assistant/user", ModelError, "chat template"),
    (401, "Incorrect API key provided", ModelError, "LOOKAHEAD_API_KEY"),
    (403, "Forbidden", ModelError, "LOOKAHEAD_API_KEY"),
    (429, "You exceeded your current quota, please check your plan and billing details.", ModelError, "quota"),
    (400, "The prompt triggered our content management policy.", ModelRefused, "another model"),
    (504, "The request took too long", ModelUnreachable, "logged"),
    (503, "Service Unavailable", ModelUnreachable, "logged"),
    (429, "Rate limit reached", ModelUnreachable, "ask less at once"),
    (418, "I am a teapot", ModelError, "teapot"),
]


@pytest.mark.parametrize(("status", "text", "kind", "hint"), TEXTS)
async def test_what_an_engine_says_gets_our_name_and_a_next_step(
    endpoint: Endpoint, status: int, text: str, kind: type[ModelError], hint: str
):
    failed = await failing(endpoint, refusal(text, status))
    assert type(failed) is kind
    assert hint in str(failed)
    assert text[:40] in str(failed)


@pytest.mark.parametrize("status", [400, 500])
@pytest.mark.parametrize(
    "shape", [lambda text: {"error": text}, lambda text: {"detail": text}, lambda text: {"message": text}]
)
async def test_a_failure_is_read_in_whatever_shape_it_comes(endpoint: Endpoint, status: int, shape: Any):
    failed = await failing(endpoint, Reply(status=status, body=shape("CUDA out of memory")))
    assert type(failed) is ModelOutOfMemory
    assert len(endpoint.asked) == 1


@pytest.mark.parametrize(
    "text",
    ["The model `m-2.5` does not exist.", "The model `m` does not exist.", 'model "m" not found, try pulling it first'],
)
async def test_a_model_that_is_not_served_is_told_with_those_that_are(endpoint: Endpoint, text: str):
    endpoint.models = {"data": [{"id": "small"}, {"id": "large"}]}
    failed = await failing(endpoint, refusal(text, 404, code="model_not_found"))
    assert type(failed) is ModelNotFound
    assert "serves no model 'm'; it serves: small, large" in str(failed)


async def test_a_model_that_is_not_served_where_nothing_is_listed_is_told_how_to_serve(endpoint: Endpoint):
    endpoint.models = PAGE
    failed = await failing(endpoint, refusal("The model `m` does not exist.", 404))
    assert type(failed) is ModelNotFound
    assert "lookahead serve" in str(failed)


@pytest.mark.parametrize("model", ["m", None])
async def test_an_address_without_its_path_is_told_the_path(endpoint: Endpoint, model: str | None):
    bare = endpoint.url.removesuffix("/v1")
    async with OpenAIModel(bare, model) as asked:
        with pytest.raises(ModelError, match=rf"not an OpenAI-compatible endpoint.*try {bare}/v1$"):
            await asked(PROMPT, Asking())


async def test_a_page_is_no_endpoint(endpoint: Endpoint):
    endpoint.models = PAGE
    assert "not an OpenAI-compatible endpoint" in str(await failing(endpoint, PAGE))
    page = Reply(body=b"<html>Welcome</html>", kind="text/html")
    assert "not an OpenAI-compatible endpoint" in str(await failing(endpoint, page))
    assert "not an OpenAI-compatible endpoint" in str(await failing(endpoint, chat("x"), model=None))


async def test_where_nobody_listens_the_next_step_is_to_serve(unused: int):
    async with OpenAIModel(f"http://127.0.0.1:{unused}/v1", "m", pause=0.001) as asked:
        with pytest.raises(ModelUnreachable, match=r"nobody answers at .*`lookahead serve`, or check the URL"):
            await asked(PROMPT, Asking(seconds=30))


@pytest.fixture
def unused() -> int:
    import socket

    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


@pytest.mark.parametrize("url", ["localhost:8000/v1", "ftp://host/v1", "", "http://", "/v1"])
def test_what_is_no_url_is_refused_at_once(url: str):
    with pytest.raises(ConfigError, match="http://HOST:PORT/v1"):
        OpenAIModel(url)


GARBAGE = [
    Reply(body=b""),
    Reply(body=b"   "),
    Reply(body=b"\x00\xff\xfe garbage"),
    Reply(body=b'{"choices": ['),
    Reply(body=[1, 2]),
    Reply(body=None),
    Reply(body="text"),
    Reply(body={}),
    Reply(body={"choices": []}),
    Reply(body={"choices": None}),
    Reply(body={"choices": [None]}),
    Reply(body={"choices": [{"message": "text"}]}),
    Reply(body={"choices": [{"message": {"content": 7}}]}),
    Reply(body={"choices": [{"message": {"content": {"a": 1}}, "finish_reason": "stop"}]}),
    Reply(body=b"[" * 100_000),
    chat(None, message={"content": None, "tool_calls": [{"function": {"name": "rm"}}]}),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("reply", GARBAGE, ids=range(len(GARBAGE)))
async def test_an_answer_that_cannot_be_read_is_a_failure(endpoint: Endpoint, reply: Reply):
    endpoint.says(reply)
    async with OpenAIModel(endpoint.url, "m", pause=0.001, retries=0) as asked:
        with pytest.raises(ModelError):
            await asked(PROMPT, Asking(seconds=30))


# The client leaves a generator of its own unfinished when it cannot unpack an answer, and trio says so.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
async def test_an_answer_that_cannot_be_unpacked_is_a_failure(endpoint: Endpoint):
    await failing(endpoint, Reply(body=b"not gzip", headers={"content-encoding": "gzip"}))


async def test_an_answer_without_end_is_a_failure(endpoint: Endpoint):
    failed = await failing(endpoint, Reply(body=b"x" * 1_000_000, endless=True))
    assert "an answer of more than 6 MiB" in str(failed)


async def test_a_failure_inside_an_answer_of_success_is_one(endpoint: Endpoint):
    wrong = Reply(body={"error": {"message": "Provider returned error", "code": 502}})
    assert type(await failing(endpoint, wrong)) is ModelUnreachable
    assert len(endpoint.asked) == 2
    for reason in ("abort", "error"):
        assert type(await failing(endpoint, chat("half of it", finish_reason=reason))) is ModelUnreachable


async def test_a_refusal_and_a_cut_are_told_in_the_sample(endpoint: Endpoint):
    endpoint.says(
        chat("x", message={"content": None, "refusal": "I cannot help with that."}),
        chat("", finish_reason="content_filter"),
        chat("half of i", finish_reason="length"),
        chat("", message={"content": None, "reasoning_content": "Let me think"}, finish_reason="length"),
    )
    async with OpenAIModel(endpoint.url, "m") as asked:
        found = [(await asked(PROMPT, Asking())).samples[0] for _ in range(4)]
    assert [sample.ended for sample in found] == ["refused", "refused", "length", "length"]
    assert [sample.text for sample in found] == ["I cannot help with that.", "", "half of i", ""]
    assert found[3].thought == "Let me think"


@pytest.mark.parametrize(
    ("message", "thought", "text"),
    [
        ({"content": "A", "reasoning_content": "T"}, "T", "A"),
        ({"content": "A", "reasoning": "T"}, "T", "A"),
        ({"content": "<think>\nT\n</think>\n\nA"}, "T", "\n\nA"),
        ({"content": "T\n</think>A"}, "T", "A"),
        ({"content": "<think>never ends"}, "never ends", ""),
        ({"content": "a <think> in between"}, "", "a <think> in between"),
        (
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "T"}]},
                    {"type": "text", "text": "A"},
                ]
            },
            "T",
            "A",
        ),
        ({"content": "half \ud800 a pair"}, "", "half ? a pair"),
        ({"content": None}, "", ""),
    ],
)
async def test_thought_and_answer_are_told_apart(endpoint: Endpoint, message: Any, thought: str, text: str):
    endpoint.says(chat("", message=message))
    async with OpenAIModel(endpoint.url, "m") as asked:
        (sample,) = (await asked(PROMPT, Asking())).samples
    assert (sample.thought, sample.text) == (thought, text)


async def test_with_thinking_off_an_answer_that_was_taken_for_a_thought_is_the_answer(endpoint: Endpoint):
    endpoint.says(chat("", message={"content": None, "reasoning_content": "/home/u"}))
    async with OpenAIModel(endpoint.url, "m") as asked:
        assert (await asked(PROMPT, Asking(thinking=False))).samples[0].text == "/home/u"
        assert (await asked(PROMPT, Asking(thinking=True))).samples[0].text == ""


KEY = "sk-very-secret-0123456789abcdef"


async def test_no_key_is_ever_shown(endpoint: Endpoint, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    wrong = [refusal(f"bad key {KEY}", status) for status in (400, 401, 404, 500)] + [
        Reply(body=f"garbage {KEY}".encode())
    ]
    for reply in wrong:
        failed = await failing(endpoint, reply, api_key=KEY)
        assert KEY not in "".join(traceback.format_exception(failed))
        assert KEY not in f"{failed!r} {failed.args}"
    model = OpenAIModel(endpoint.url, "m", api_key=KEY)
    assert KEY not in f"{model!r} {model.name} {model.url}"
    assert KEY not in caplog.text
    assert endpoint.headers[0]["authorization"] == f"Bearer {KEY}"


async def test_a_login_in_the_address_is_used_and_not_shown(endpoint: Endpoint):
    address = endpoint.url.replace("http://", "http://me:hidden-password@")
    async with OpenAIModel(address, "m") as asked:
        await asked(PROMPT, Asking())
        assert "hidden" not in f"{asked!r} {asked.name} {asked.url}"
    assert endpoint.headers[0]["authorization"] == "Basic bWU6aGlkZGVuLXBhc3N3b3Jk"


async def test_the_key_of_one_provider_is_not_shown_to_another(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_ORG_ID", "org-secret")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-secret")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Gateway: gateway-secret")
    async with OpenAIModel(endpoint.url, None) as asked:
        await asked(PROMPT, Asking())
    assert len(endpoint.headers) == 2
    assert not any("secret" in value for headers in endpoint.headers for value in headers.values())


async def test_headers_of_ones_own_are_sent(endpoint: Endpoint):
    async with OpenAIModel(endpoint.url, "m", headers={"X-Team": "blue"}) as asked:
        await asked(PROMPT, Asking())
    assert endpoint.headers[0]["x-team"] == "blue"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(events=["{not json", "[DONE]"], kind="text/event-stream"),
        Reply(events=[[1, 2]], kind="text/event-stream"),
        Reply(events=[{"choices": [7]}], kind="text/event-stream"),
        Reply(events=[{"choices": [{"delta": 7}]}], kind="text/event-stream"),
        Reply(events=[{"choices": [{"delta": {"content": 7}}]}], kind="text/event-stream"),
        Reply(events=[{"error": {"message": "the engine died"}}], kind="text/event-stream"),
        Reply(events=[], kind="text/event-stream"),
        Reply(body=b"<html>", kind="text/html"),
        pieces("one", done=False),
    ],
)
async def test_a_stream_that_cannot_be_read_is_a_failure(endpoint: Endpoint, reply: Reply):
    endpoint.says(reply)
    async with (
        OpenAIModel(endpoint.url, "m", pause=0.001, retries=1) as asked,
        asked.stream(PROMPT, Asking()) as stream,
    ):
        with pytest.raises(ModelError):
            _ = [piece async for piece in stream]


def test_the_exceptions_of_other_libraries_are_named_by_what_they_say():
    class Wrapped(Exception):
        pass

    asked = Asked(where="vLLM in this process", model="m")
    assert type(named(TimeoutError(), asked)) is ModelTimeout
    assert type(named(ConnectionResetError("reset"), asked)) is ModelUnreachable
    assert type(named(Wrapped("torch.OutOfMemoryError: CUDA out of memory"), asked)) is ModelOutOfMemory
    assert type(named(ValueError("The prompt is longer than the maximum model length of 8"), asked)) is ContextTooLong
    failed = Wrapped("it failed")
    failed.__cause__ = MemoryError("out of memory")
    assert type(named(failed, asked)) is ModelOutOfMemory


def test_what_a_stranger_says_is_one_short_line_of_text():
    said = str(named(ValueError("\x1b[31mred\nnext\u202eline " + "x" * 5000), Asked(where="there")))
    assert "\x1b" not in said
    assert "\n" not in said
    assert "\u202e" not in said
    assert len(said) < 600

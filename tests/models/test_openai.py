"""An endpoint is asked, and what it answers is read: the whole of it, over real sockets."""

import os
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
from model_server import Endpoint, Reply, chat, pieces, refusal

from lookahead.errors import ModelError, ModelNotFound, ModelTimeout, ModelUnreachable
from lookahead.models.openai import OpenAIModel
from lookahead.types import Asking, Message

pytestmark = pytest.mark.anyio

PROMPT = (Message(role="system", content="You are a shell."), Message(role="user", content="pwd"))


def model_of(endpoint: Endpoint, name: str | None = "m", **options: Any) -> OpenAIModel:
    return OpenAIModel(endpoint.url, name, **{"pause": 0.001, **options})


async def poured(model: OpenAIModel, asking: Asking, seen: list[str]) -> None:
    async with model.stream(PROMPT, asking) as stream:
        async for piece in stream:
            seen.append(piece)


async def test_what_is_asked_arrives_and_what_is_answered_is_read(endpoint: Endpoint):
    endpoint.says(
        chat(
            "/home/u",
            usage={"prompt_tokens": 40, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 32}},
        )
    )
    asking = Asking(temperature=0.6, top_p=0.95, top_k=20, seed=7, max_tokens=99, stop=("\n$",), thinking=False)
    async with model_of(endpoint) as model:
        found = await model(PROMPT, asking)
    assert endpoint.asked == [
        {
            "model": "m",
            "messages": [{"role": "system", "content": "You are a shell."}, {"role": "user", "content": "pwd"}],
            "temperature": 0.6,
            "top_p": 0.95,
            "top_k": 20,
            "seed": 7,
            "max_tokens": 99,
            "stop": ["\n$"],
            "chat_template_kwargs": {"enable_thinking": False},
        }
    ]
    (sample,) = found.samples
    assert (sample.text, sample.thought, sample.ended) == ("/home/u", "", "stop")
    assert (found.usage.prompt, found.usage.cached, found.usage.generated, found.usage.counted) == (40, 32, 7, "engine")
    assert (found.cost.calls, found.cost.tokens) == (1, 47)
    assert found.cost.seconds > 0


async def test_what_is_not_said_is_left_to_the_engine(endpoint: Endpoint):
    async with model_of(endpoint) as model:
        await model(PROMPT, Asking())
    assert endpoint.asked[0].keys() == {"model", "messages"}


async def test_without_a_name_it_is_the_only_model_that_is_served(endpoint: Endpoint):
    async with model_of(endpoint, None) as model:
        for _ in range(3):
            await model(PROMPT, Asking())
        assert model.name == f"openai:m@127.0.0.1:{endpoint.port}"
    assert [asked["model"] for asked in endpoint.asked] == ["m"] * 3
    assert endpoint.listed == 1


async def test_of_several_models_one_has_to_be_named(endpoint: Endpoint):
    endpoint.models = {"data": [{"id": "small"}, {"id": "large"}]}
    async with model_of(endpoint, None) as model:
        with pytest.raises(ModelNotFound, match=r"2 models \(small, large\); say which: http://.*/v1#MODEL"):
            await model(PROMPT, Asking())
    assert endpoint.asked == []


async def test_a_list_of_models_may_be_a_bare_one(endpoint: Endpoint):
    endpoint.models = [{"id": "only"}]
    async with model_of(endpoint, None) as model:
        assert await model.served() == ("only",)


async def test_connections_are_used_again(endpoint: Endpoint):
    async with model_of(endpoint) as model:
        for _ in range(5):
            await model(PROMPT, Asking())
        assert endpoint.connections == 1


async def test_two_hundred_at_once_go_through_sixteen_connections(endpoint: Endpoint):
    endpoint.together = 16
    endpoint.says(lambda body: chat(body["messages"][-1]["content"].upper()))
    said: dict[int, str] = {}
    async with model_of(endpoint, connections=16) as model:

        async def ask(number: int) -> None:
            found = await model((Message(role="user", content=f"call {number}"),), Asking(seconds=60))
            said[number] = found.samples[0].text

        async with anyio.create_task_group() as group:
            for number in range(200):
                group.start_soon(ask, number)
    assert said == {number: f"CALL {number}" for number in range(200)}
    assert endpoint.most == 16


async def test_nothing_is_left_open_when_it_is_closed(endpoint: Endpoint):
    before = len(os.listdir("/proc/self/fd"))
    async with model_of(endpoint) as model:

        async def ask() -> None:
            await model(PROMPT, Asking())

        async with anyio.create_task_group() as group:
            for _ in range(30):
                group.start_soon(ask)
    with anyio.fail_after(10):
        # The other end of each connection is in this process too, and closes a moment later.
        while len(os.listdir("/proc/self/fd")) > before:
            await anyio.lowlevel.checkpoint()


async def test_a_call_that_is_cancelled_closes_its_request(endpoint: Endpoint):
    endpoint.says(Reply(hang=True, silent=True))
    async with model_of(endpoint) as model:
        async with anyio.create_task_group() as group:
            group.start_soon(model, PROMPT, Asking())
            assert await anyio.to_thread.run_sync(endpoint.arrived.wait, 10)
            group.cancel_scope.cancel()
        assert await anyio.to_thread.run_sync(endpoint.left.wait, 10)
        endpoint.says(chat("still there"))
        assert (await model(PROMPT, Asking())).samples[0].text == "still there"


async def test_an_answer_that_hangs_in_its_middle_ends_at_the_deadline(endpoint: Endpoint):
    async with model_of(endpoint) as model:
        await model(PROMPT, Asking())
        endpoint.arrived.clear()
        endpoint.says(Reply(body={"choices": []}, hang=True))
        with pytest.raises(ModelTimeout, match=r"did not answer within 0\.25 seconds"):
            await model(PROMPT, Asking(seconds=0.25))
        # On a machine that is very busy, the deadline comes before the request has left.
        assert not endpoint.arrived.is_set() or await anyio.to_thread.run_sync(endpoint.left.wait, 10)


async def test_waiting_for_a_free_connection_counts_too(endpoint: Endpoint):
    endpoint.says(Reply(hang=True, silent=True))
    async with model_of(endpoint, connections=1) as model, anyio.create_task_group() as group:
        group.start_soon(model, PROMPT, Asking())
        assert await anyio.to_thread.run_sync(endpoint.arrived.wait, 10)
        with pytest.raises(ModelTimeout):
            await model(PROMPT, Asking(seconds=0.05))
        group.cancel_scope.cancel()
    assert len(endpoint.asked) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_a_passing_failure_is_asked_again(endpoint: Endpoint, status: int):
    endpoint.says(refusal("busy", status), refusal("busy", status), chat("done"))
    async with model_of(endpoint) as model:
        assert (await model(PROMPT, Asking())).samples[0].text == "done"
    assert len(endpoint.asked) == 3


@pytest.mark.parametrize(
    "reply", [Reply(silent=True), Reply(body={"choices": [1, 2, 3]}, cut=True)], ids=["at once", "half"]
)
async def test_a_connection_that_breaks_is_tried_again(endpoint: Endpoint, reply: Reply):
    endpoint.says(reply, reply, chat("done"))
    async with model_of(endpoint) as model:
        assert (await model(PROMPT, Asking())).samples[0].text == "done"


async def test_a_failure_that_does_not_pass_is_given_up(endpoint: Endpoint):
    endpoint.says(refusal("the engine is dead", 500))
    async with model_of(endpoint, retries=2) as model:
        with pytest.raises(ModelUnreachable, match=r"answers with 500.*the engine is dead"):
            await model(PROMPT, Asking())
    assert len(endpoint.asked) == 3


async def test_a_refusal_is_not_asked_again(endpoint: Endpoint):
    endpoint.says(refusal("no, because I say so", 400))
    async with model_of(endpoint) as model:
        with pytest.raises(ModelError, match="400: no, because I say so"):
            await model(PROMPT, Asking())
    assert len(endpoint.asked) == 1


async def test_the_endpoint_says_how_long_to_wait(endpoint: Endpoint):
    endpoint.says(Reply(status=429, body={}, headers={"retry-after": "0"}), chat("done"))
    # The pause of our own would be an hour.
    async with model_of(endpoint, pause=7200.0) as model:
        assert (await model(PROMPT, Asking())).samples[0].text == "done"


async def test_nothing_is_waited_for_that_comes_after_the_deadline(endpoint: Endpoint):
    endpoint.says(
        Reply(status=429, body={"error": {"message": "slow down"}}, headers={"retry-after": "3600"}), chat("late")
    )
    async with model_of(endpoint) as model:
        with pytest.raises(ModelUnreachable, match=r"429.*slow down.*wait 3600 seconds"):
            await model(PROMPT, Asking(seconds=60))
    assert len(endpoint.asked) == 1


async def test_a_model_works_in_one_event_loop_after_another(endpoint: Endpoint, anyio_backend: str):
    model = model_of(endpoint)
    assert (await model(PROMPT, Asking())).samples[0].text == "hello"

    async def elsewhere() -> str:
        async with model:
            return (await model(PROMPT, Asking())).samples[0].text

    def run() -> str:
        return anyio.run(elsewhere, backend=anyio_backend)

    assert await anyio.to_thread.run_sync(run) == "hello"
    assert (await model(PROMPT, Asking())).samples[0].text == "hello"
    await model.aclose()


async def test_a_closed_model_opens_again_when_it_is_asked(endpoint: Endpoint):
    model = model_of(endpoint)
    await model(PROMPT, Asking())
    await model.aclose()
    await model.aclose()
    async with model:
        assert (await model(PROMPT, Asking())).samples


async def test_a_stream_gives_the_text_as_it_comes(endpoint: Endpoint):
    endpoint.says(pieces("one ", "two ", "three"))
    async with model_of(endpoint) as model, model.stream(PROMPT, Asking()) as stream:
        assert [piece async for piece in stream] == ["one ", "two ", "three"]
        assert stream.sample is not None
        assert (stream.sample.text, stream.sample.ended) == ("one two three", "stop")
        assert stream.usage is not None
        assert stream.usage.counted == "estimate"
    assert endpoint.asked[0]["stream"] is True


async def test_half_a_stream_is_no_answer(endpoint: Endpoint):
    for reply in (
        pieces("one ", done=False),
        Reply(events=pieces("one ").events[:1], kind="text/event-stream", cut=True),
    ):
        endpoint.says(reply)
        async with model_of(endpoint) as model:
            seen: list[str] = []
            with pytest.raises(ModelUnreachable, match=r"connection .* broke"):
                await poured(model, Asking(), seen)
            assert seen == ["one "]


async def test_leaving_a_stream_closes_its_request(endpoint: Endpoint):
    endpoint.says(Reply(events=pieces("one ", "two ").events[:2], kind="text/event-stream", hang=True))
    async with model_of(endpoint) as model:
        async with model.stream(PROMPT, Asking()) as stream:
            async for _ in stream:
                break
        assert await anyio.to_thread.run_sync(endpoint.left.wait, 10)


async def test_a_stream_ends_at_its_deadline(endpoint: Endpoint):
    async with model_of(endpoint) as model:
        await model(PROMPT, Asking())
        endpoint.arrived.clear()
        endpoint.says(Reply(events=pieces("one ", "two ").events[:2], kind="text/event-stream", hang=True))
        seen: list[str] = []
        with pytest.raises(ModelTimeout):
            await poured(model, Asking(seconds=0.5), seen)
        assert seen == ["one ", "two "][: len(seen)]
        assert not endpoint.arrived.is_set() or await anyio.to_thread.run_sync(endpoint.left.wait, 10)


async def test_what_goes_wrong_in_the_block_of_a_stream_stays_what_it_is(endpoint: Endpoint):
    endpoint.says(pieces("one"))
    async with model_of(endpoint) as model:
        with pytest.raises(ZeroDivisionError):
            async with model.stream(PROMPT, Asking()):
                raise ZeroDivisionError


async def test_an_endpoint_that_does_not_stream_answers_at_once(endpoint: Endpoint):
    endpoint.says(chat("all of it"))
    async with model_of(endpoint) as model, model.stream(PROMPT, Asking()) as stream:
        assert [piece async for piece in stream] == ["all of it"]

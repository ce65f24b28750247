from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp_kept import FILES

from lookahead.errors import ModelError, ModelRefused, ModelTimeout, ModelUnreachable
from lookahead.types import Asking, Message
from lookahead.wrap import options_of
from lookahead_integrations.mcp.actions import ORIGIN
from lookahead_integrations.mcp.exchange import Question, RpcError
from lookahead_integrations.mcp.modes.simulate import Simulation, simulate
from lookahead_integrations.mcp.sampling import METHOD, ClientModel, busy, on_behalf_of
from lookahead_integrations.mcp.testing import ScriptedClient, ScriptedService

pytestmark = pytest.mark.anyio
MESSAGES = (Message(role="system", content="Be a world."), Message(role="user", content="What happens?"))


def spoken(text: str, **fields: Any) -> dict[str, Any]:
    return {"role": "assistant", "model": "poet-1", "content": {"type": "text", "text": text}, **fields}


def foretold(text: str) -> dict[str, Any]:
    """As a world model answers."""
    return spoken(f"<predicted_observation>\n{text}\n</predicted_observation>")


async def test_the_clients_model_is_asked_as_any_model_is() -> None:
    client = ScriptedClient(answers={METHOD: spoken("It rains.")})
    with on_behalf_of(client.use("any")):
        completion = await ClientModel()(MESSAGES, Asking(temperature=0.5, max_tokens=77, stop=("END",)))
    assert [sample.text for sample in completion.samples] == ["It rains."]
    assert (completion.model, completion.cost.calls, completion.usage.counted) == ("poet-1", 1, "estimate")
    params = client.asked[0].params
    assert params["messages"] == [{"role": "user", "content": {"type": "text", "text": "What happens?"}}]
    assert (params["systemPrompt"], params["maxTokens"], params["temperature"]) == ("Be a world.", 77, 0.5)
    assert (params["stopSequences"], params["includeContext"]) == (["END"], "none")
    assert "tools" not in params


async def test_several_samples_are_asked_for_together() -> None:
    client = ScriptedClient(answers={METHOD: [spoken("one"), spoken("two")]})
    completion = await ClientModel(client.use("any"))(MESSAGES, Asking(n=2))
    assert [sample.text for sample in completion.samples] == ["one", "two"]


async def test_thoughts_and_limits_are_told_apart_from_the_answer() -> None:
    client = ScriptedClient(answers={METHOD: spoken("<think>hm</think>yes", stopReason="maxTokens")})
    (sample,) = (await ClientModel(client.use("any"))(MESSAGES, Asking())).samples
    assert (sample.text, sample.thought, sample.ended) == ("yes", "hm", "length")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (RpcError(-1, "User rejected sampling request"), ModelRefused),
        (RpcError(-32603, "broken"), ModelError),
        ({}, ModelRefused),
        ({"role": "assistant", "content": {"type": "image", "data": ""}}, ModelRefused),
    ],
)
async def test_a_client_that_does_not_answer_is_an_error_with_a_name(answer: Any, error: type[Exception]) -> None:
    client = ScriptedClient(answers={METHOD: answer})
    with pytest.raises(error):
        await ClientModel(client.use("any"))(MESSAGES, Asking())
    assert not busy(client)


async def test_nobody_waits_beyond_the_deadline() -> None:
    async def never(question: Question) -> dict[str, Any]:
        await anyio.sleep_forever()
        raise AssertionError

    client = ScriptedClient(answers={METHOD: never})
    with pytest.raises(ModelTimeout):
        await ClientModel(client.use("any"))(MESSAGES, Asking(seconds=0.02))


async def test_a_client_that_offers_nothing_is_not_asked() -> None:
    client = ScriptedClient()
    with pytest.raises(ModelUnreachable, match="--world"):
        await ClientModel(client.use("any"))(MESSAGES, Asking())
    with pytest.raises(ModelUnreachable):
        await ClientModel()(MESSAGES, Asking())


async def test_what_is_imagined_while_the_model_is_asked_does_not_ask_it_again() -> None:
    model = ClientModel()

    async def ask_again(question: Question) -> dict[str, Any]:
        with pytest.raises(ModelError, match="already"):
            await model(MESSAGES, Asking())
        return spoken("once")

    client = ScriptedClient(answers={METHOD: ask_again})
    with on_behalf_of(client.use("any")):
        assert (await model(MESSAGES, Asking())).samples[0].text == "once"
    assert len(client.asked) == 1


def simulation(tmp_path: Path, **options: Any) -> Simulation:
    session = options_of(mode="dry-run", world="none", journal=str(tmp_path / "journal.db")).open(())
    return simulate(ScriptedService(tools=FILES), session=session, **options)


@pytest.mark.parametrize("version", ["2025-06-18", "2026-07-28"])
async def test_the_clients_model_imagines_where_no_world_is_configured(tmp_path: Path, version: str) -> None:
    client = ScriptedClient(version=version, answers={METHOD: foretold("Allowed directories:\n/home/ada")})
    service = simulation(tmp_path)
    result = await service(client.use("list_allowed_directories"))
    assert result["content"][0]["text"] == "Allowed directories:\n/home/ada"
    assert result["_meta"][ORIGIN] == {"kind": "model", "world": "client:scripted#poet-1", "imagined": True}


async def test_the_clients_model_is_not_asked_for_what_was_written(tmp_path: Path) -> None:
    client = ScriptedClient(answers={METHOD: foretold("Successfully wrote to /a")})
    service = simulation(tmp_path)
    await service(client.use("write_file", path="/a", content="x"))
    assert len(client.asked) == 1
    assert (await service(client.use("read_file", path="/a")))["content"][0]["text"] == "x"
    assert len(client.asked) == 1


async def test_with_sampling_off_the_client_is_never_asked(tmp_path: Path) -> None:
    client = ScriptedClient(answers={METHOD: spoken("x")})
    result = await simulation(tmp_path, sampling=False)(client.use("list_allowed_directories"))
    assert result["isError"] is True
    assert client.asked == []


async def test_a_call_that_the_model_makes_itself_is_answered_while_it_is_asked(tmp_path: Path) -> None:
    service = simulation(tmp_path)
    inner: list[Any] = []

    async def answer(question: Question) -> dict[str, Any]:
        if not inner:
            inner.append(None)
            with anyio.fail_after(5):
                inner[0] = await service(client.use("create_directory", path="/inner"))
        return foretold("done")

    client = ScriptedClient(answers={METHOD: answer})
    with anyio.fail_after(10):
        result = await service(client.use("create_directory", path="/outer"))
    assert "isError" not in result
    assert inner[0]["content"][0]["text"] != ""


async def test_a_cancelled_call_ends_the_question(tmp_path: Path) -> None:
    asked, ended = anyio.Event(), anyio.Event()

    async def never(question: Question) -> dict[str, Any]:
        asked.set()
        try:
            await anyio.sleep_forever()
        finally:
            ended.set()
        raise AssertionError

    client = ScriptedClient(answers={METHOD: never})
    service = simulation(tmp_path)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(service, client.use("list_allowed_directories"))
        await asked.wait()
        tasks.cancel_scope.cancel()
    assert ended.is_set()
    assert not busy(client)

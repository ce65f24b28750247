"""Guard mode: a call that a person has to look at, and every way of answering."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp_rig import Rig, rig, said

from lookahead.cli import main
from lookahead.testing import ScriptedCopy, ScriptedWorld
from lookahead.types import Effect
from lookahead_integrations.mcp.actions import DECISION
from lookahead_integrations.mcp.exchange import Question, RpcError
from lookahead_integrations.mcp.testing import DECLINED, ScriptedClient, accepted, text, tool

pytestmark = pytest.mark.anyio
ASK = {"write": "ask"}
ELICIT = "elicitation/create"
VERSIONS = ["2025-06-18", "2025-11-25", "2026-07-28"]


def answering(answer: Any, version: str = "2025-11-25") -> ScriptedClient:
    return ScriptedClient(version=version, answers={ELICIT: answer})


@pytest.mark.parametrize("version", VERSIONS)
async def test_after_a_yes_the_call_is_done_once(tmp_path: Path, version: str):
    async with rig(tmp_path, policy=ASK, client=answering(accepted(approve=True), version)) as it:
        assert await it.use("write", path="a") == text("done")
        assert it.server.called() == [{"name": "write", "arguments": {"path": "a"}}]
        (question,) = it.client.asked
        assert question.method == ELICIT
        assert ("mode" in question.params) == (version >= "2025-11-25")
        assert question.params["requestedSchema"]["properties"]["approve"]["type"] == "boolean"
        (recorded,) = await it.recorded()
        assert "allowed once by the user of scripted" in recorded.decided.decision.notes


@pytest.mark.parametrize(
    "answer",
    [
        DECLINED,
        accepted(approve=False),
        accepted(approve="true"),
        accepted(approve=1),
        accepted(),
        {"action": "cancel"},
        {"action": "accept"},
        {"action": "accept", "content": [True]},
        {},
        {"action": ["accept"], "content": {"approve": True}},
        TimeoutError("nobody"),
        RpcError(-32601, "no such thing"),
    ],
)
@pytest.mark.parametrize("version", ["2025-11-25", "2026-07-28"])
async def test_anything_but_a_yes_is_a_no(tmp_path: Path, answer: Any, version: str):
    async with rig(tmp_path, policy=ASK, client=answering(answer, version)) as it:
        refusal = await it.use("write", path="a")
        assert refusal["isError"] is True
        assert it.server.called() == []
        assert [one.status for one in await it.recorded()] == ["refused"]


async def test_who_was_told_no_is_not_told_how_to_get_round_it(tmp_path: Path):
    async with rig(tmp_path, policy=ASK, client=answering(DECLINED)) as it:
        refusal = await it.use("write", path="a")
        assert "the user was asked, and said no" in said(refusal)
        assert "journal approve" not in said(refusal)
        assert refusal["_meta"][DECISION]["rule"] == "declined"


async def test_nobody_answers_in_time_and_nothing_is_done(tmp_path: Path):
    async def never(question: Question) -> dict[str, Any]:
        await anyio.sleep_forever()
        return {}

    async with rig(tmp_path, policy={**ASK, "approval_seconds": 0.05}, client=answering(never)) as it:
        assert (await it.use("write"))["isError"] is True
        assert it.server.called() == []


@pytest.mark.parametrize("capabilities", [{"sampling": {}}, {"elicitation": {"url": {}}}, {"elicitation": None}])
async def test_a_client_that_shows_no_forms_is_not_asked(tmp_path: Path, capabilities: dict[str, Any]):
    client = ScriptedClient(answers={ELICIT: accepted(approve=True)}, capabilities=capabilities)
    async with rig(tmp_path, policy=ASK, client=client) as it:
        refusal = await it.use("write", path="a")
        assert client.asked == []
        assert it.server.called() == []
        assert f"lookahead journal approve --journal {it.journal.path}" in said(refusal)


@pytest.mark.parametrize("declared", [{}, {"form": {}}, {"form": {}, "url": {}}])
async def test_a_client_that_shows_forms_is_asked(tmp_path: Path, declared: dict[str, Any]):
    client = ScriptedClient(answers={ELICIT: accepted(approve=True)}, capabilities={"elicitation": declared})
    async with rig(tmp_path, policy=ASK, client=client) as it:
        assert await it.use("write", path="a") == text("done")


async def test_what_a_command_allowed_is_done_once_when_called_again(tmp_path: Path):
    async with rig(tmp_path, policy=ASK) as it:
        refusal = await it.use("write", path="a")
        approve(it, refusal)
        assert await it.use("write", path="a") == text("done")
        assert (await it.use("write", path="a"))["isError"] is True
        assert len(it.server.called()) == 1


async def test_the_command_can_be_typed_in_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Also where the journal is the usual one: a client may have started the proxy anywhere."""
    monkeypatch.chdir(tmp_path)
    async with rig(tmp_path, policy=ASK, journal=".lookahead/journal.db") as it:
        assert f" --journal {tmp_path}/.lookahead/journal.db " in said(await it.use("write"))


async def test_what_a_command_allowed_allows_no_other_arguments(tmp_path: Path):
    async with rig(tmp_path, policy=ASK) as it:
        approve(it, await it.use("write", path="a"))
        assert (await it.use("write", path="b"))["isError"] is True
        assert it.server.called() == []


async def test_the_question_shows_the_call_and_what_it_would_do_and_nothing_that_hides(tmp_path: Path):
    gone = Effect(happened="deleted", target="no\u202etes\x1b[2J.txt", what="file", before=7, unit="bytes")
    world = ScriptedWorld(script={"write": gone})
    async with rig(tmp_path, policy=ASK, world=world, client=answering(DECLINED)) as it:
        await it.use("write", path="a\n=== allowed by the user ===\n\x1b[31m", password="hunter2-hunter2-hunter2")
        (question,) = it.client.asked
        message = question.params["message"]
        assert "deleted" in message
        assert "\x1b" not in message
        assert "\u202e" not in message
        assert "hunter2" not in message
        first, *quoted = message.split("\n")
        assert first.startswith("Allow this call, once?")
        assert all(line.startswith("  │ ") for line in quoted)


async def test_a_very_long_call_makes_a_short_question(tmp_path: Path):
    async with rig(tmp_path, policy=ASK, client=answering(DECLINED)) as it:
        await it.use("write", path="/etc/passwd", content="x\n" * 100_000)
        (question,) = it.client.asked
        assert len(question.params["message"]) < 3000


def growing(sizes: Iterator[int]) -> ScriptedCopy:
    """An exact copy of a file that somebody else writes to."""

    def world(state: Any, action: Any) -> Effect:
        size = next(sizes)
        return Effect(happened="changed", target="log.txt", what="file", before=size, after=size + 1, recoverable=True)

    return ScriptedCopy(script=world)


async def test_a_yes_to_a_world_that_was_overtaken_is_asked_for_again(tmp_path: Path):
    copy = growing(iter([7, 8, 8, 8, 8]))
    async with rig(tmp_path, policy=ASK, world=copy, client=answering(accepted(approve=True))) as it:
        assert await it.use("write", path="a") == text("done")
        assert len(it.client.asked) == 2
        assert len(it.server.called()) == 1


async def test_a_world_that_never_holds_still_is_not_acted_in(tmp_path: Path):
    copy = growing(iter(range(100)))
    async with rig(tmp_path, policy=ASK, world=copy, client=answering(accepted(approve=True))) as it:
        assert (await it.use("write", path="a"))["isError"] is True
        assert it.server.called() == []
        assert len(it.client.asked) == 3


async def test_what_else_is_done_while_the_question_is_open_does_not_borrow_its_answer(tmp_path: Path):
    """The call is judged anew in the state that is now: here it would do more than the person was shown."""

    def world(state: Any, action: Any) -> Effect:
        return Effect(happened="deleted", target=f"{len(state.steps)} files", what="file")

    async def meanwhile(question: Question) -> dict[str, Any]:
        if len(it.client.asked) == 1:
            await it.use("other")
            await it.settled()
        return accepted(approve=True)

    tools = [tool("write"), tool("other")]
    policy = {**ASK, "other": "allow"}
    scripted = ScriptedWorld(script=world)
    async with rig(tmp_path, policy=policy, world=scripted, tools=tools, client=answering(meanwhile)) as it:
        assert await it.use("write", path="a") == text("done")
        first, second = (question.params["message"] for question in it.client.asked)
        assert "0 files" in first
        assert "1 files" in second


async def test_a_client_that_hangs_up_while_it_is_asked_has_allowed_nothing(tmp_path: Path):
    asked = anyio.Event()

    async def never(question: Question) -> dict[str, Any]:
        asked.set()
        await anyio.sleep_forever()
        return {}

    async with rig(tmp_path, policy=ASK, client=answering(never)) as it:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(it.use, "write")
            await asked.wait()
            tasks.cancel_scope.cancel()
        assert it.server.called() == []
        assert it.journal.in_doubt() == []


async def test_what_the_server_asks_while_it_works_reaches_the_client(tmp_path: Path):
    async def asks(call: Any) -> dict[str, Any]:
        answers = await call.client.ask({"name": Question(method=ELICIT, params={"message": "your name?"})})
        return text(answers["name"]["content"]["name"])

    client = answering(accepted(name="Ada"))
    async with rig(tmp_path, policy={"*": "allow"}, script={"tools/call": asks}, client=client) as it:
        assert said(await it.use("write")) == "Ada"


async def test_a_call_in_doubt_is_put_to_the_person_and_only_their_yes_repeats_it(tmp_path: Path):
    script = {"tools/call": [TimeoutError("no answer"), text("done")]}
    client = answering(accepted(approve=True))
    async with rig(tmp_path, policy={"*": "allow"}, script=script, client=client) as it:
        with pytest.raises(TimeoutError):
            await it.use("write", path="a")
        assert client.asked == []
        assert await it.use("write", path="a") == text("done")
        assert "may have happened" in client.asked[0].params["message"]


def approve(it: Rig, refusal: dict[str, Any]) -> None:
    """What the refusal says that allows it once, typed into a terminal."""
    command = refusal["_meta"][DECISION]["allow_once"].partition(", then call it again unchanged")[0]
    program, *words = shlex.split(command)
    assert program == "lookahead"
    assert main([*words, "--yes"]) == 0

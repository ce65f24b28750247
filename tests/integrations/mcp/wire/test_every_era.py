"""Clients and servers of the official SDK, of each era, with the proxy between them: one long conversation a pair."""

import contextlib

import anyio
import pytest
from mcp import Client, MCPError
from mcp_through import ERAS, SERVERS, Person, client, serving, text, through

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")]
LEVEL = {"io.modelcontextprotocol/logLevel": "info"}
UPDATED, CHANGED = "notifications/resources/updated", "notifications/tools/list_changed"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("era", ERAS)
async def test_every_client_gets_everything_from_every_server(server: str, era: str, tmp_path: object) -> None:
    person = Person()
    async with client(through(serving(server)), ERAS[era], **person.offered) as mcp:
        assert mcp.protocol_version == {"2025 client": "2025-11-25", "2026 client": "2026-07-28"}[era]
        assert mcp.server_info is not None
        assert (mcp.server_info.name, mcp.server_info.version) == ("asking", "7")
        assert mcp.instructions == "Ask, and you shall be asked."
        await calls_are_answered(mcp, person)
        await a_call_that_is_given_up_is_given_up_by_the_server(mcp, anyio.Path(str(tmp_path)) / "mark")
        await what_is_answered_to_a_question_reaches_the_server(mcp, person)
        await questions_and_calls_at_once_find_their_way(mcp, person)
        await log_lines_reach_who_asked_for_them(mcp, person)
        await changes_reach_who_listens(mcp, person)


@pytest.mark.parametrize(("server", "era"), [("2025", "2026 client"), ("2026", "2025 client")])
async def test_a_client_that_offers_nothing_is_not_asked(server: str, era: str) -> None:
    async with client(through(serving(server)), ERAS[era]) as mcp:
        with contextlib.suppress(MCPError):
            assert (await mcp.call_tool("paint", {"thing": "door"})).is_error
        assert text(await mcp.call_tool("echo", {"text": "after"})) == "after"


async def calls_are_answered(mcp: Client, person: Person) -> None:
    steps: list[float] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        steps.append(done)

    assert "echo" in [tool.name for tool in (await mcp.list_tools()).tools]
    assert text(await mcp.call_tool("echo", {"text": "\u2028 ü \U0001f600"})) == "\u2028 ü \U0001f600"
    assert text(await mcp.call_tool("paint", {"thing": "door"})) == "The door is blue."
    assert text(await mcp.call_tool("poem", {"about": "roses"})) == "poet: roses are red"
    assert text(await mcp.call_tool("places", {})) == "file:///here"
    assert text(await mcp.call_tool("count", {"to": 3}, progress_callback=progress)) == "counted to 3"
    assert (await mcp.read_resource("memo://one")).contents[0].text == "remember"  # type: ignore[union-attr]
    assert (await mcp.get_prompt("greet", {"name": "Ada"})).messages[0].content.text == "Greet Ada"  # type: ignore[union-attr]
    with pytest.raises(MCPError):
        await mcp.read_resource("memo://none")
    assert steps == [1, 2, 3]
    assert person.asked == ["Which colour, and are you sure?", "A verse about roses", "roots"]


async def a_call_that_is_given_up_is_given_up_by_the_server(mcp: Client, mark: anyio.Path) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(mcp.call_tool, "wait", {"mark": str(mark)})
        await says(mark, "began")
        tasks.cancel_scope.cancel()
    await says(mark, "given up")


async def what_is_answered_to_a_question_reaches_the_server(mcp: Client, person: Person) -> None:
    for action in ("decline", "cancel"):
        person.action = action
        assert (await mcp.call_tool("paint", {"thing": "door"})).is_error
    person.action = "accept"


async def questions_and_calls_at_once_find_their_way(mcp: Client, person: Person) -> None:
    echoes, painted = list[str](), list[str]()

    async def echo(number: int) -> None:
        echoes.append(text(await mcp.call_tool("echo", {"text": str(number)})))

    async def paint(number: int) -> None:
        painted.append(text(await mcp.call_tool("paint", {"thing": str(number)})))

    async with anyio.create_task_group() as tasks:
        for number in range(6):
            tasks.start_soon(echo, number)
            tasks.start_soon(paint, number)
    assert sorted(echoes) == [str(number) for number in range(6)]
    assert sorted(painted) == [f"The {number} is blue." for number in range(6)]


async def log_lines_reach_who_asked_for_them(mcp: Client, person: Person) -> None:
    older = mcp.protocol_version == "2025-11-25"
    if older:
        await mcp.set_logging_level("info")  # pyright: ignore[reportDeprecated]
    await mcp.call_tool("shout", {}, meta=None if older else LEVEL)  # type: ignore[arg-type]
    await mcp.call_tool("echo", {"text": "after"})
    assert person.logged == ["so it is"]


async def changes_reach_who_listens(mcp: Client, person: Person) -> None:
    if mcp.protocol_version == "2026-07-28":
        async with mcp.listen(tools_list_changed=True, resource_subscriptions=["memo://one"]) as events:
            await mcp.call_tool("touch", {"uri": "memo://one"})
            await mcp.call_tool("grow", {})
            heard = {type(await anext(events)).__name__ for _ in range(2)}
        assert heard == {"ResourceUpdated", "ToolsListChanged"}
        return
    await mcp.subscribe_resource("memo://one")  # pyright: ignore[reportDeprecated]
    with anyio.fail_after(20):
        while UPDATED not in person.told:
            # Whoever listens for this client has to have begun to.
            await mcp.call_tool("touch", {"uri": "memo://one"})
        await mcp.call_tool("grow", {})
        while CHANGED not in person.told:
            await mcp.call_tool("echo", {"text": "again"})
    await mcp.unsubscribe_resource("memo://one")  # pyright: ignore[reportDeprecated]


async def says(mark: anyio.Path, said: str) -> None:
    with anyio.fail_after(20):
        while not await mark.exists() or await mark.read_text() != said:  # noqa: ASYNC110
            await anyio.sleep(0.01)

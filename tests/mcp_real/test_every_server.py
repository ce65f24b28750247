"""Every server behind the proxy answers every client as it does without the proxy."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import mcp_types
import pytest
from doing import STEPS, all_of, said
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp_servers import SERVERS, lay_out, python_of

pytestmark = pytest.mark.anyio
HERE = Path(__file__).resolve().parent
ERAS = {"2025 client": "legacy", "2026 client": "auto"}
ASKING = {
    "asking, 2025": (str(python_of("sqlite")), str(HERE / "asking_server_2025.py")),
    "asking, 2026": (sys.executable, str(HERE / "asking_server.py"), "2026"),
    "asking, both": (sys.executable, str(HERE / "asking_server.py")),
}


class Person:
    """Behind the client: answers what it is asked, and remembers what that was."""

    def __init__(self, action: Any = "accept", content: Any = None) -> None:
        self.action, self.content = action, content or {"colour": "blue", "sure": True}
        self.asked: list[str] = []

    async def elicit(self, context: Any, params: Any) -> mcp_types.ElicitResult:
        self.asked.append(params.message)
        taken = self.action == "accept"
        return mcp_types.ElicitResult(action=self.action, content=self.content if taken else None)

    async def sample(self, context: Any, params: Any) -> mcp_types.CreateMessageResult:
        self.asked.append(params.messages[-1].content.text)
        said = mcp_types.TextContent(type="text", text="roses are red")
        return mcp_types.CreateMessageResult(role="assistant", model="poet", content=said)

    async def roots(self, context: Any) -> mcp_types.ListRootsResult:
        self.asked.append("roots")
        return mcp_types.ListRootsResult(roots=[mcp_types.Root(uri="file:///here")])

    @property
    def offered(self) -> dict[str, Any]:
        return {
            "elicitation_callback": self.elicit,
            "sampling_callback": self.sample,
            "list_roots_callback": self.roots,
        }


def through(command: tuple[str, ...], tmp_path: Path) -> tuple[str, ...]:
    """The proxy in front of it, in guard mode, allowed everything."""
    policy = tmp_path / "policy.json"
    policy.write_text('{"*": "allow"}')
    kept = ("--policy", str(policy), "--journal", str(tmp_path / "journal.db"))
    return (sys.executable, "-m", "lookahead", "proxy", "--mode", "guard", *kept, "--", *command)


@asynccontextmanager
async def connected(
    command: tuple[str, ...], mode: str, log: Path, env: dict[str, str] | None = None, **offered: Any
) -> AsyncIterator[Client]:
    with log.open("a") as heard:
        given = {key: value for key, value in os.environ.items() if not key.startswith("LOOKAHEAD_")}
        started = StdioServerParameters(command=command[0], args=list(command[1:]), env=given | (env or {}))
        target = stdio_client(started, errlog=heard)
        async with Client(target, mode=mode, cache=None, read_timeout_seconds=60, **offered) as client:
            yield client


@pytest.mark.cell("name", "era")
@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("name", STEPS)
async def test_a_server_answers_through_the_proxy_as_it_does_without_it(name: str, era: str, tmp_path: Path) -> None:
    server = SERVERS[name]
    found: dict[str, Any] = {}
    versions: dict[str, str | None] = {}
    for way in ("direct", "proxy"):
        data = lay_out(tmp_path / way / "data")
        command = tuple(server.command(data))
        if way == "proxy":
            command = through(command, tmp_path)
        async with connected(command, ERAS[era], tmp_path / f"{way}.log", server.environment(data)) as client:
            versions[way] = client.protocol_version
            found[way] = await all_of(name, client, data)
    newest = {"2025 client": versions["direct"], "2026 client": "2026-07-28"}
    assert versions["proxy"] == newest[era]
    assert found["proxy"].keys() == found["direct"].keys()
    for what, direct in found["direct"].items():
        assert found["proxy"][what] == direct, what


@pytest.mark.cell("name", "era")
@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("name", ASKING)
async def test_a_server_that_asks_reaches_the_person_and_the_model_behind_every_client(
    name: str, era: str, tmp_path: Path
) -> None:
    person = Person()
    async with connected(
        through(ASKING[name], tmp_path), ERAS[era], tmp_path / "proxy.log", **person.offered
    ) as client:
        painted = await client.call_tool("paint", {"thing": "door"})
        poem = await client.call_tool("poem", {"about": "roses"})
        places = await client.call_tool("places", {})
        plain = await client.call_tool("plain", {"thing": "box"})
    texts = [one.content[0].text for one in (painted, poem, places, plain)]  # type: ignore[union-attr]
    assert texts == ["The door is blue.", "poet: roses are red", "file:///here", "Here is the box."]
    assert person.asked == ["Which colour, and are you sure?", "A verse about roses", "roots"]


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("action", ["decline", "cancel"])
@pytest.mark.parametrize("name", ASKING)
async def test_a_person_who_does_not_answer_a_server_is_heard_by_it(
    name: str, action: str, era: str, tmp_path: Path
) -> None:
    person = Person(action)
    async with connected(
        through(ASKING[name], tmp_path), ERAS[era], tmp_path / "proxy.log", **person.offered
    ) as client:
        painted = await client.call_tool("paint", {"thing": "door"})
    assert painted.is_error
    assert person.asked == ["Which colour, and are you sure?"]


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("name", ASKING)
async def test_a_client_that_offers_nothing_is_not_asked(name: str, era: str, tmp_path: Path) -> None:
    async with connected(through(ASKING[name], tmp_path), ERAS[era], tmp_path / "proxy.log") as client:
        answer = await said(client.call_tool("paint", {"thing": "door"}))
        after = await client.call_tool("plain", {"thing": "box"})
    assert answer.get("isError") or answer.get("raised"), answer
    assert not after.is_error


@pytest.mark.cell("what", "era")
@pytest.mark.parametrize("what", ["everything, elicitation", "everything, sampling", "everything, roots"])
@pytest.mark.parametrize("era", ERAS)
async def test_what_server_everything_asks_reaches_every_client(what: str, era: str, tmp_path: Path) -> None:
    server, person = SERVERS["everything"], Person(content={"name": "Ada", "check": True})
    tool, given = {
        "everything, elicitation": ("trigger-elicitation-request", {}),
        "everything, sampling": ("trigger-sampling-request", {"prompt": "roses", "maxTokens": 20}),
        "everything, roots": ("get-roots-list", {}),
    }[what]
    command = through(tuple(server.command(tmp_path)), tmp_path)
    async with connected(command, ERAS[era], tmp_path / "proxy.log", **person.offered) as client:
        await client.list_tools()
        answer = await client.call_tool(tool, given)
    assert not answer.is_error
    told = str(answer.content)
    assert {"elicitation": "Ada", "sampling": "roses are red", "roots": "file:///here"}[what.split(", ")[1]] in told
    assert person.asked

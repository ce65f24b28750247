"""Guard mode where nobody configured a world: the client's own model, if the client offers it."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from lookahead import Journal
from lookahead.journal import Call
from lookahead_integrations.mcp.exchange import RpcError
from lookahead_integrations.mcp.modes import guard
from lookahead_integrations.mcp.settings import ProxySettings
from lookahead_integrations.mcp.testing import ScriptedClient, ScriptedService, text, tool

pytestmark = pytest.mark.anyio
SAMPLING = "sampling/createMessage"


def message(said: str) -> dict[str, Any]:
    return {"role": "assistant", "model": "their-model", "content": {"type": "text", "text": said}}


async def used(tmp_path: Path, client: ScriptedClient, policy: Any = None, **more: Any) -> tuple[dict[str, Any], Call]:
    """One call in guard mode: its answer, and what is on record of it."""
    server = ScriptedService(script={"tools/call": text("written")}, tools=[tool("write")])
    journal = str(tmp_path / "journal.db")
    settings = ProxySettings(command=("server",), journal=journal, policy=policy or {}, **more)
    async with AsyncExitStack() as stack:
        service = guard.layer(server, settings=settings, stack=stack)
        answer = await service(client.use("write", path="a"))
    with Journal(journal) as kept:
        (call,) = kept.calls()
    return answer, call


@pytest.mark.parametrize("version", ["2025-11-25", "2026-07-28"])
async def test_it_imagines_what_the_call_would_do(tmp_path: Path, version: str):
    said = message("<predicted_observation>written</predicted_observation>")
    client = ScriptedClient(version=version, answers={SAMPLING: said})
    answer, call = await used(tmp_path, client)
    assert answer == text("written")
    assert {one.method for one in client.asked} == {SAMPLING}
    (step,) = call.decided.decision.considered[0].rollout.steps
    assert step.observation.content == "written"
    assert step.observation.origin.kind == "model"
    assert call.resulted is not None
    assert call.resulted.agreement is not None
    assert call.resulted.agreement.agreed


@pytest.mark.parametrize("said", [RpcError(-1, "User rejected sampling request"), TimeoutError("nobody"), {}])
async def test_that_it_does_not_answer_holds_no_call_back(tmp_path: Path, said: Any):
    client = ScriptedClient(answers={SAMPLING: said})
    answer, call = await used(tmp_path, client)
    assert answer == text("written")
    assert call.decided.decision.choice == "run"


async def test_a_client_that_does_not_offer_it_is_not_asked(tmp_path: Path):
    client = ScriptedClient()
    answer, _ = await used(tmp_path, client)
    assert answer == text("written")
    assert client.asked == []


@pytest.mark.parametrize(
    "more", [{"sampling": False}, {"policy": {"write": "allow"}}, {"policy": {"write": {"effect": "reads"}}}]
)
async def test_it_is_not_asked_where_that_is_forbidden_or_of_no_use(tmp_path: Path, more: dict[str, Any]):
    client = ScriptedClient(answers={SAMPLING: message("written")})
    answer, _ = await used(tmp_path, client, **more)
    assert answer == text("written")
    assert client.asked == []

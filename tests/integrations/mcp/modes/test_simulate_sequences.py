"""What is read is what was written: sequences made from seeds, in which an independent model says what is right."""

from pathlib import Path
from typing import Any

import pytest
from mcp_sequences import Sequence

from lookahead.wrap import options_of
from lookahead_integrations.mcp.modes.simulate import simulate
from lookahead_integrations.mcp.testing import ScriptedClient, ScriptedService

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("block", range(10))
async def test_500_sequences_of_writes_and_reads_are_consistent_and_none_reaches_a_server(
    tmp_path: Path, block: int
) -> None:
    wrong: list[str] = []
    forwarded = 0
    with options_of(mode="dry-run", world="none", journal=":memory:").open(()).journal as journal:
        for seed in range(block * 50, block * 50 + 50):
            sequence = Sequence(seed)
            server = ScriptedService(tools=sequence.tools)
            session = options_of(mode="dry-run", world="none", journal=journal).open(())
            service = simulate(server, session=session, world=sequence.world)
            client = ScriptedClient(version="2025-11-25" if seed % 2 else "2026-07-28")

            async def use(name: str, arguments: dict[str, Any], service: Any = service, client: Any = client) -> Any:
                result = await service(client.use(name, **arguments))
                return result["content"][0]["text"], result.get("isError", False)

            wrong += await sequence.run(use)
            forwarded += len(server.called())
    assert wrong == []
    assert forwarded == 0

"""What smolagents lets a line do."""

from typing import Final

from lookahead.host import Host

HOST: Final = Host(
    name="smolagents",
    package="smolagents",
    tested="1.26.0",
    extra="smolagents",
    point="tool proxies; the executor of a code agent; process_tool_calls",
    root="smolagents",
    kinds=("MultiStepAgent",),
    load="lookahead_integrations.smolagents.wrap:wrap",
    cannot={
        "resume": "smolagents has no way to stop at a question and go on after a restart; "
        "give approve=, or be asked on the terminal: the agent waits for the answer",
        "async": "smolagents runs its agents in the calling thread; "
        "from async code: await anyio.to_thread.run_sync(agent.run, task)",
    },
)

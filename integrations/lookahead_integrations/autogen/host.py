"""What AutoGen lets a line do."""

from typing import Final

from lookahead.host import Host

HOST: Final = Host(
    name="AutoGen",
    package="autogen-agentchat",
    tested="0.7.5",
    extra="autogen",
    point="the workbench of each assistant, and its model client",
    root="autogen_agentchat",
    kinds=("AssistantAgent", "BaseGroupChat", "SocietyOfMindAgent", "MessageFilterAgent", "CodeExecutorAgent"),
    load="lookahead_integrations.autogen.wrap:wrap",
    cannot={
        "resume": "AutoGen has no way to stop at a call and go on with it after a restart; "
        "give approve=, or be asked on the terminal: the agent waits for the answer",
        "sync": "AutoGen runs its agents asynchronously only; from sync code: asyncio.run(agent.run(task=task))",
    },
)

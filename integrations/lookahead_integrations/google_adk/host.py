"""What the Google ADK lets a line do."""

from typing import Final

from lookahead.host import Host

HOST: Final = Host(
    name="Google ADK",
    package="google-adk",
    tested="2.13.0",
    extra="google-adk",
    point="run_async of each tool, innermost of all callbacks and plugins",
    root="google",
    kinds=("LlmAgent", "SequentialAgent", "ParallelAgent", "LoopAgent"),
    load="lookahead_integrations.google_adk.wrap:wrap",
)

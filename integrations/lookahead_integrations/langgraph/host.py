"""What LangChain and LangGraph agents let a line do."""

from lookahead.host import Host

HOST = Host(
    name="LangChain and LangGraph",
    package="langgraph",
    tested="1.2.22",
    extra="langgraph",
    point="every ToolNode of the compiled graph, its subgraphs and nested agents; a guard stops all other tool calls",
    root="langgraph",
    kinds=("Pregel", "CompiledStateGraph"),
    load="lookahead_integrations.langgraph.graph:wrap",
)

__all__ = ["HOST"]

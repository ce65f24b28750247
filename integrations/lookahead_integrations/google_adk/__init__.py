"""Google ADK: agents, their sub-agents, and agents that serve as tools."""

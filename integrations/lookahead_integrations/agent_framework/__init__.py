"""Microsoft Agent Framework: agents with a chat client, and the agents that serve them as tools."""

"""The proxy in front of any MCP server: simulate, guard, shadow, record or replay what a client asks of it."""

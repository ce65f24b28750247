"""The configuration files in which MCP clients name their servers: read, wrapped, unwrapped and looked at."""

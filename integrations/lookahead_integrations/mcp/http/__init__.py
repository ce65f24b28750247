"""MCP over HTTP: the endpoint that clients connect to, and upstreams at a URL."""

"""Tools behind the Model Context Protocol: a call by name, and the server's answer as it sent it."""

from lookahead.domains.base import Domain
from lookahead.domains.generic import meaning

MCP = Domain(name="mcp", meaning=meaning)

"""One endpoint for several servers, each behind its name."""

from lookahead_integrations.mcp.many.service import Many, many

__all__ = ["Many", "many"]

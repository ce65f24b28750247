"""Read after write: an imagined world in which what was written is there, exactly, and what was deleted is not."""

from lookahead_integrations.mcp.overlay.environment import Overlaid

__all__ = ["Overlaid"]

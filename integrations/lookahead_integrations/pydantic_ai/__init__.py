"""Pydantic AI: an agent whose every function tool goes through the line, whichever toolset it comes from."""

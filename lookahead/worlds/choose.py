"""Which world to ask: an environment, a name, or whatever exact copy can be had here."""

from collections.abc import Mapping
from typing import Final, TypeAlias

from lookahead.errors import ConfigError
from lookahead.functions import ToolFunction
from lookahead.policy import Policy
from lookahead.types import Environment

World: TypeAlias = Environment | str | None

KNOWN: Final = 'an Environment, "auto", "none", "directory:PATH", "sqlite:PATH" or "postgresql://…"'

"""What Pydantic AI lets a line do."""

from dataclasses import dataclass
from typing import Final

from lookahead.host import Host


@dataclass(frozen=True, kw_only=True)
class _PydanticHost(Host):
    """Whatever has the SDK's one way to run: an agent, one that wraps another, one of the user's own class."""

    def accepts(self, agent: object, /) -> bool:
        return any(
            kind.__module__.startswith("pydantic_ai.agent") and kind.__name__ in self.kinds
            for kind in type(agent).__mro__
        )


HOST: Final = _PydanticHost(
    name="Pydantic AI",
    package="pydantic-ai-slim",
    tested="2.68.0",
    extra="pydantic-ai",
    point="a capability that every run is given: the innermost toolset; alternatives by the model of the very request",
    root="pydantic_ai",
    kinds=("AbstractAgent",),
    load="lookahead_integrations.pydantic_ai.wrap:wrap",
)

__all__ = ["HOST"]

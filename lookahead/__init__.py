"""See what an action would do before it does it."""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from lookahead.approval import Request as Request
    from lookahead.budget import Budget as Budget
    from lookahead.budget import Forecast as Forecast
    from lookahead.errors import LookaheadError as LookaheadError
    from lookahead.errors import Refused as Refused
    from lookahead.errors import Swapped as Swapped
    from lookahead.journal import Journal as Journal
    from lookahead.policy import Policy as Policy
    from lookahead.search import Beam as Beam
    from lookahead.search import BestOf as BestOf
    from lookahead.search import Preview as Preview
    from lookahead.search import Tree as Tree
    from lookahead.session import Session as Session
    from lookahead.types import Action as Action
    from lookahead.types import Critic as Critic
    from lookahead.types import Decision as Decision
    from lookahead.types import Effect as Effect
    from lookahead.types import Environment as Environment
    from lookahead.types import Hazard as Hazard
    from lookahead.types import Observation as Observation
    from lookahead.types import Origin as Origin
    from lookahead.types import Proposer as Proposer
    from lookahead.types import Rollout as Rollout
    from lookahead.types import State as State
    from lookahead.types import Step as Step
    from lookahead.types import Tool as Tool
    from lookahead.types import Verdict as Verdict
    from lookahead.wrap import with_lookahead as with_lookahead

__version__ = "0.1.0"

_HOMES: Final = {
    "approval": ("Request",),
    "budget": ("Budget", "Forecast"),
    "errors": ("LookaheadError", "Refused", "Swapped"),
    "journal": ("Journal",),
    "policy": ("Policy",),
    "search": ("Beam", "BestOf", "Preview", "Tree"),
    "session": ("Session",),
    "types": (
        "Action", "Critic", "Decision", "Effect", "Environment", "Hazard", "Observation", "Origin", "Proposer",
        "Rollout", "State", "Step", "Tool", "Verdict",
    ),
    "wrap": ("with_lookahead",),
}  # fmt: skip
_HOME_OF: Final = {name: home for home, names in _HOMES.items() for name in names}

__all__ = ["__version__", *_HOME_OF]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    """Names are fetched when first asked for: `lookahead --help` does not pay for a planner."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"lookahead.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

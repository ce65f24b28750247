"""Critics: what is wrong with a future, by its predicted effects and by the text of the call."""

from lookahead.critics.reading import effect_of
from lookahead.critics.rules import RuleCritic, strictest

__all__ = ["RuleCritic", "effect_of", "strictest"]

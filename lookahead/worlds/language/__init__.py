"""The world that a language model imagines: what it is shown, what is asked of it, and what its answers are worth."""

from lookahead.worlds.language.grounding import Ground, Grounding, Grounds
from lookahead.worlds.language.world import LanguageWorld, Thinking

__all__ = ["Ground", "Grounding", "Grounds", "LanguageWorld", "Thinking"]

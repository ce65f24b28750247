"""What a language model can add to the rules: an opinion on a future, a quick one, and other things to do.

from lookahead.critics.language import CheapCritic, LanguageProposer, RubricCritic
agent = with_lookahead(agent, critic=RubricCritic(model), search=BestOf(k=4, propose=LanguageProposer(model)))
"""

from lookahead.critics.language.cheap import CheapCritic, Transcript
from lookahead.critics.language.critic import RubricCritic, combined
from lookahead.critics.language.proposer import LanguageProposer

__all__ = ["CheapCritic", "LanguageProposer", "RubricCritic", "Transcript", "combined"]

"""How many candidates to look at and how deep: preview, best-of-n, beam, tree."""

from lookahead.search.base import Search
from lookahead.search.beam import Beam
from lookahead.search.best_of import BestOf
from lookahead.search.preview import Preview
from lookahead.search.tree import Tree

__all__ = ["Beam", "BestOf", "Preview", "Search", "Tree"]

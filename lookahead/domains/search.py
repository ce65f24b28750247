"""The web as a search engine, a reader of pages and a memory show it."""

from lookahead.domains.base import Domain
from lookahead.domains.generic import meaning

SEARCH = Domain(name="search", meaning=meaning)

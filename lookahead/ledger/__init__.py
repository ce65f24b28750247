"""The ledger: how often each world was right about each tool. A view of the journal, never a second store."""

from lookahead.ledger.agreement import agree
from lookahead.ledger.standing import Count, Ledger, Standing, wilson

__all__ = ["Count", "Ledger", "Standing", "agree", "wilson"]

"""The journal: one SQLite file that holds what was imagined, decided, intended and done. Everything else is a view."""

from lookahead.journal.capture import Redact
from lookahead.journal.chain import Verification
from lookahead.journal.entries import (
    Agreement,
    Approval,
    Decided,
    Entry,
    Foreseen,
    Granted,
    Intended,
    Interrupted,
    Pruned,
    Resolved,
    Resulted,
    Spent,
    Started,
    Tally,
)
from lookahead.journal.journal import Journal
from lookahead.journal.store import MEMORY
from lookahead.journal.together import Written
from lookahead.journal.views import Call, InDoubt, Run, Transition

__all__ = [
    "MEMORY",
    "Agreement",
    "Approval",
    "Call",
    "Decided",
    "Entry",
    "Foreseen",
    "Granted",
    "InDoubt",
    "Intended",
    "Interrupted",
    "Journal",
    "Pruned",
    "Redact",
    "Resolved",
    "Resulted",
    "Run",
    "Spent",
    "Started",
    "Tally",
    "Transition",
    "Verification",
    "Written",
]

"""Another process that is making the very same journal: waited for, but not for ever."""

import sqlite3
from collections.abc import Callable

import pytest

from lookahead.errors import JournalError
from lookahead.journal import Journal

Reopen = Callable[..., Journal]


def test_a_journal_that_another_process_never_finishes_making_is_not_waited_for_without_end(
    path: str, reopen: Reopen
) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        other.execute("CREATE TABLE half (made)")
        with pytest.raises(JournalError, match=r"was held by another process for more than 0\.2 seconds"):
            reopen(patience=0.2)
    finally:
        other.close()
    with reopen() as journal:
        assert journal.verify().ok

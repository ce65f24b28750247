import threading
from collections.abc import Iterator

import pytest

from lookahead.journal import Approval, Entry, Granted, Journal
from lookahead.pen import QUICK, Pen


class Where(Journal):
    def __init__(self) -> None:
        super().__init__(":memory:")
        self.threads: list[int] = []

    def append(self, *entries: Entry) -> None:
        self.threads.append(threading.get_ident())
        super().append(*entries)


@pytest.fixture
def journal() -> Iterator[Where]:
    opened = Where()
    yield opened
    opened.close()


@pytest.mark.anyio
async def test_a_quick_disk_is_written_to_at_once_and_a_slow_one_from_another_thread(journal: Where):
    entry = Granted(approval=Approval(id="1", binding="", granted_at=0, expires_at=1, by="", seen=""))
    pen = Pen(journal=journal)
    await pen.write(entry)
    assert journal.threads == [threading.get_ident()]
    assert 0 < pen.usual < 60
    pen.usual = QUICK
    await pen.write(entry.model_copy(update={"approval": entry.approval.model_copy(update={"id": "2"})}))
    assert journal.threads[1] != threading.get_ident()
    pen.usual = 80.0
    await pen.write(entry.model_copy(update={"approval": entry.approval.model_copy(update={"id": "3"})}))
    assert 70.0 <= pen.usual < 78.0
    assert journal.threads[2] != threading.get_ident()

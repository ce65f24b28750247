"""Full disks, read-only folders and sealed media: a clear error, and nothing half recorded."""

import os
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lookahead.errors import JournalError
from lookahead.journal import Journal

Reopen = Callable[..., Journal]

NOBODY = 65534


def test_a_disk_that_is_full_is_a_clear_error_and_nothing_is_half_recorded(
    path: str, reopen: Reopen, child: Any, said: Any
) -> None:
    # A limit on the size of files stands for the end of the disk: the system call fails in the same place.
    code = """
        import resource, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        journal = opened(sys.argv[1])
        journal.append(make.decided("c0"), make.intended("c0"))
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
        stored = 0
        for n in range(1, 1000):
            try:
                journal.append(make.decided(f"c{n}"), make.intended(f"c{n}"))
                stored = n
            except JournalError as error:
                print(stored, type(error).__name__, error)
                break
        for n in range(2000, 2003):
            try:
                journal.append(make.decided(f"c{n}"), make.intended(f"c{n}"))
                print("stored", n)
            except JournalError:
                pass
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        journal.append(make.decided("after"), make.intended("after"))
    """
    out = said(child(code, path))
    stored, name, *_ = out.split()
    assert name == "JournalError"
    assert "What is not recorded does not run" in out
    assert "stored" not in out
    journal = reopen()
    assert [call.call for call in journal.calls()] == [*(f"c{n}" for n in range(int(stored) + 1)), "after"]
    assert journal.verify().ok


def test_a_full_file_system_is_named(tmp_path: Path, make: Any) -> None:
    place = tmp_path / "small"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "none", str(place)], capture_output=True).returncode:
        pytest.skip("no small file system can be mounted here")
    try:
        with Journal(place / "j.db", redact=make.Plain()) as journal:
            stored = 0

            def fill() -> None:
                nonlocal stored
                while True:
                    journal.append(make.decided(f"c{stored}"), make.intended(f"c{stored}"))
                    stored += 1

            with pytest.raises(JournalError, match="cannot be written, because the disk is full"):
                fill()
            assert len(journal.calls()) == stored > 0
            assert journal.verify().ok
    finally:
        subprocess.run(["umount", str(place)], check=True)


def as_another(work: Callable[[], str]) -> str:
    """What a process says that may do no more than an ordinary user."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            if os.getuid() == 0:
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            os.write(writing, work().encode())
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = pipe.read()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    return told


@pytest.fixture
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that another user can reach, at first to be written."""
    folder = tmp_path_factory.mktemp("shared")
    changed = {parent: parent.stat().st_mode for parent in folder.parents if parent.stat().st_uid == os.getuid()}
    reached = {parent: mode for parent, mode in changed.items() if parent.is_relative_to(tempfile.gettempdir())}
    for parent, mode in reached.items():
        parent.chmod(mode | 0o055)
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    for parent, mode in reached.items():
        parent.chmod(mode)


def refusal(path: Path, make: Any) -> str:
    """How it is said that nothing can be written here."""
    try:
        with Journal(path, redact=make.Plain(), patience=0.2) as journal:
            journal.append(make.decided("new"))
        return "stored"
    except JournalError as error:
        return f"{type(error).__name__} {error}"


def listed(path: Path, make: Any) -> str:
    try:
        with Journal(path, redact=make.Plain(), readonly=True) as journal:
            return f"{journal.verify().ok} {[call.call for call in journal.calls()]}"
    except JournalError as error:
        return f"{type(error).__name__} {error}"


def test_a_file_that_may_not_be_written_is_named(shared: Path, make: Any) -> None:
    with Journal(shared / "j.db", redact=make.Plain()) as journal:
        journal.append(make.decided("old"))
    (shared / "j.db").chmod(0o444)
    shared.chmod(0o555)
    out = as_another(lambda: refusal(shared / "j.db", make))
    assert out.startswith("JournalError the journal ")
    assert "read-only" in out or "cannot be opened" in out
    assert "name another path" in out


def test_a_file_that_may_not_be_read_is_named(shared: Path, make: Any) -> None:
    Journal(shared / "j.db", redact=make.Plain()).close()
    (shared / "j.db").chmod(0)
    for out in (as_another(lambda: refusal(shared / "j.db", make)), as_another(lambda: listed(shared / "j.db", make))):
        assert out.startswith("JournalError the journal ")
        assert "cannot be opened: Permission denied" in out


def test_a_folder_that_may_not_be_written_is_named(shared: Path, make: Any) -> None:
    shared.chmod(0o555)
    out = as_another(lambda: refusal(shared / "new" / "j.db", make))
    assert out.startswith("JournalError no journal can be made at ")
    assert "Permission denied" in out
    assert "LOOKAHEAD_JOURNAL" in out


def test_a_journal_on_a_read_only_medium_can_be_read(shared: Path, make: Any) -> None:
    with Journal(shared / "j.db", redact=make.Plain()) as journal:
        journal.append(make.decided("old"))
    (shared / "j.db").chmod(0o444)
    shared.chmod(0o555)
    assert as_another(lambda: listed(shared / "j.db", make)) == "True ['old']"


def test_rows_that_are_only_in_the_log_are_not_overlooked_on_a_read_only_medium(shared: Path, make: Any) -> None:
    journal = Journal(shared / "j.db", redact=make.Plain())
    journal.append(make.decided("old"))
    for name in ("j.db", "j.db-wal"):
        (shared / f"copy{name}").write_bytes((shared / name).read_bytes())
        (shared / f"copy{name}").chmod(0o444)
    journal.close()
    shared.chmod(0o555)
    out = as_another(lambda: listed(shared / "copyj.db", make))
    assert out == "True ['old']" or out.startswith("JournalError the journal ")


def test_a_medium_that_holds_no_journal_is_named(shared: Path, make: Any) -> None:
    db = sqlite3.connect(shared / "j.db")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("CREATE TABLE mine (x)")
    db.close()
    (shared / "j.db").chmod(0o444)
    shared.chmod(0o555)
    assert "is a database, but not a journal" in as_another(lambda: listed(shared / "j.db", make))


def test_a_journal_opened_to_be_read_is_not_written(journal: Journal, reopen: Reopen, make: Any) -> None:
    journal.append(make.decided("c1"))
    reader = reopen(readonly=True)
    assert [call.call for call in reader.calls()] == ["c1"]
    with pytest.raises(JournalError, match="was opened to be read only"):
        reader.append(make.decided("c2"))
    journal.append(make.decided("c3"))
    assert [call.call for call in reader.calls()] == ["c1", "c3"]


def test_looking_at_a_journal_makes_none(tmp_path: Path, reopen: Reopen) -> None:
    with pytest.raises(JournalError, match=r"there is no journal at .*--journal or LOOKAHEAD_JOURNAL"):
        reopen(str(tmp_path / "none.db"), readonly=True)
    assert os.listdir(tmp_path) == []


@pytest.fixture
def medium(tmp_path: Path) -> Iterator[Callable[[], Path]]:
    """A file system of its own, which can be made read-only."""
    place = tmp_path / "medium"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(place)], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")

    def seal() -> Path:
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        return place

    yield seal
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_sealed_medium_is_read_and_not_written(medium: Callable[[], Path], tmp_path: Path, make: Any) -> None:
    with Journal(tmp_path / "medium" / "j.db", redact=make.Plain()) as journal:
        journal.append(make.decided("old"))
    path = medium() / "j.db"
    assert listed(path, make) == "True ['old']"
    assert refusal(path, make).startswith("JournalError ")


def test_a_sealed_medium_with_rows_in_the_log_is_not_read_in_part(
    medium: Callable[[], Path], tmp_path: Path, make: Any
) -> None:
    with Journal(tmp_path / "j.db", redact=make.Plain()) as journal:
        journal.append(make.decided("old"))
        for tail in ("", "-wal"):
            (tmp_path / "medium" / f"j.db{tail}").write_bytes((tmp_path / f"j.db{tail}").read_bytes())
    assert listed(medium() / "j.db", make).startswith("JournalError the journal ")


def test_a_sealed_medium_with_another_database_is_named(medium: Callable[[], Path], tmp_path: Path, make: Any) -> None:
    db = sqlite3.connect(tmp_path / "medium" / "j.db")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("CREATE TABLE mine (x)")
    db.close()
    assert "is a database, but not a journal" in listed(medium() / "j.db", make)

"""What goes wrong with disks, files, locks, clocks and processes: a clear error, and nothing half recorded."""

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lookahead.errors import JournalCorrupt, JournalError, PermitError
from lookahead.journal import Journal

Reopen = Callable[..., Journal]

NOBODY = 65534


def child(code: str, *arguments: str, **more: Any) -> subprocess.Popen[str]:
    """Another process, with a journal's entries at hand."""
    begin = f"""
        import importlib.util, os, sys, time
        spec = importlib.util.spec_from_file_location("conftest", {str(Path(__file__).parent / "conftest.py")!r})
        conftest = importlib.util.module_from_spec(spec)
        sys.modules["conftest"] = conftest
        spec.loader.exec_module(conftest)
        make = conftest.Make()
        from lookahead.errors import JournalError, PermitError
        from lookahead.journal import Journal
        def opened(path, **more):
            return Journal(path, redact=make.Plain(), **more)
    """
    whole = textwrap.dedent(begin) + textwrap.dedent(code)
    pipes: dict[str, Any] = {
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "stdin": subprocess.PIPE,
        "text": True,
    }
    return subprocess.Popen([sys.executable, "-c", whole, *arguments], **pipes, **more)


def said(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    return out


# ---- the disk ----


def test_a_disk_that_is_full_is_a_clear_error_and_nothing_is_half_recorded(path: str, reopen: Reopen) -> None:
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


# ---- the file ----


@pytest.mark.parametrize("readonly", [True, False])
@pytest.mark.parametrize("content", [b"hello, I am a text\n" * 300, b"SQLite format 3\x00" + b"\xff" * 5000, b"x"])
def test_what_is_no_database_is_left_alone(path: str, reopen: Reopen, content: bytes, readonly: bool) -> None:
    Path(path).write_bytes(content)
    with pytest.raises(JournalCorrupt, match=r"is damaged or not a journal .*move it away"):
        reopen(readonly=readonly)
    assert Path(path).read_bytes() == content


@pytest.mark.parametrize("readonly", [True, False])
def test_somebody_elses_database_is_left_alone(path: str, reopen: Reopen, readonly: bool) -> None:
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE mine (x)")
    db.commit()
    db.close()
    before = Path(path).read_bytes()
    with pytest.raises(JournalCorrupt, match="is a database, but not a journal: name another path"):
        reopen(readonly=readonly)
    assert Path(path).read_bytes() == before


def test_a_journal_of_a_newer_format_is_left_alone(journal: Journal, reopen: Reopen, make: Any) -> None:
    journal.append(make.decided())
    journal._store._db.execute("PRAGMA user_version = 2")
    with pytest.raises(JournalError, match=r"newer Lookahead \(journal format 2; this one knows 1\).*pip install"):
        reopen()


def test_a_journal_of_no_known_format_is_corrupt(journal: Journal, reopen: Reopen) -> None:
    journal._store._db.execute("PRAGMA user_version = 0")
    with pytest.raises(JournalCorrupt, match="somebody altered them"):
        reopen()


@pytest.mark.parametrize("part", [1, 100, 511, 512, 4096, 5000, 0.5, -4096])
def test_a_half_written_file_is_found(path: str, reopen: Reopen, make: Any, part: float) -> None:
    journal = reopen()
    for n in range(50):
        journal.append(*make.whole(f"c{n}"))
    journal.close()
    whole = Path(path).read_bytes()
    Path(path).write_bytes(whole[: int(part * len(whole) if 0 < part < 1 else part)])
    assert "damaged" in trouble(reopen)


def trouble(reopen: Reopen) -> str:
    """What is said against a file, when it is opened or when it is verified."""
    try:
        return reopen().verify().why.replace("the file cannot be read", "damaged")
    except JournalCorrupt as error:
        return str(error)


def test_a_journal_that_was_emptied_while_in_use_is_found(journal: Journal, reopen: Reopen, make: Any) -> None:
    journal.append(make.decided())
    Path(journal.path).write_bytes(b"")
    assert "does not begin like one" in trouble(reopen)


def test_an_empty_file_becomes_a_journal(path: str, reopen: Reopen, make: Any) -> None:
    Path(path).touch()
    journal = reopen()
    journal.append(make.decided())
    assert journal.verify().ok


def test_a_half_written_log_loses_only_what_was_not_finished(
    path: str, tmp_path: Path, reopen: Reopen, make: Any
) -> None:
    journal = reopen()
    journal.append(make.decided("c1"))
    size = Path(f"{path}-wal").stat().st_size
    journal.append(make.decided("c2"), make.intended("c2"))
    copy = str(tmp_path / "copy.db")
    Path(copy).write_bytes(Path(path).read_bytes())
    Path(f"{copy}-wal").write_bytes(Path(f"{path}-wal").read_bytes()[: size + 5000])
    again = reopen(copy)
    assert [call.call for call in again.calls()] == ["c1"]
    assert again.verify().ok


def test_a_journal_that_was_deleted_under_us_takes_no_more(journal: Journal, path: str, make: Any) -> None:
    os.unlink(path)
    with pytest.raises(JournalError, match="is gone: it was moved or deleted while in use"):
        journal.append(make.decided())


def test_a_journal_that_was_replaced_under_us_takes_no_more(journal: Journal, path: str, make: Any) -> None:
    Path(f"{path}.new").write_bytes(Path(path).read_bytes())
    os.replace(f"{path}.new", path)
    with pytest.raises(JournalError, match="was replaced while in use"):
        journal.append(make.decided())


def test_a_folder_is_no_journal(tmp_path: Path, reopen: Reopen) -> None:
    with pytest.raises(JournalError, match="cannot be opened"):
        reopen(str(tmp_path))


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path, reopen: Reopen) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="no journal can be made at"):
        reopen(str(tmp_path / "file" / "j.db"))


def test_bytes_that_are_no_text_are_a_clear_error(journal: Journal, make: Any) -> None:
    journal.append(make.decided())
    journal._store._db.execute("UPDATE rows SET body = CAST(x'ff' AS TEXT)")
    with pytest.raises(JournalCorrupt, match="is damaged"):
        journal.calls()
    assert not journal.verify().ok


# ---- other processes ----


def test_a_journal_that_is_held_too_long_is_named(journal: Journal, make: Any) -> None:
    other = sqlite3.connect(journal.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        begun = time.monotonic()
        with pytest.raises(JournalError, match=r"was held by another process for more than 0\.2 seconds"):
            journal.append(make.decided())
        assert time.monotonic() - begun >= 0.19
        assert journal.calls() == []
    finally:
        other.execute("ROLLBACK")
        other.close()
    journal.append(make.decided())
    assert journal.verify().ok


def test_a_short_hold_is_waited_for(reopen: Reopen, make: Any) -> None:
    journal = reopen(patience=10.0)
    other = sqlite3.connect(journal.path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.05, lambda: other.execute("ROLLBACK"))
    release.start()
    journal.append(make.decided())
    release.join()
    other.close()
    assert len(journal.calls()) == 1


def test_two_processes_may_share_one(path: str, reopen: Reopen) -> None:
    code = """
        journal = opened(sys.argv[1], patience=20.0)
        sys.stdin.readline()
        for n in range(60):
            journal.append(*make.whole(f"{sys.argv[2]}{n}"))
    """
    # Neither has made the file yet: making it is part of the race.
    both = [child(code, path, name) for name in "ab"]
    for process in both:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in both:
        said(process)
    journal = reopen()
    calls = [call.call for call in journal.calls()]
    assert sorted(calls) == sorted(f"{name}{n}" for name in "ab" for n in range(60))
    for name in "ab":
        assert [call for call in calls if call[0] == name] == [f"{name}{n}" for n in range(60)]
    assert journal.verify().rows == 360
    assert journal.verify().ok


def test_of_two_processes_only_one_can_use_an_approval(path: str, reopen: Reopen, make: Any) -> None:
    journal = reopen()
    journal.append(*(make.granted(f"a{n}", f"b{n}", at=time.time()) for n in range(20)))
    code = """
        journal = opened(sys.argv[1], patience=20.0)
        sys.stdin.readline()
        for n in range(20):
            call = f"{sys.argv[2]}{n}"
            try:
                journal.append(make.decided(call, binding=f"b{n}"), make.spent(f"a{n}", call), make.intended(call))
                print(n)
            except PermitError:
                pass
    """
    both = [child(code, path, name) for name in "xy"]
    for process in both:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    used = [int(line) for process in both for line in said(process).split()]
    assert sorted(used) == list(range(20))
    assert journal.verify().rows == 20 + 3 * 20


def test_a_process_that_is_killed_leaves_its_call_in_doubt(path: str, reopen: Reopen, make: Any) -> None:
    code = """
        journal = opened(sys.argv[1])
        journal.append(*make.whole("c1"))
        journal.append(make.decided("c2"), make.intended("c2"))
        print("begun", flush=True)
        time.sleep(60)
    """
    process = child(code, path)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    journal = reopen()
    assert journal.in_doubt() == []
    assert [call.status for call in journal.calls()] == ["done", "running"]
    with pytest.raises(JournalError, match="still running"):
        journal.append(make.resolved("c2"))
    process.kill()
    # Not reaped yet, so its number is still in use; but it acts no more.
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert [doubt.call for doubt in journal.in_doubt()] == ["c2"]
    process.communicate()
    assert [doubt.call for doubt in journal.in_doubt()] == ["c2"]
    assert journal.doubtful(make.action().digest) is not None
    journal.append(make.resolved("c2", happened=False))
    assert journal.in_doubt() == []
    assert journal.verify().ok


def test_killed_at_any_moment_it_holds_whole_appends_only(path: str, reopen: Reopen) -> None:
    code = """
        journal = opened(sys.argv[1])
        print("begun", flush=True)
        for n in range(100_000):
            journal.append(*make.whole(f"{sys.argv[2]}-{n}"))
    """
    for turn in range(4):
        process = child(code, path, str(turn))
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(0.02 * turn)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        journal = reopen()
        assert journal.verify().ok
        assert all(call.status == "done" for call in journal.calls())
        journal.close()


def test_a_forked_child_opens_the_file_anew(journal: Journal, make: Any) -> None:
    journal.append(make.decided("parent"))
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            journal.append(make.decided("child"), make.intended("child"))
            code = 0 if len(journal.calls()) == 2 else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    journal.append(make.decided("again"))
    assert [call.call for call in journal.calls()] == ["parent", "child", "again"]
    assert [doubt.call for doubt in journal.in_doubt()] == ["child"]
    assert journal.verify().ok


def test_a_forked_child_leaves_a_journal_in_memory_alone(reopen: Reopen, make: Any) -> None:
    journal = reopen(":memory:")
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            journal.close()
            journal.append(make.decided())
        except JournalError as error:
            code = 0 if "cannot be shared with a child process" in str(error) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    journal.append(make.decided())


def test_another_process_number_means_another_connection(
    journal: Journal, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a forked child does, seen from within."""
    journal.append(make.decided("c1"))
    mine = journal._store._db
    with monkeypatch.context() as patched:
        patched.setattr("lookahead.journal.store.os.getpid", lambda: -1)
        journal.append(make.decided("c2"))
        theirs = journal._store._db
        assert theirs is not mine
        assert journal._store.compact()
        assert journal._store._db is theirs
    # And the connection of the other process is neither used nor closed by this one.
    journal.close()
    assert theirs.execute("SELECT count(*) FROM rows").fetchone() == (2,)
    assert mine.execute("SELECT count(*) FROM rows").fetchone() == (2,)
    theirs.close()
    mine.close()


def test_space_is_given_back_when_nobody_is_in_the_way(journal: Journal, make: Any) -> None:
    journal.append(make.decided())
    assert journal._store.compact()
    other = sqlite3.connect(journal.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert not journal._store.compact()
    other.execute("ROLLBACK")
    other.execute("BEGIN")
    other.execute("SELECT count(*) FROM rows").fetchone()
    assert not journal._store.compact()
    other.close()
    assert journal._store.compact()


def test_making_a_journal_that_another_process_is_making_waits_for_it(path: str, reopen: Reopen, make: Any) -> None:
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    begun = time.monotonic()
    with pytest.raises(JournalError, match="was held by another process"):
        reopen(patience=0.1)
    assert 0.1 <= time.monotonic() - begun < 5
    release = threading.Timer(0.05, lambda: other.execute("ROLLBACK"))
    release.start()
    journal = reopen(patience=10.0)
    release.join()
    other.close()
    journal.append(make.decided())
    assert journal.verify().ok


def test_making_a_journal_waits_for_somebody_who_only_looks(path: str, reopen: Reopen, make: Any) -> None:
    Path(path).touch()
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN")
    other.execute("SELECT * FROM sqlite_master").fetchall()
    begun = time.monotonic()
    with pytest.raises(JournalError, match="was held by another process"):
        reopen(patience=0.1)
    assert 0.1 <= time.monotonic() - begun < 5
    release = threading.Timer(0.1, lambda: other.execute("ROLLBACK"))
    release.start()
    journal = reopen(patience=10.0)
    release.join()
    other.close()
    journal.append(make.decided())
    assert journal.verify().ok


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


def test_names_that_are_no_text_are_damage(journal: Journal, path: str, make: Any) -> None:
    journal.close()
    data = Path(path).read_bytes()
    Path(path).write_bytes(data.replace(b"approvals", b"appr\xff\xfeals"))
    for readonly in (True, False):
        with pytest.raises(JournalCorrupt):
            Journal(path, redact=make.Plain(), readonly=readonly)


# ---- other troubles ----


def test_an_append_that_is_interrupted_leaves_nothing(journal: Journal, make: Any) -> None:
    class Stop(BaseException): ...

    def stop() -> float:
        raise Stop

    journal._clock = stop
    with pytest.raises(Stop):
        journal.append(make.decided())
    journal._clock = lambda: 1.0
    assert journal.calls() == []
    journal.append(make.decided())
    assert journal.verify().ok


def test_errors_are_ours_whatever_failed(journal: Journal, make: Any) -> None:
    journal.append(make.granted())
    journal.append(make.spent())
    with pytest.raises(PermitError):
        journal.append(make.spent())
    journal._store._db.execute("DROP TABLE open")
    with pytest.raises(JournalError, match=r"cannot be used \(no such table: open\)"):
        journal.append(make.intended())
    assert len(journal.calls()) == 0


def test_limits_of_this_test_process_are_untouched() -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY

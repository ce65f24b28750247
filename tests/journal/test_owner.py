"""A process is known again by more than its number."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lookahead.journal import owner
from lookahead.journal.owner import Owner, me


def other(**more: str | int) -> Owner:
    """This process, as another one sees it."""
    return me().model_copy(update={"token": "another", **more})


def test_this_process_knows_itself() -> None:
    assert me().pid == os.getpid()
    assert me().mine
    assert me().running() is True
    assert me() == me()
    assert not other().mine
    # Even if nothing else could be told.
    assert Owner(pid=1, token="".join(list(me().token))).running() is True


def test_a_process_with_the_same_number_and_beginning_is_that_process() -> None:
    assert other().running() is True


def test_a_number_that_is_used_again_is_another_process() -> None:
    assert other(started="1").running() is False


def test_a_number_that_is_not_in_use_is_nobody() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert other(pid=child.pid).running() is False


def test_before_the_machine_was_started_there_was_another() -> None:
    assert other(boot="another").running() is False


def test_a_process_in_another_container_cannot_be_seen() -> None:
    assert other(namespace="another").running() is None


def test_without_a_beginning_nothing_can_be_told() -> None:
    assert other(started="").running() is None


def test_a_child_is_not_its_parent() -> None:
    parent = me()
    pid = os.fork()
    if pid == 0:
        child = me()
        good = not parent.mine and child.mine and parent.running() is True and child.token != parent.token
        os._exit(0 if good else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_child_forgets_what_its_ancestors_were_called() -> None:
    me()
    pid = os.fork()
    if pid == 0:
        os._exit(owner._owner.cache_info().currsize)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_process_is_known_by_its_beginning_whatever_it_is_called(tmp_path: Path) -> None:
    odd = tmp_path / ") S 1 (x"
    odd.symlink_to(sys.executable)
    child = subprocess.Popen([str(odd), "-c", "input()"], stdin=subprocess.PIPE)
    try:
        stat = Path(f"/proc/{child.pid}/stat").read_text()
        assert owner._started(child.pid) == stat[stat.rindex(")") :].split()[20]
        assert int(owner._started(child.pid) or 0) >= int(me().started)
    finally:
        child.communicate(b"\n")
    assert owner._started(child.pid) is None


class Elsewhere:
    """A system without /proc, on which `ps` is asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, platform: str = "darwin") -> None:
        monkeypatch.setattr(owner.sys, "platform", platform)


def test_elsewhere_ps_is_asked_when_a_process_began(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    Elsewhere(monkeypatch)
    (tmp_path / "ps").write_text('#!/bin/sh\necho "  began with $*  "\n')
    (tmp_path / "ps").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert owner._started(os.getpid()) == f"began with -o lstart= -p {os.getpid()}"
    assert owner._started(2**22 + 1) is None


def test_elsewhere_without_ps_nothing_is_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    Elsewhere(monkeypatch)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert owner._started(os.getpid()) == ""


def test_on_windows_no_signal_is_sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    Elsewhere(monkeypatch, "win32")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(owner.os, "kill", None)
    assert owner._started(os.getpid()) == ""


def test_where_proc_is_hidden_a_process_that_exists_is_not_called_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, "_text", lambda path: "")
    assert owner._started(os.getpid()) == ""
    assert owner._started(2**22 + 1) is None
    # Process 1 is there, and whether it may be signalled does not matter; nor a number that is none.
    assert owner._exists(1)
    assert owner._exists(2**80)


def test_a_process_of_another_user_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(pid: int, number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(owner.os, "kill", forbidden)
    assert owner._exists(1)


def test_what_cannot_be_read_is_empty(tmp_path: Path) -> None:
    assert owner._text(tmp_path / "none") == ""
    assert owner._link(tmp_path / "none") == ""

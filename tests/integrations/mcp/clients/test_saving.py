import os
import subprocess
import sys
from pathlib import Path

import pytest

from lookahead_integrations.mcp.clients.files import ClientFileError
from lookahead_integrations.mcp.clients.saving import backups, save


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "mcp.json"
    made.write_bytes(b"old")
    return made


def names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


def test_the_old_file_is_kept_beside_the_new_one(path: Path):
    kept = save(path, b"old", b"new")
    assert (path.read_bytes(), kept.read_bytes()) == (b"new", b"old")
    assert kept.parent == path.parent


def test_no_earlier_copy_is_ever_written_over(path: Path):
    kept = [save(path, b"old", b"new"), save(path, b"new", b"newer"), save(path, b"newer", b"old")]
    assert [one.read_bytes() for one in kept] == [b"old", b"new", b"newer"]
    assert backups(path) == kept


def test_what_is_kept_already_is_not_kept_again(path: Path):
    for before, after in ((b"old", b"new"), (b"new", b"old"), (b"old", b"new"), (b"new", b"old")):
        save(path, before, after)
    assert len(backups(path)) == 2


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o640])
def test_file_and_copy_have_the_permissions_that_the_file_had(path: Path, mode: int):
    path.chmod(mode)
    kept = save(path, b"old", b"new")
    assert [one.stat().st_mode & 0o777 for one in (path, kept)] == [mode, mode]


def test_a_link_stays_one_and_what_it_leads_to_is_replaced(tmp_path: Path):
    (tmp_path / "dotfiles").mkdir()
    real = tmp_path / "dotfiles" / "mcp.json"
    real.write_bytes(b"old")
    first, second = tmp_path / "second.json", tmp_path / "mcp.json"
    first.symlink_to("dotfiles/mcp.json")
    second.symlink_to(first)
    kept = save(second, b"old", b"new")
    assert (second.is_symlink(), first.is_symlink(), real.read_bytes()) == (True, True, b"new")
    assert kept.parent == real.parent


def test_a_file_that_somebody_else_changed_meanwhile_is_not_written(path: Path):
    path.write_bytes(b"theirs")
    with pytest.raises(ClientFileError, match="changed by someone else"):
        save(path, b"old", b"new")
    assert path.read_bytes() == b"theirs"
    assert not [name for name in names(path.parent) if name.startswith(".")]


FULL = """
import resource, signal, sys
from pathlib import Path
from lookahead_integrations.mcp.clients.files import ClientFileError
from lookahead_integrations.mcp.clients.saving import save
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
path = Path(sys.argv[1])
try:
    save(path, path.read_bytes(), b"x" * int(sys.argv[2]))
except ClientFileError as error:
    print(error)
"""


@pytest.mark.parametrize("old", [100, 5000])
def test_where_the_disk_is_full_nothing_is_lost_and_nothing_is_left_lying_about(path: Path, old: int):
    content = b"o" * old
    path.write_bytes(content)
    run = [sys.executable, "-c", FULL, str(path), "5000"]
    said = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert "cannot be written" in said
    assert "nothing was changed" in said
    assert path.read_bytes() == content
    assert not [name for name in names(path.parent) if name.startswith(".")]
    assert [one.read_bytes() for one in backups(path)] in ([], [content])


def test_a_folder_that_cannot_be_written_to_is_an_error_that_says_so(path: Path):
    if os.geteuid() == 0:
        # Nobody keeps root from writing; a name that is too long for its copy does.
        long = path.with_name("x" * 250)
        path.rename(long)
        path = long
    else:
        path.parent.chmod(0o500)
    with pytest.raises(ClientFileError, match="nothing was changed"):
        save(path, b"old", b"new")
    path.parent.chmod(0o700)
    assert path.read_bytes() == b"old"
    assert names(path.parent) == [path.name]

"""What the tests of the directory fork share: a small project that must stay as it is, and a world over it."""

import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import anyio.to_thread
import pytest

from lookahead.worlds.fork import DirectoryFork


def fingerprint(folder: Path) -> str:
    state = hashlib.sha256()
    for place in [folder, *sorted(folder.rglob("*"))]:
        status = place.lstat()
        state.update(repr((str(place), status.st_mode, status.st_mtime_ns, status.st_size)).encode())
        if place.is_symlink():
            state.update(os.readlink(place).encode())
        elif place.is_file():
            state.update(place.read_bytes())
    return state.hexdigest()


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncIterator[Path]:
    """A small project, which every test must leave as it was."""
    project = tmp_path / "project"
    (project / "src" / "deep").mkdir(parents=True)
    (project / "empty").mkdir()
    (project / "notes.txt").write_text("one\ntwo\nthree\n")
    (project / "src" / "main.py").write_text("print('hello')\n")
    (project / "src" / "deep" / "data.bin").write_bytes(bytes(range(256)))
    (project / "link").symlink_to("notes.txt")
    before = await anyio.to_thread.run_sync(fingerprint, project)
    yield project
    assert await anyio.to_thread.run_sync(fingerprint, project) == before


@pytest.fixture
async def world(folder: Path, tmp_path: Path) -> AsyncIterator[DirectoryFork]:
    scratch = tmp_path / "scratch"
    async with DirectoryFork(folder, scratch=scratch) as world:
        yield world
    assert [place.name for place in scratch.glob("*")] in ([], ["lock"])

"""Writes a client's file: the old one is kept beside it, and there is no moment at which it is half there."""

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from lookahead_integrations.mcp.clients.files import ClientFileError, raw

BACKUP: Final = ".lookahead-backup"


def save(path: Path, before: bytes, after: bytes) -> Path:
    """Replace the file's content, and say where the old one is kept. Raises ClientFileError: then nothing has changed.

    A symbolic link stays one: what it leads to is replaced, and kept beside that.
    """
    real = Path(os.path.realpath(path))
    fresh: Path | None = None
    try:
        found = real.stat()
        kept = _kept(real, before, found)
        fresh = real.with_name(f".{real.name}.lookahead-{secrets.token_hex(4)}")
        _write(fresh, after, found)
        if raw(real) != before:
            raise ClientFileError(f"{path} was changed by someone else meanwhile; nothing was written: run again")
        os.replace(fresh, real)
        fresh = None
        _settle(real.parent)
    except OSError as cause:
        raise ClientFileError(
            f"{path} cannot be written: {cause.strerror or cause}; nothing was changed: mend that, then run again"
        ) from cause
    finally:
        if fresh is not None:
            fresh.unlink(missing_ok=True)
    return kept


def backups(path: Path) -> list[Path]:
    """What was kept of a file, the oldest first."""
    real = Path(os.path.realpath(path))
    found: list[Path] = []
    while (one := _backup(real, len(found))).exists():
        found.append(one)
    return found


def _backup(real: Path, number: int) -> Path:
    return real.with_name(f"{real.name}{BACKUP}{f'-{number + 1}' if number else ''}")


def _kept(real: Path, before: bytes, found: os.stat_result) -> Path:
    """A copy of the old file that is surely on disk; one that is there already with the same content will do."""
    number = 0
    while True:
        kept = _backup(real, number)
        try:
            _write(kept, before, found)
        except FileExistsError:
            with suppress(OSError):
                if kept.read_bytes() == before:
                    return kept
            number += 1
        else:
            return kept


def _write(path: Path, content: bytes, like: os.stat_result) -> None:
    """A new file, with the owner and the permissions of another."""
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        try:
            with suppress(PermissionError):
                os.fchown(number, like.st_uid, like.st_gid)
            os.fchmod(number, stat.S_IMODE(like.st_mode))
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(number, rest) :]
            os.fsync(number)
        finally:
            os.close(number)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _settle(folder: Path) -> None:
    """So that the new name is on disk too, where the system can be asked for that."""
    with suppress(OSError):
        number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(number)
        finally:
            os.close(number)

"""The file of what was accepted: readable, ours alone, whole or not used, shared by all proxies of a project."""

import json
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal, TypeAlias

from pydantic import Field, JsonValue, ValidationError

from lookahead.canonical import digest_of, no_constant, no_duplicates
from lookahead.errors import ConfigError
from lookahead.redact import shared
from lookahead.show import safe
from lookahead.types import Noun
from lookahead_integrations.mcp.pins.definition import Seen

if sys.platform != "win32":
    import fcntl

FORMAT: Final = 1
_LARGEST: Final = 64 * 1024 * 1024

Why = Literal["changed", "renamed", "alike", "new", "hidden", "unreadable", "twice", "many"]
"""Why a tool waits. `hidden`: it came later, with a text that a person should see first."""


class PinsDamaged(ConfigError):
    """What was accepted cannot be told any more, so nothing is taken for accepted."""


class Pin(Noun):
    """One tool as it was accepted."""

    seen: Seen
    accepted_at: str
    by: str
    """`first sight`, or who said yes."""
    seen_in: str = ""
    """The revision of the protocol that it was seen in: older ones leave parts out."""


class Waiting(Noun):
    """A tool that nobody has accepted: as it was seen last."""

    seen: Seen
    why: Why
    like: str = ""
    """The accepted tool that it could be taken for."""
    because: str = ""
    seen_at: str
    seen_in: str = ""


class Upstream(Noun):
    """One server's tools."""

    name: str
    """Its command or its address, without secrets, for a person to read."""
    first_seen: str
    tools: dict[str, Pin] = Field(default_factory=dict)
    waiting: dict[str, Waiting] = Field(default_factory=dict)
    shown: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """By the capabilities that a client declared: the accepted tools that it was shown. Servers choose by these."""


class Kept(Noun):
    """The whole file."""

    format: int = FORMAT
    upstreams: dict[str, Upstream] = Field(default_factory=dict)

    def with_(self, key: str, upstream: Upstream) -> "Kept":
        return self.model_copy(update={"upstreams": {**self.upstreams, key: upstream}})


Stamp: TypeAlias = tuple[int, int, int] | None
"""By which a file that was written is told from what it was before; None where there is none."""


class PinStore:
    """One file. Whoever changes it has read it under the lock, so nobody's change is lost."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).expanduser().absolute()
        self._cached: tuple[Stamp, Kept] | None = None

    def stamp(self) -> Stamp:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def read(self) -> Kept:
        """What is kept; nothing yet where there is no file. Raises PinsDamaged where it cannot be believed."""
        try:
            with open(self.path, "rb") as file:
                status = os.fstat(file.fileno())
                key = (status.st_ino, status.st_mtime_ns, status.st_size)
                if self._cached is not None and self._cached[0] == key:
                    return self._cached[1]
                self._ours(status)
                content = file.read(_LARGEST + 1)
        except FileNotFoundError:
            if self.path.is_symlink():
                raise self._damaged("it is a link to nothing") from None
            return Kept()
        except OSError as cause:
            raise self._damaged(f"it cannot be read: {cause.strerror}") from cause
        kept = self._parsed(content)
        self._cached = (key, kept)
        return kept

    def change(self, change: Callable[[Kept], Kept]) -> Kept:
        """Read, change and write it while nobody else does; a crash leaves the old file or the new one."""
        with self._locked():
            self._cached = None
            before = self.read()
            after = change(before)
            if after != before:
                self._write(after)
            return after

    def _parsed(self, content: bytes) -> Kept:
        if len(content) > _LARGEST:
            raise self._damaged("it is larger than it can be")
        try:
            raw = json.loads(content, object_pairs_hook=no_duplicates, parse_constant=no_constant)
        except (ValueError, RecursionError) as cause:
            raise self._damaged(f"it is no JSON: {cause}") from cause
        if not isinstance(raw, dict):
            raise self._damaged("it holds no object")
        if raw.get("format") != FORMAT:  # pyright: ignore[reportUnknownMemberType]
            raise self._damaged(f"its format is not {FORMAT}: a newer Lookahead wrote it, or something else did")
        try:
            kept = Kept.model_validate(raw)
        except ValidationError as cause:
            where = ".".join(str(part) for part in cause.errors(include_url=False)[0]["loc"])
            raise self._damaged(f"it holds what Lookahead does not write, at {safe(where, 120)}") from cause
        for upstream in kept.upstreams.values():
            for name, one in [*upstream.tools.items(), *upstream.waiting.items()]:
                if one.seen.definition.name != name or not one.seen.sound:
                    raise self._damaged("a tool in it is not the one that was written there")
        return kept

    def _ours(self, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise self._damaged("it is no file")
        if hasattr(os, "geteuid") and sys.platform != "win32":
            if status.st_uid not in (0, os.geteuid()):
                raise self._damaged("it belongs to another user")
            if status.st_mode & 0o022:
                raise self._damaged("others can write to it", f"look at it, then: chmod 600 {self.path}")

    def _damaged(self, why: str, next_step: str = "") -> PinsDamaged:
        step = next_step or f"move it away (mv {self.path} {self.path}.old); every tool is then seen for the first time"
        return PinsDamaged(
            f"the file of accepted tools, {self.path}, cannot be believed: {why}. "
            f"Until then no tool is taken for accepted. Next: {step}"
        )

    def _unwritable(self, cause: OSError) -> ConfigError:
        return ConfigError(
            f"the file of accepted tools, {self.path}, cannot be written: {cause.strerror}. "
            "Next: --pins FILE names another one"
        )

    def _write(self, kept: Kept) -> None:
        body = kept.model_dump(mode="json", exclude_none=True)
        text = json.dumps(body, indent=2, ensure_ascii=True, allow_nan=False) + "\n"
        # Made beside it, so that the exchange is one step of one file system; and readable by us alone from the start.
        number, name = tempfile.mkstemp(prefix=f".{self.path.name}.", dir=self.path.parent)
        try:
            with os.fdopen(number, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        self._sync_folder()

    def _sync_folder(self) -> None:
        if sys.platform != "win32":
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    @contextmanager
    def _locked(self) -> Generator[None]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        except OSError as cause:
            raise self._unwritable(cause) from cause
        try:
            if sys.platform != "win32":
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        except OSError as cause:
            raise self._unwritable(cause) from cause
        finally:
            os.close(lock)


def upstream_key(parts: tuple[str, ...]) -> str:
    """Names an upstream by its command and arguments, or by its address: never by what it calls itself."""
    return digest_of("upstream", *without_secrets(parts))[:16]


def without_secrets(parts: tuple[str, ...]) -> tuple[str, ...]:
    """A key that is exchanged for another one leaves the server what it was."""
    clean: JsonValue = shared().json(list(parts))
    return tuple(str(part) for part in clean) if isinstance(clean, list) else ()

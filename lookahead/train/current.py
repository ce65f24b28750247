"""Which checkpoint is in use: a folder of numbered promotions, and one link that says which of them counts.

    models/
      current -> 0002          what is served: `models/current/model`
      0001/  promotion.json  report.json  model -> …/runs/sft/model
      0002/  promotion.json  report.json  model -> …/runs/rl/model

A promotion is written whole before the link moves, and the link moves by one renaming: whoever reads it finds the one
before or the one after, never something between. Nothing is removed, so that going back is one more promotion.
"""

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal, TypeAlias

from pydantic import Field, ValidationError

from lookahead.errors import ConfigError
from lookahead.types import Noun

LINK: Final = "current"
RECORD: Final = "promotion.json"
REPORT: Final = "report.json"
MODEL: Final = "model"

Reason: TypeAlias = Literal["first", "better", "back"]


class Promotion(Noun):
    """One change of what is in use."""

    number: int = Field(ge=1)
    model: str
    """The checkpoint's folder."""
    digest: str
    """Names its weights and its configuration."""
    previous: int | None
    """Which promotion it took the place of."""
    reason: Reason
    at: float
    """Seconds since 1970."""
    same_as: int | None = None
    """Going back: the promotion whose checkpoint is in use again."""


class Current:
    """The promotions of one folder."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def promotion(self) -> Promotion | None:
        """The one in use; None before the first."""
        link = self.folder / LINK
        if not link.is_symlink():
            if link.exists():
                raise ConfigError(f"{link} is no link: move it away, this folder is for promotions")
            return None
        return self._read(os.readlink(link))

    def model(self) -> Path | None:
        """The checkpoint in use. `ConfigError` where it is no longer what was promoted."""
        found = self.promotion()
        if found is None:
            return None
        path = Path(found.model)
        if not path.is_dir():
            raise ConfigError(
                f"the checkpoint in use, {path}, is gone: promote another one, or go back with "
                f"`lookahead train promote --back --models {self.folder}`"
            )
        if weights_digest(path) != found.digest:
            raise ConfigError(f"{path} was changed since it was promoted: measure it again, and promote it anew")
        return path

    def history(self) -> list[Promotion]:
        """What was in use, the newest first."""
        return list(self._chain())

    def put(self, model: str | Path, reason: Reason, report: str = "", *, expected: int | None = None) -> Promotion:
        """Put this checkpoint into use. `expected`: the promotion that it was measured against, which must still be
        in use."""
        path = Path(model).resolve()
        with self._alone():
            now = self.promotion()
            if reason == "better" and (now is None or now.number != expected):
                raise ConfigError(
                    "another checkpoint was promoted since this one was measured: measure it against that one"
                )
            if reason == "first" and now is not None:
                raise ConfigError(f"{self.folder} has a checkpoint in use already: measure this one against it")
            return self._put(path, weights_digest(path), reason, report, now, None)

    def back(self, to: int | None = None) -> Promotion:
        """Put the checkpoint that was in use before this one, or an older one, into use again."""
        with self._alone():
            now = self.promotion()
            if now is None:
                raise ConfigError(f"nothing was ever promoted in {self.folder}")
            known = {one.number: one for one in self._chain()}
            number = to if to is not None else _before(now, known)
            if number is None or number not in known:
                raise ConfigError(f"there is no promotion {'before this one' if to is None else to} to go back to")
            target = known[number]
            path = Path(target.model)
            if not path.is_dir() or weights_digest(path) != target.digest:
                raise ConfigError(f"{path}, the checkpoint of promotion {number}, is gone or was changed")
            report = (self.folder / _name(number) / REPORT).read_text(encoding="utf-8")
            return self._put(path, target.digest, "back", report, now, number)

    def _put(
        self, path: Path, digest: str, reason: Reason, report: str, now: Promotion | None, same_as: int | None
    ) -> Promotion:
        number = max((int(one.name) for one in self.folder.glob("[0-9]*") if one.name.isdecimal()), default=0) + 1
        made = Promotion(
            number=number,
            model=str(path),
            digest=digest,
            previous=None if now is None else now.number,
            reason=reason,
            at=time.time(),
            same_as=same_as,
        )
        place = self.folder / _name(number)
        place.mkdir()
        (place / MODEL).symlink_to(path, target_is_directory=True)
        written(place / REPORT, report)
        written(place / RECORD, made.model_dump_json(indent=1) + "\n")
        flushed(place)
        beside = self.folder / f".{LINK}.{os.getpid()}"
        beside.unlink(missing_ok=True)
        beside.symlink_to(place.name, target_is_directory=True)
        os.replace(beside, self.folder / LINK)
        flushed(self.folder)
        return made

    def _chain(self) -> Iterator[Promotion]:
        found = self.promotion()
        while found is not None:
            yield found
            found = self._read(_name(found.previous)) if found.previous is not None else None

    def _read(self, name: str) -> Promotion:
        file = self.folder / name / RECORD
        try:
            return Promotion.model_validate(json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError, ValidationError) as error:
            raise ConfigError(f"{file} cannot be read, so it is not known what is in use: {error}") from error

    @contextmanager
    def _alone(self) -> Generator[None]:
        """One promotion at a time. The lock ends with the process, however that ends."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / ".lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def weights_digest(model: Path) -> str:
    """Names what a checkpoint is: its configuration, its weights and its tokenizer, file by file."""
    files = sorted(
        path
        for path in model.glob("*")
        if path.is_file() and path.suffix in (".json", ".safetensors", ".jinja", ".bin")
    )
    if not any(path.name == "config.json" for path in files):
        raise ConfigError(
            f"{model} is no checkpoint: it has no config.json. A stage leaves one in its --out, in model/"
        )
    total = hashlib.sha256()
    for path in files:
        with open(path, "rb") as file:
            total.update(path.name.encode() + b"\0" + hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def _before(now: Promotion, known: dict[int, Promotion]) -> int | None:
    """Going back twice goes two back, not to and fro."""
    at = known.get(now.same_as) if now.same_as is not None else now
    found = at.previous if at is not None else None
    while found is not None and (one := known.get(found)) is not None and one.same_as is not None:
        found = one.same_as
    return found


def _name(number: int) -> str:
    return f"{number:04d}"


def written(path: Path, text: str) -> None:
    """A file that is on the disk."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def flushed(folder: Path) -> None:
    """The names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

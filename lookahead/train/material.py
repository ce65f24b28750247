"""What a stage learns from: the trajectories of its pool, and the questions in them."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lookahead.domains import Domain
from lookahead.domains.base import ASKED
from lookahead.errors import ConfigError
from lookahead.train import samples
from lookahead.train.config import TrainConfig
from lookahead.train.resume import digest_of_files
from lookahead.train.samples import Trajectory, Turn
from lookahead.types import Action, Message, State


@dataclass(frozen=True, kw_only=True)
class Material:
    """A pool, read."""

    trajectories: tuple[Trajectory, ...]
    digest: str
    """Names the content of its files."""

    def texts(self) -> Iterator[str]:
        """All that a model will read, for a tokenizer to be made of; each system prompt once.

        Not only what is said, but who says it, and what a later stage asks: words that are cut into letters, because
        the first stage never meets them, would be most of what a small model hears when it is asked.
        """
        known: set[str] = set()
        for trajectory in self.trajectories:
            for one in samples.chat(trajectory):
                if one.role != "system" or one.content not in known:
                    yield one.content
                known.update((one.content,) if one.role == "system" else ())
                yield one.role
                if one.role == "user":
                    yield ASKED


def material(config: TrainConfig) -> Material:
    """Read the pool. What belongs to an evaluation trains nothing."""
    files = _files(config.data)
    found: list[Trajectory] = []
    for file in files:
        for trajectory in samples.read(file):
            if trajectory.evaluation and not config.evaluation:
                continue
            found.append(trajectory)
            if len(found) == config.limit:
                break
        if len(found) == config.limit:
            break
    if not found:
        raise ConfigError(
            f"{', '.join(config.data)}: no trajectory to learn from is in there; make a pool with "
            "`lookahead train data PATH --out DIR`"
        )
    return Material(trajectories=tuple(found), digest=digest_of_files(files))


def learns(turn: Turn, config: TrainConfig) -> bool:
    """What is imagined is not what happens: it is learned only where that is asked for here too."""
    return config.imagined or not turn.imagined


@dataclass(frozen=True, kw_only=True)
class Question:
    """One turn of one trajectory: what would the world answer?"""

    trajectory: Trajectory
    index: int

    @property
    def name(self) -> str:
        return f"{self.trajectory.digest[:16]}:{self.index}"

    @property
    def turn(self) -> Turn:
        return self.trajectory.turns[self.index]

    @property
    def action(self) -> Action:
        return self.turn.action

    @property
    def state(self) -> State:
        return self.trajectory.state(self.index)

    @cached_property
    def domain(self) -> Domain:
        return samples.domain_of(self.trajectory)

    @property
    def messages(self) -> tuple[Message, ...]:
        return samples.prompt(self.trajectory, self.index, domain=self.domain)

    @property
    def recorded(self) -> str:
        """What really came back, in the tags of an answer."""
        return samples.reference(self.trajectory, self.index, domain=self.domain)


def questions(
    trajectories: Iterable[Trajectory], config: TrainConfig, *, each: int | None = 1, epoch: int = 0
) -> list[Question]:
    """Up to `each` turns of every trajectory (None: all), other ones in each epoch, in an order of their own."""
    chosen: list[Question] = []
    for trajectory in trajectories:
        open_ = [index for index, turn in enumerate(trajectory.turns) if turn.trains and learns(turn, config)]
        if each is not None:
            open_ = _rotated(open_, config.seed, trajectory.digest, epoch * each)[:each]
        chosen += [Question(trajectory=trajectory, index=index) for index in open_]
    return sorted(chosen, key=lambda one: _order(config.seed, epoch, one.name))


def _rotated(places: Sequence[int], seed: int, name: str, step: int) -> list[int]:
    """The turns in an order that belongs to the trajectory, so many places on: no turn twice before all were had."""
    mixed = sorted(places, key=lambda place: _order(seed, place, name))
    start = step % len(mixed) if mixed else 0
    return mixed[start:] + mixed[:start]


def _order(seed: int, number: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}\0{number}\0{name}".encode()).digest()


def _files(places: Sequence[str]) -> list[Path]:
    if not places:
        raise ConfigError("learn from what? name the pool's files: --data POOL.jsonl")
    files: list[Path] = []
    for place in map(Path, places):
        found = sorted(place.glob("*.jsonl")) if place.is_dir() else [place]
        if not found or not all(one.is_file() for one in found):
            raise ConfigError(f"there is no pool at {place}: `lookahead train data PATH --out DIR` makes one")
        files += found
    return files

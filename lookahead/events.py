"""What a line tells whoever watches it, as it happens."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from lookahead.types import Action, Decision, Observation, Rollout, Verdict


@dataclass(frozen=True, kw_only=True)
class Proposed:
    candidates: tuple[Action, ...]


@dataclass(frozen=True, kw_only=True)
class Imagined:
    action: Action
    rollout: Rollout


@dataclass(frozen=True, kw_only=True)
class Judged:
    action: Action
    verdict: Verdict


@dataclass(frozen=True, kw_only=True)
class Decided:
    decision: Decision


@dataclass(frozen=True, kw_only=True)
class Acted:
    action: Action
    observation: Observation


Event: TypeAlias = Proposed | Imagined | Judged | Decided | Acted
Watch: TypeAlias = Callable[[Event], None]

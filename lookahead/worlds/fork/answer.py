"""Turn what a confined run did into what its tool would have said; or into the reason why nobody can know."""

import errno
import json
import os
import re
import signal
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from pydantic import JsonValue

from lookahead.errors import NotMyWorld, OutOfReach, WorldError, WorldTimeout
from lookahead.types import Effect, Observation
from lookahead.worlds.fork.calls import Command
from lookahead.worlds.fork.changes import Change, Reader
from lookahead.worlds.fork.confined.spec import Report
from lookahead.worlds.fork.deeds import Deeds
from lookahead.worlds.fork.effects import outside, tell
from lookahead.worlds.fork.limits import Limits
from lookahead.worlds.fork.reach import Ground, is_cache
from lookahead.worlds.fork.sandbox import Outcome
from lookahead.worlds.fork.stacks import Stack

_INHERITED: Final = (os.strerror(errno.EBADF), os.strerror(errno.ENOTSOCK))
_READ_ONLY: Final = os.strerror(errno.EROFS)
_ABSENT: Final = (os.strerror(errno.ENOENT), "nonexistent", "does not exist")
_MOST_SAID: Final = 200
_REFUSED: Final = re.compile(rf"^.*(?:: {_READ_ONLY}\W*$|\[Errno {errno.EROFS:d}\]).*$", re.MULTILINE)
"""How a program says that it was not let write; other lines may well speak of file systems."""


@dataclass(frozen=True, kw_only=True)
class Ran:
    """One call that was run in a copy, and the stack that holds what it left behind."""

    stack: Stack
    report: Report
    content: str
    structured: JsonValue = None
    failed: bool = False
    effects: tuple[Effect, ...] = ()
    network: str = ""
    world: str = ""
    touched: bool = True
    """It had to do with the directory. What a function does to the memory of its own process, no copy shows."""

    def with_effects(
        self,
        changes: list[Change],
        reader: Reader,
        recoverable: dict[str, bool | None],
        limits: Limits,
        ground: Ground,
    ) -> "Ran":
        path = ground.path
        if self.failed or any(sign in self.content for sign in _ABSENT):
            for change in changes:
                if place := _hidden_end(change, ground):
                    raise OutOfReach(
                        f"{self.world}: it made {change.name} a link to {place}, which is outside {path}, "
                        "and then failed, as it would not where that place can be reached"
                    )
        largest = max((change.after.status.st_size for change in changes if change.after), default=0)
        if largest >= limits.written:
            raise WorldError(f"{self.world}: it was stopped: a file reached {_mib(limits.written)}")
        effects = (*tell(changes, reader, recoverable, limits.effects), *outside(self.report, path))
        if self.network and not effects:
            raise NotMyWorld(f"{self.world}: it reached for {self.network}, and what comes back no copy can say")
        if not self.touched and not effects:
            raise NotMyWorld(f"{self.world}: it touched nothing in {path}, so whatever it does, it does elsewhere")
        return replace(self, effects=effects)


def judge_report(outcome: Outcome, limits: Limits, world: str) -> None:
    """Raise what went wrong. A run that met a limit has not shown what the real one would do."""
    report = outcome.report
    if "error" in report:
        raise WorldError(f"{world}: {report['error']}; call it again, or raise the limits")
    if report.get("timeout"):
        raise WorldTimeout(f"{world}: it was stopped: {report.get('limit')}; raise Limits(seconds=...) to wait longer")
    if report.get("limit"):
        raise WorldError(f"{world}: it was stopped: {report.get('limit')}; raise that limit if it needs more")
    code = report.get("exit", 0)
    if code in (-signal.SIGXCPU, 128 + signal.SIGXCPU):
        raise WorldTimeout(f"{world}: it was stopped: one process used {limits.cpu_seconds} seconds of processor time")
    if code in (-signal.SIGXFSZ, 128 + signal.SIGXFSZ):
        raise WorldError(f"{world}: it was stopped: a file reached {_mib(limits.written)}")


def command_answer(outcome: Outcome, stack: Stack, call: Command, ground: Ground, cwd: str, world: str) -> Ran:
    report = outcome.report
    content = outcome.output.decode("utf-8", errors="replace")
    if outcome.written > len(outcome.output):
        content += f"\n[output cut: of {outcome.written:,} bytes the first {len(outcome.output):,} are kept]"
    _judge_words(content, ground, world)
    code = report.get("exit", 0)
    structured: dict[str, JsonValue] = {"exit_code": code}
    if outcome.written > len(outcome.output):
        structured["output_bytes"] = outcome.written
    if report.get("still_running"):
        structured["still_running"] = report.get("still_running", 0)
    return Ran(
        stack=stack,
        report=report,
        content=content,
        structured=structured,
        failed=code != 0,
        network="the network" if report.get("network") else "",
        world=world,
    )


def function_answer(outcome: Outcome, stack: Stack, ground: Ground, cwd: str, world: str) -> Ran:
    if outcome.result_cut:
        raise WorldError(f"{world}: its answer is too long; raise Limits(output=...)")
    try:
        told = cast(dict[str, Any], json.loads(outcome.result))
        said = Observation.model_validate(told["observation"])
        read, written, made, commands = (cast(list[str], told[key]) for key in ("read", "written", "made", "commands"))
        network = str(told["network"])
    except (ValueError, KeyError, TypeError) as cause:
        code = outcome.report.get("exit")
        raise WorldError(f"{world}: the function ended its process (exit status {code}) before it answered") from cause
    written += [place for place in made if not os.path.isdir(place)]
    harmed = next((place for place in written if ground.harmed(place)), "")
    deeds = (deed.place for command in commands for deed in Deeds(ground=ground, cwd=cwd).outside(command))
    if harmed := harmed or next(deeds, ""):
        raise out_of_reach(harmed, ground, world)
    asked = (place for place in (*read, *written, *made) if ground.astray(place))
    unshown = (place for place in (*written, *made) if ground.unshown(place))
    named = filter(None, (ground.named_outside(command, cwd) for command in commands))
    astray = next(asked, "") or next(unshown, "") or next(named, "")
    if astray:
        raise NotMyWorld(f"{world}: it reached outside {ground.path} ({astray}), where there is no copy")
    _judge_words(said.content, ground, world)
    hollow = said.failed and any(sign in said.content for sign in _INHERITED)
    if hollow:
        raise NotMyWorld(f"{world}: it used a connection or a file that was open already, which no copy can have")
    return Ran(
        stack=stack,
        touched=bool(commands) or any(ground.inside(place) for place in (*written, *made, *read)),
        report=outcome.report,
        content=said.content,
        structured=said.structured,
        failed=said.failed,
        network=network or ("the network" if outcome.report.get("network") else ""),
        world=world,
    )


def out_of_reach(place: str, ground: Ground, world: str) -> OutOfReach:
    return OutOfReach(f"{world}: it would change {place}, outside {ground.path}")


def _hidden_end(change: Change, ground: Ground) -> str:
    """Where a link that was made leads, if there is something there that the room does not show."""
    if change.after is None or change.what != "link":
        return ""
    end = os.readlink(change.after.path)
    place = os.path.realpath(os.path.join(ground.path, os.path.dirname(change.name), end))
    return place if ground.astray(place) else ""


def _judge_words(content: str, ground: Ground, world: str) -> None:
    """A write outside that the room refused is told by nothing but the program's own words."""
    refused = [line.strip() for line in _REFUSED.findall(content)]
    if line := next((line for line in refused if not is_cache(line)), ""):
        raise OutOfReach(
            f"{world}: it tried to write outside {ground.path}, where there is no copy: {line[:_MOST_SAID]}"
        )
    if refused or _READ_ONLY in content:
        raise NotMyWorld(f"{world}: it tried to write outside {ground.path}, and there no copy can say what happens")


def _mib(count: int) -> str:
    return f"{count / (1 << 20):,.0f} MiB"

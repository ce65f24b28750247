"""Where imagined states are made: it owns scratch folder, rooms and layers, and runs one call on a stack."""

import errno
import os
import re
import secrets
import shlex
import shutil
import threading
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Literal

from lookahead.errors import NotMyWorld, WorldError
from lookahead.worlds.fork import losses, visible
from lookahead.worlds.fork.answer import Ran, command_answer, function_answer, judge_report, out_of_reach
from lookahead.worlds.fork.callables import body_of
from lookahead.worlds.fork.calls import Call, Command
from lookahead.worlds.fork.changes import Change, Reader
from lookahead.worlds.fork.confined.spec import Order, Room
from lookahead.worlds.fork.copying import copy_view
from lookahead.worlds.fork.deeds import Deeds
from lookahead.worlds.fork.job import Job, in_thread
from lookahead.worlds.fork.limits import Limits
from lookahead.worlds.fork.missing import sandbox_missing
from lookahead.worlds.fork.reach import Ground
from lookahead.worlds.fork.sandbox import Line, Outcome, Rooms, Run, fork_here
from lookahead.worlds.fork.scratch import Scratch, supports_layers
from lookahead.worlds.fork.stacks import Layer, Shelf, Stack
from lookahead.worlds.fork.who import event_loop, file_mask, is_privileged

_CROSS_DEVICE: Final = (os.strerror(errno.EXDEV), os.strerror(errno.EOVERFLOW))
"""What an overlay says to a rename of a folder, and to a user that it cannot name; the real directory would not."""

_GIT: Final = re.compile(r"(?<![\w./-])git(?![\w.-])")


class _NoOverlay(Exception):
    """The copy could not be overlaid here."""


class _Different(Exception):
    """The overlay answered as no plain directory would."""


@dataclass(frozen=True, kw_only=True)
class _Open:
    """What lives from the first call to the last."""

    scratch: Scratch
    rooms: Rooms
    room: Room
    ground: Ground
    process: int

    @property
    def ours(self) -> bool:
        """False in a child of the process that opened it: the child must neither use nor remove what its parent has."""
        return self.process == os.getpid()

    def close(self) -> None:
        if self.ours:
            self.rooms.close()
            self.scratch.close()


@dataclass(kw_only=True, eq=False)
class Workshop:
    path: Path
    limits: Limits
    readable: tuple[str, ...]
    environment: dict[str, str]
    name: str
    method: Literal["auto", "overlay", "copy"]
    scratch: Path | None
    python: bool

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._opened: _Open | None = None
        self._stale: list[_Open] = []
        self._shelf = Shelf()
        self._places: list[Path | None] = [self.scratch, Path("/dev/shm", f"lookahead-fork-{os.getuid()}")]
        self._plain = self.method == "copy"

    def reality(self) -> Stack:
        return Stack(shelf=self._shelf)

    async def run(self, stack: Stack, call: Command | Call) -> Ran:
        loop = event_loop()
        return await in_thread(lambda job: self._run(job, stack, call, loop), self._undo)

    def try_out(self, job: Job[Ran], call: Command) -> None:
        """Run something here and now, in the caller's own thread, and keep nothing of it."""
        self._undo(self._run(job, self.reality(), call, ""))

    async def release(self, stack: Stack) -> None:
        if stack.layers or stack.whole:
            await in_thread(lambda job: stack.let_go(self._remove) or True)

    async def aclose(self) -> None:
        await in_thread(lambda job: self.close() or True)

    def close(self) -> None:
        with self._lock:
            opened, self._opened = [*self._stale, *([self._opened] if self._opened else [])], None
            self._stale = []
        for one in opened:
            one.close()

    def _undo(self, ran: Ran) -> None:
        ran.stack.let_go(self._remove)

    def _remove(self, name: str) -> None:
        opened = self._opened
        if opened is not None and opened.ours:
            opened.scratch.remove(name)

    # One run, in a thread

    def _run(self, job: Job[Ran], stack: Stack, call: Command | Call, loop: str) -> Ran:
        while True:
            opened = self._open()
            if self._plain:
                return self._on_copy(job, opened, stack, call, loop)
            try:
                return self._on_overlay(job, opened, stack, call, loop)
            except _NoOverlay as cause:
                if self.method == "overlay" or stack.layers:
                    raise WorldError(f"{self.name}: the copy could not be overlaid: {cause}") from cause
                self._elsewhere(opened)
            except _Different:
                return self._on_copy(job, opened, stack, call, loop)

    def _on_overlay(self, job: Job[Ran], opened: _Open, stack: Stack, call: Command | Call, loop: str) -> Ran:
        layer = Layer(name=opened.scratch.layer())
        made = stack.under(layer)
        try:
            base = opened.scratch.part(stack.whole.name) if stack.whole else str(self.path)
            room: Room = {**opened.room, "base": base}
            order = self._order(call, layer.name, [one.name for one in stack.layers], opened)
            ran = self._answered(job, opened, room, order, call, loop, made)
            if any(sign in ran.content for sign in _CROSS_DEVICE):
                raise _Different
            with Reader(str(opened.scratch.path)) as reader:
                changes = list(reader.changes(opened.scratch.part(layer.name), self._below(opened, stack)))
                told = self._told(job, opened, reader, stack, made, ran, changes)
        except BaseException:
            made.let_go(self._remove)
            raise
        return told

    def _on_copy(self, job: Job[Ran], opened: _Open, stack: Stack, call: Command | Call, loop: str) -> Ran:
        layer = Layer(name=opened.scratch.layer())
        made = stack.replaced_by(layer)
        try:
            below, target = self._below(opened, stack), opened.scratch.part(layer.name)
            with Reader(str(opened.scratch.path)) as reader:
                copied = copy_view(below, target, reader, self.limits.copied)
            room: Room = {**opened.room, "base": target, "whole": True}
            order = self._order(call, layer.name, [], opened)
            ran = self._answered(job, opened, room, order, call, loop, made)
            with Reader(str(opened.scratch.path)) as reader:
                changes = list(reader.changes(target, below, copied=copied))
                return self._told(job, opened, reader, stack, made, ran, changes)
        except BaseException:
            made.let_go(self._remove)
            raise

    def _answered(
        self, job: Job[Ran], opened: _Open, room: Room, order: Order, call: Command | Call, loop: str, made: Stack
    ) -> Ran:
        if isinstance(call, Command):
            line = call.text if call.is_shell else shlex.join(call.argv)
            deeds = Deeds(ground=opened.ground, cwd=order["cwd"]).outside(line)
            if deed := next((deed for deed in deeds if deed.by_link), None):
                raise out_of_reach(deed.place, opened.ground, self.name)
            outside = opened.ground.named_outside(call.text, order["cwd"])
            if outside:
                raise NotMyWorld(f"{self.name}: it reaches outside {self.path} ({outside}), where there is no copy")
            if _GIT.search(call.text) and any(visible.git_above(self.path)):
                raise NotMyWorld(f"{self.name}: git works on its whole repository, and {self.path} is but a part of it")
            outcome = self._confined(job, opened, room, order)
            return command_answer(outcome, made, call, opened.ground, order["cwd"], self.name)
        run = Run(order, self.limits.output)
        result, far_result = os.pipe()
        try:
            body = body_of(call.function, call.action, far_result, loop)

            def connect() -> Line:
                try:
                    return Line(fork_here(body, far_result), room)
                finally:
                    os.close(far_result)

            outcome = self._judged(job.confined(run, connect, result))
        finally:
            os.close(result)
        return function_answer(outcome, made, opened.ground, order["cwd"], self.name)

    def _confined(self, job: Job[Ran], opened: _Open, room: Room, order: Order, keep: int = 0) -> Outcome:
        run = Run(order, keep or self.limits.output)
        return self._judged(job.confined(run, lambda: opened.rooms.connect(room, spare=opened.room)))

    def _judged(self, outcome: Outcome) -> Outcome:
        stage, error = outcome.report.get("stage"), outcome.report.get("error", "")
        if stage == "copy":
            raise _NoOverlay(error)
        if stage in ("namespaces", "room"):
            raise sandbox_missing(error)
        judge_report(outcome, self.limits, self.name)
        return outcome

    def _told(
        self, job: Job[Ran], opened: _Open, reader: Reader, before: Stack, made: Stack, ran: Ran, changes: list[Change]
    ) -> Ran:
        committed = self._committed(job, opened, reader, before, made, changes)
        recoverable = losses.recoverable(changes, reader, committed)
        return ran.with_effects(changes, reader, recoverable, self.limits, opened.ground)

    def _committed(
        self, job: Job[Ran], opened: _Open, reader: Reader, before: Stack, made: Stack, changes: list[Change]
    ) -> dict[str, list[str]] | None:
        """What git has of the lost things, asked in the copy as it is after: a destroyed repository has nothing."""
        below = self._below(opened, before)
        in_here, _ = reader.resolve(below, ".git")
        if shutil.which("git") is None or not (in_here or any(visible.git_above(self.path))):
            return {}
        touched = any(change.name == ".git" or change.name.startswith(".git/") for change in changes)
        head = losses.head_commit(partial(reader.text, below)) if touched else "HEAD"
        asked, question = losses.git_questions(changes, head)
        if not asked or not head:
            return {}
        layer = Layer(name=opened.scratch.layer())
        whole = bool(made.whole and not made.layers)
        place = made.whole if whole and made.whole else layer
        slip = f".lookahead-{secrets.token_hex(8)}"
        question_file = Path(opened.scratch.part(place.name), slip)
        try:
            question_file.write_bytes(question)
            base = opened.scratch.part(made.whole.name) if made.whole else str(self.path)
            room: Room = {**opened.room, "base": base, "whole": whole}
            argv = ("/bin/sh", "-c", 'exec "$@" < "$0"', slip, *losses.GIT)
            order = self._order(Command(argv=argv), place.name, [one.name for one in made.layers], opened)
            order["env"] = {**order["env"], **losses.GIT_ENVIRONMENT}
            order["cwd"] = str(self.path)
            outcome = self._confined(job, opened, room, order, keep=4096 + 4 * len(question) + 200 * len(asked) * 3)
        except (WorldError, _NoOverlay):
            return None
        finally:
            question_file.unlink(missing_ok=True)
            opened.scratch.remove(layer.name)
        return losses.git_answers(asked, head, outcome.output) if outcome.report.get("exit") == 0 else {}

    def _below(self, opened: _Open, stack: Stack) -> list[str]:
        base = opened.scratch.part(stack.whole.name) if stack.whole else str(self.path)
        return [*(opened.scratch.part(layer.name) for layer in stack.layers), base]

    def _order(self, call: Command | Call, layer: str, layers: list[str], opened: _Open) -> Order:
        here = os.path.realpath(os.getcwd()) if os.path.isdir(".") else str(self.path)
        limits = self.limits
        return {
            "layers": layers,
            "layer": layer,
            "cwd": here if opened.ground.inside(here) else str(self.path),
            "argv": list(call.argv) if isinstance(call, Command) else [call.function.name],
            "env": visible.environment(self.environment),
            "mask": file_mask(),
            "seconds": limits.seconds,
            "cpu_seconds": limits.cpu_seconds,
            "memory": limits.memory,
            "processes": limits.processes,
            "files": limits.files,
            "written": limits.written,
        }

    # Opening and moving house

    def _open(self) -> _Open:
        with self._lock:
            if self._opened is None or not self._opened.ours:
                self._opened = self._made()
            return self._opened

    def _made(self) -> _Open:
        if os.environ.get("LOOKAHEAD_SANDBOX") == "missing":
            raise sandbox_missing("LOOKAHEAD_SANDBOX=missing")
        if os.name != "posix" or not os.path.isdir("/proc/self/ns"):
            raise sandbox_missing("this is not Linux")
        scratch = Scratch(self._places[0])
        try:
            etc = scratch.path / "etc"
            folders = visible.prepare_etc(etc)
            shown = [*visible.shown(self.path, self.readable, python=self.python), *folders]
            home = visible.home()
            room: Room = {
                "session": str(scratch.path),
                "path": str(self.path),
                "base": str(self.path),
                "whole": False,
                "shown": shown,
                "links": visible.root_links(),
                "etc": str(etc),
                "home": home,
                "scratch": self.limits.scratch,
                "processes": self.limits.processes,
                "privileged": is_privileged(),
            }
        except BaseException:
            scratch.close()
            raise
        return _Open(
            scratch=scratch,
            rooms=Rooms(),
            room=room,
            ground=Ground(str(self.path), shown, str(etc), home),
            process=os.getpid(),
        )

    def _elsewhere(self, failed: _Open) -> None:
        """Layers cannot lie on every file system (not on a container's own overlay): try memory, then plain copies."""
        with self._lock:
            if self._opened is not failed:
                return
            if len(self._places) > 1 and supports_layers(self._places[1]):
                self._places.pop(0)
                self._stale.append(failed)
                self._opened = None
            else:
                self._plain = True

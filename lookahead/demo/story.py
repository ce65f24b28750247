"""The demo from beginning to end: make the project, let the scripted agent work behind the line, look what became."""

import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Final, cast

import anyio
from pydantic import JsonValue

from lookahead import BestOf, Session, with_lookahead
from lookahead.demo import project
from lookahead.demo.folder import Folder, Snapshot, snapshot
from lookahead.demo.scene import Moment, Scene
from lookahead.demo.screen import PAUSES, Screen
from lookahead.drawing import Label, label, say
from lookahead.errors import SandboxMissing
from lookahead.events import Event
from lookahead.show import safe
from lookahead.types import Action, Effect, State, Tool
from lookahead.worlds.fork.directory import DirectoryFork

GOAL: Final = "Tidy this project: remove what the last build left behind"
TRANSCRIPT: Final = 1
"""The version of what `--json` prints. Fields are added under the same number; none is renamed or dropped under it."""

COMMAND: Final[dict[str, JsonValue]] = {
    "type": "object",
    "properties": {"command": {"type": "string"}},
    "required": ["command"],
    "additionalProperties": False,
}
TOOLS: Final = (
    Tool(name="look", description="Look around in the project.", parameters=COMMAND, effect="reads"),
    Tool(name="shell", description="Run a command in the project.", parameters=COMMAND, effect="changes"),
)


@dataclass(frozen=True, kw_only=True)
class Script:
    """What the agent of the demo says, in place of a language model."""

    look: str
    tidy: str
    rivals: tuple[str, ...]

    @classmethod
    def for_project(cls, *, git: bool) -> "Script":
        gentle = "rm -rf build debug.log src/__pycache__ tests/__pycache__"
        if git:
            return cls(
                look="git status --short --ignored",
                tidy="git clean -fdx && git checkout -- .",
                rivals=("git clean -fdX", gentle),
            )
        return cls(look="ls -A", tidy="rm -rf build notes .env debug.log", rivals=("rm -rf build .env", gentle))

    def wishes(self) -> tuple[Action, ...]:
        return (shell("look", self.look), shell("shell", self.tidy))

    async def propose(self, state: State, n: int, /) -> Sequence[Action]:
        return [shell("shell", command) for command in self.rivals[:n]]


def shell(tool: str, command: str) -> Action:
    return Action(tool=tool, arguments={"command": command})


@dataclass(frozen=True, kw_only=True)
class Ending:
    """What the demo found out."""

    scene: Scene
    folder: Path
    saved: tuple[Effect, ...]
    """What the proposed command would have lost and the folder still holds, unchanged."""
    lost: tuple[Effect, ...]
    seconds: float

    @property
    def agrees(self) -> bool:
        compared = [moment.comparison for moment in self.scene.moments if moment.comparison is not None]
        return bool(compared) and all(comparison.whole for comparison in compared)

    @property
    def code(self) -> int:
        """2, findings: imagined and real differ, or something unsaved is gone."""
        return 0 if self.agrees and self.saved and not self.lost else 2

    def transcript(self) -> dict[str, JsonValue]:
        return {
            "lookahead_demo": TRANSCRIPT,
            "goal": self.scene.goal,
            "folder": str(self.folder),
            "moments": [_moment(moment) for moment in self.scene.moments],
            "saved": [effect.model_dump(mode="json") for effect in self.saved],
            "lost": [effect.model_dump(mode="json") for effect in self.lost],
            "agrees": self.agrees,
            "seconds": round(self.seconds, 3),
        }


@dataclass(kw_only=True)
class Stage:
    """Hands events to the screen one by one, each with its pause, and knows when the audience has seen them all."""

    scene: Scene
    screen: Screen
    pauses: bool
    _waiting: list[Event | Action] = field(default_factory=list[Event | Action])
    _moved: anyio.Event = field(default_factory=anyio.Event)

    def watch(self, event: Event | Action) -> None:
        self._waiting.append(event)
        self._wake()

    async def present(self) -> None:
        while True:
            while not self._waiting:
                await self._moved.wait()
            event = self._waiting[0]
            if isinstance(event, Action):
                self.scene.moments.append(Moment(wish=event))
            else:
                self.scene.moments[-1].see(event)
            self.screen.show(self.scene)
            if self.pauses:
                await anyio.sleep(PAUSES[None if isinstance(event, Action) else type(event)])
            del self._waiting[0]
            self._wake()

    async def caught_up(self) -> None:
        while self._waiting:
            await self._moved.wait()

    def _wake(self) -> None:
        moved, self._moved = self._moved, anyio.Event()
        moved.set()


async def play(home: Path, screen: Screen, *, pauses: bool) -> Ending:
    """The whole demo inside the folder `home`."""
    started = perf_counter()
    folder = home / "tides"
    folder.mkdir()
    git = await anyio.to_thread.run_sync(project.make, folder)
    script = Script.for_project(git=git)
    stage = Stage(scene=Scene(goal=GOAL), screen=screen, pauses=pauses)
    before = snapshot(folder)
    async with DirectoryFork(folder) as world, anyio.create_task_group() as tasks:
        tasks.start_soon(stage.present)
        guarded = with_lookahead(
            Folder(path=folder, ready=stage.caught_up),
            goal=GOAL,
            world=world,
            search=BestOf(k=3, propose=script.propose),
            policy={"swap": True},
            mode="guard",
            journal=home / "journal.sqlite",
        )
        session = cast(Session, getattr(guarded, "lookahead"))  # noqa: B009
        session.watch(stage.watch)
        state = State(goal=GOAL, tools=TOOLS)
        for wish in script.wishes():
            stage.watch(wish)
            state = state.then(wish, await guarded(state, wish))
            await stage.caught_up()
        session.close()
        tasks.cancel_scope.cancel()
    ending = _ending(stage.scene, folder, before, perf_counter() - started)
    stage.scene.ending = _told(ending)
    screen.show(stage.scene, done=True)
    return ending


def _ending(scene: Scene, folder: Path, before: Snapshot, seconds: float) -> Ending:
    """Look at the real folder once more: what the proposed command would have lost, is it still what it was?"""
    after = snapshot(folder)
    saved: list[Effect] = []
    lost: list[Effect] = []
    for moment in scene.moments:
        blind = [one.rollout.failure for one in moment.considered if one.rollout.failure]
        if blind and not any(one.rollout.steps for one in moment.considered):
            raise SandboxMissing(f"nothing could be imagined here: {blind[0]}")
        wished = next((one for one in moment.considered if one.rollout.action.digest == moment.wish.digest), None)
        for effect in wished.rollout.effects if wished else ():
            if effect.happened in ("deleted", "changed") and effect.recoverable is False and effect.what == "file":
                kept = before.get(effect.target) == after.get(effect.target)
                (saved if kept else lost).append(effect)
    intended = {
        effect.target for moment in scene.moments for effect in (moment.real.effects or () if moment.real else ())
    }
    return Ending(
        scene=scene,
        folder=folder,
        saved=tuple(saved),
        lost=tuple(effect for effect in lost if effect.target not in intended),
        seconds=seconds,
    )


def _told(ending: Ending) -> tuple[Label, ...]:
    told = [say("The proposed command would have destroyed work that nobody has saved. It is still there:")]
    told += [label(("✓ ", "good"), (safe(effect.target), "strong"), (" unchanged", "plain")) for effect in ending.saved]
    told += [label(("✗ ", "danger"), (safe(effect.target), "strong"), (" is gone", "danger")) for effect in ending.lost]
    told.append(
        say("What was imagined is what happened.", "good")
        if ending.agrees
        else say("What was imagined is not what happened.", "danger")
    )
    return tuple(told)


def _moment(moment: Moment) -> dict[str, JsonValue]:
    comparison = moment.comparison
    return {
        "wish": moment.wish.model_dump(mode="json"),
        "decision": moment.decision.model_dump(mode="json") if moment.decision else None,
        "acted": moment.acted.model_dump(mode="json") if moment.acted else None,
        "real": moment.real.model_dump(mode="json") if moment.real else None,
        "comparison": None
        if comparison is None
        else {
            "both": [effect.model_dump(mode="json") for effect in comparison.both],
            "only_imagined": [effect.model_dump(mode="json") for effect in comparison.only_imagined],
            "only_real": [effect.model_dump(mode="json") for effect in comparison.only_real],
        },
    }


@contextmanager
def throwaway(*, keep: bool) -> Generator[Path]:
    """A folder of our own, gone afterwards whatever happens, unless it is to be kept."""
    if keep:
        yield Path(tempfile.mkdtemp(prefix="lookahead-demo-"))
    else:
        with tempfile.TemporaryDirectory(prefix="lookahead-demo-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)

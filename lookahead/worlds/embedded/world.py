"""The small world model as an `Environment`: a scene and a call in, what would come back and what would change out."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeGuard, cast

import anyio.to_thread

from lookahead.errors import ConfigError, NotMyWorld, WorldError, boundary
from lookahead.types import Action, Observation, State
from lookahead.worlds.embedded.doubt import shown, why_unsure
from lookahead.worlds.embedded.foretelling import Foretell, Said
from lookahead.worlds.embedded.gate import check_line, check_places, kind_of, text_of
from lookahead.worlds.embedded.outcome import Outcome, outcome_of
from lookahead.worlds.embedded.scene import Scene
from lookahead.worlds.embedded.shipped import name_of_weights, own, shipped
from lookahead.worlds.embedded.sight import Look
from lookahead.worlds.embedded.together import Together
from lookahead.worlds.embedded.tracking import Tracking

FLOOR: Final = 0.8
"""Who is less sure than this says nothing."""
NAME: Final = "embedded"


@dataclass(frozen=True)
class _Asked:
    """One question to the model. Equal questions at the same time are one."""

    scene: str
    action: str


class EmbeddedWorld:
    """Imagines shells, files, SQLite, keys and tickets with the small model that comes with Lookahead, or abstains.

    It has to know what is there: `scene` is that, or a function that looks (`scene_of_directory`, `scene_of_sqlite`);
    without one it goes by what real answers said (`pwd`, then `ls`, `cat`), and by a state's `situation` where that is
    the text of a scene. An imagined step stands on the scene that was foretold before it.

    "Not my world" (`NotMyWorld`) is its answer to a tool, a command or a place that it did not learn, to what hangs on
    things that nobody has seen, and wherever its confidence, which is measured and not what the model feels, is below
    `floor`. `one_shell` says that a `cd` holds for later calls. `weights`: a folder of `lookahead train small`, in
    place of those that come with Lookahead.
    """

    def __init__(
        self,
        scene: Scene | Look | None = None,
        engine: Foretell | Callable[[], Foretell] | None = None,
        *,
        weights: str | Path | None = None,
        floor: float = FLOOR,
        one_shell: bool = True,
        name: str | None = None,
    ) -> None:
        if not 0 <= floor <= 1:
            raise ConfigError(f"floor={floor} is a probability: between 0 and 1")
        if weights is not None:
            if engine is not None:
                raise ConfigError("an engine has weights of its own: give one of engine= and weights=")
            found, engine = own(Path(weights))
            name = name or found
        self.floor: Final = floor
        self._engine = engine
        self._named = name
        self._mind: Foretell | None = None if engine is None or _makes(engine) else cast(Foretell, engine)
        self._loading = threading.Lock()
        self._together: Together[tuple[Scene, str], Outcome] = Together(self._foretell)
        self._tracking = Tracking(
            beginning=scene if isinstance(scene, Scene) else None,
            look=None if scene is None or isinstance(scene, Scene) else scene,
            one_shell=one_shell,
            ask=self._ask,
            floor=floor,
        )

    @property
    def name(self) -> str:
        """With the digest of the weights: another model has to earn its own record."""
        if self._named is not None:
            return self._named
        if self._mind is not None:
            return self._mind.name
        return name_of_weights() if self._engine is None else NAME

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def __call__(self, state: State, action: Action, /) -> Observation:
        outcome = await self.outlook(state, action)
        if outcome.confidence < self.floor:
            raise NotMyWorld(
                f"{self.name}: it is {outcome.confidence:.0%} sure of what this call does, and says nothing below "
                f"{self.floor:.0%}"
            )
        return outcome.observation

    async def outlook(self, state: State, action: Action, /) -> Outcome:
        """The same with what an observation has no place for: the scene afterwards, and how likely the call fails.

        It answers below the floor too. Raises `NotMyWorld` for all other reasons.
        """
        try:
            kind = kind_of(state, action, declared=self._tracking.declared)
            text = text_of(kind, action)
            with self._together.coming() as arrive:
                mind = await self._minded()
                if kind == "shell":
                    check_line(text, mind.about.commands)
                scene = await self._tracking.scene(state, kind)
                outcome = await self._ask(scene, action, text, arrive)
        except NotMyWorld as abstained:
            if str(abstained).startswith(f"{self.name}: "):
                raise
            raise NotMyWorld(f"{self.name}: {abstained}") from abstained
        self._tracking.remember(state, action, outcome, kind)
        return outcome

    async def _ask(self, scene: Scene, action: Action, text: str, arrive: Callable[[], None] | None = None) -> Outcome:
        mind = await self._minded()
        if scene.kind == "shell":
            check_line(text, mind.about.commands)
            check_places(scene, text)
        if reason := why_unsure(scene, text):
            raise NotMyWorld(reason)
        return await self._together.ask((scene, text), arrive)

    async def _minded(self) -> Foretell:
        """The model, loaded when it is first needed, on a thread."""
        if self._mind is None:
            with boundary(WorldError, "loading the embedded world model"):
                await anyio.to_thread.run_sync(self._load)
        assert self._mind is not None
        return self._mind

    def _load(self) -> None:
        with self._loading:
            if self._mind is None:
                self._mind = shipped() if self._engine is None else cast("Callable[[], Foretell]", self._engine)()

    def _foretell(self, asked: Sequence[tuple[Scene, str]], stop: Callable[[], bool]) -> Sequence[Outcome | Exception]:
        """On a thread: each scene is read once, each different question asked once."""
        assert self._mind is not None
        mind = self._mind
        groups: dict[str, dict[str, None]] = {}
        texts = [shown(scene).text() for scene, _ in asked]
        for (_, action), text in zip(asked, texts, strict=True):
            groups.setdefault(text, {})[action] = None
        said: dict[_Asked, Said | Exception] = {}
        for text, actions in groups.items():
            if stop():
                break
            said.update(self._said(mind, text, list(actions), stop))
        stopped = WorldError(f"{self.name}: nobody waited for the answer")
        return [
            self._outcome(mind, scene, action, said.get(_Asked(text, action), stopped))
            for (scene, action), text in zip(asked, texts, strict=True)
        ]

    def _said(
        self, mind: Foretell, text: str, actions: list[str], stop: Callable[[], bool]
    ) -> Mapping[_Asked, Said | Exception]:
        size = mind.size(text)
        if size > mind.about.room:
            large = NotMyWorld(
                f"{self.name}: what is there takes {size} tokens to say, and the model learned to look at "
                f"{mind.about.room}"
            )
            return {_Asked(text, action): large for action in actions}
        try:
            with boundary(WorldError, f"{self.name} foretells"):
                found = mind(text, actions, stop=stop)
        except WorldError as failure:
            return {_Asked(text, action): failure for action in actions}
        return {_Asked(text, action): one for action, one in zip(actions, found, strict=True)}

    def _outcome(self, mind: Foretell, scene: Scene, action: str, said: Said | Exception) -> Outcome | Exception:
        if isinstance(said, Exception):
            return said
        try:
            with boundary(WorldError, f"{self.name} foretells"):
                return outcome_of(scene, action, said, mind.about.calibration, self.name)
        except WorldError as failure:
            return failure


def _makes(engine: Foretell | Callable[[], Foretell]) -> TypeGuard[Callable[[], Foretell]]:
    """A function without arguments that loads an engine, rather than one."""
    return not hasattr(engine, "about")

"""Really executed episodes of the small model's worlds as transitions, and the model asked about them one by one."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from lookahead.errors import NotMyWorld
from lookahead.evaluate.rules import Rules
from lookahead.evaluate.transitions import Change, Transition
from lookahead.train.small.example import Branch, Example
from lookahead.types import Action, Observation, State, Tool
from lookahead.worlds.embedded.difference import effects_of
from lookahead.worlds.embedded.effects import applied
from lookahead.worlds.embedded.formulas.calls import called
from lookahead.worlds.embedded.program import filled
from lookahead.worlds.embedded.scene import Kind, Scene, scene_of
from lookahead.worlds.embedded.tools import CALLS
from lookahead.worlds.embedded.world import EmbeddedWorld

STRICT: Final = Rules.none()
_REMEMBERED: Final = 4096


@dataclass(frozen=True, kw_only=True)
class Real:
    """One step that really happened: what was there before and after, and whether the episode went on with it."""

    transition: Transition
    before: Scene
    after: Scene
    command: str
    chosen: bool


def steps(examples: Iterable[Example]) -> Iterator[Real]:
    """Every call that was made, with the real history of its episode and the scene in which it was made."""
    for _, group in groupby(examples, key=lambda example: example.episode):
        history = State()
        for example in group:
            tools = tools_of(example.scene.kind)
            here = history.model_copy(update={"tools": tools, "situation": example.scene.text()})
            made = [_real(example, branch, here) for branch in example.branches if branch.program.ending != "?"]
            yield from made
            for one in made:
                if one.chosen:
                    history = history.then(one.transition.action, one.transition.observed)


def foreign(examples: Iterable[Example]) -> Iterator[tuple[State, Action]]:
    """Calls that are none of its world, in a world that is."""
    for example in examples:
        for branch in example.branches:
            if branch.program.ending == "?":
                state = State(tools=tools_of(example.scene.kind), situation=example.scene.text())
                yield state, action_of(example.scene.kind, branch.action)


def tools_of(kind: Kind) -> tuple[Tool, ...]:
    if kind == "shell":
        command = {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]}
        return (Tool.model_validate({"name": "shell", "parameters": command}),)
    return tuple(Tool(name=call.name, parameters=call.schema()) for call in CALLS[kind])


def action_of(kind: Kind, text: str) -> Action:
    if kind == "shell":
        return Action(tool="shell", arguments={"command": text})
    tool, arguments = called(text)
    return Action(tool=tool, arguments=arguments)


def difference(before: Scene, after: Scene) -> Change:
    """What is different afterwards, fact by fact; where one stands is a fact as well."""
    names = [name for name in {*before.facts, *after.facts} if before.facts.get(name) != after.facts.get(name)]
    change: Change = {name: after.facts.get(name) for name in sorted(names)}
    return change if before.here == after.here else {**change, "@": after.here}


class Forced:
    """The small model on the true scene before each call, and on nothing else."""

    def __init__(self, world: EmbeddedWorld, floor: float) -> None:
        self.name: Final = world.name
        self._world, self._floor = world, floor
        self._said: OrderedDict[str, tuple[Change, float]] = OrderedDict()

    async def __call__(self, state: State, action: Action, /) -> Observation:
        outcome = await self._world.outlook(State(tools=state.tools, situation=state.situation), action)
        if outcome.confidence < self._floor:
            raise NotMyWorld(f"{self.name}: it is too unsure")
        change = difference(scene_of(state.situation), outcome.after)
        self._said[_place(state, action)] = change, outcome.failure
        if len(self._said) > _REMEMBERED:
            self._said.popitem(last=False)
        return outcome.observation

    def change_of(self, state: State, action: Action, observation: Observation, /) -> Change | None:
        return self._said[_place(state, action)][0]

    def failure_of(self, state: State, action: Action, observation: Observation, /) -> float | None:
        return self._said[_place(state, action)][1]


def _real(example: Example, branch: Branch, state: State) -> Real:
    """What a program says is what really came of the call: nothing else was kept as its label."""
    scene = example.scene
    after = applied(scene, branch.action, branch.program.changes)
    observed = Observation(
        content=filled(scene, branch.action, branch.program.result, exact=False),
        failed=branch.program.failed,
        effects=effects_of(scene, after),
    )
    transition = Transition(
        episode=example.episode,
        index=example.depth,
        domain=scene.kind,
        state=state,
        action=action_of(scene.kind, branch.action),
        observed=observed,
        change=difference(scene, after),
    )
    return Real(transition=transition, before=scene, after=after, command=branch.command, chosen=branch.chosen)


def _place(state: State, action: Action) -> str:
    return f"{state.digest} {action.digest}"

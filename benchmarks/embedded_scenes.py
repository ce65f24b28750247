"""Really executed episodes of the small model's worlds, and the world asked about each in a closed loop."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from lookahead.errors import LookaheadError, NotMyWorld
from lookahead.evaluate.fidelity import Measurement, at_most
from lookahead.evaluate.outcomes import judged, unanswered
from lookahead.train.small import recipe
from lookahead.train.small.example import Example, read
from lookahead.train.small.real import STRICT, Real, difference
from lookahead.types import Observation, State
from lookahead.worlds.embedded.world import EmbeddedWorld


def fresh(name: str, episodes: int, shift: int, data: Path | None) -> Iterator[Example]:
    """Examples of a part of the recipe: out of a folder where they are, else executed now. `shift` moves its seeds."""
    part = recipe.part(name)
    kept = None if data is None or shift else data / f"{name}.jsonl"
    if kept is not None and kept.exists():
        found = read(kept)
    else:
        found = replace(part, seed=part.seed + shift, episodes=episodes).examples()
    seen: set[str] = set()
    for example in found:
        seen.add(example.episode)
        if len(seen) > episodes:
            return
        yield example


async def closed(world: EmbeddedWorld, real: Iterable[Real], floor: float, *, at_once: int) -> Measurement:
    """The way that each episode took, every step on what was foretold of those before.

    Its change is right where the whole scene afterwards is the real one. A step about which it says nothing is told
    to it as it was.
    """
    found = Measurement(made_of={"world": world.name, "closed": True}, complete=True)

    async def episode(taken: Sequence[Real]) -> None:
        first = taken[0].transition.state
        state = State(tools=first.tools, situation=taken[0].before.text())
        for one in taken:
            said: Observation | None = None
            try:
                outcome = await world.outlook(state, one.transition.action)
                if outcome.confidence < floor:
                    raise NotMyWorld("it is too unsure")
                said = outcome.observation
                change = difference(one.before, outcome.after)
                mine = judged(one.transition, said, rules=STRICT, change=change)
                found.outcomes.append(mine.model_copy(update={"chance": outcome.failure}))
            except NotMyWorld as cause:
                found.outcomes.append(unanswered(one.transition, "abstained", str(cause)))
            except LookaheadError as cause:
                found.outcomes.append(unanswered(one.transition, "failed", str(cause)))
            state = state.then(one.transition.action, said or one.transition.observed)

    chosen = (one for one in real if one.chosen)
    episodes = (list(group) for _, group in groupby(chosen, key=lambda one: one.transition.episode))
    await at_most(episodes, episode, at_once)
    found.outcomes.sort(key=lambda one: (one.episode, one.index))
    return found

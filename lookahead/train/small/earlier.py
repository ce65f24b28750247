"""An earlier version of Lookahead as one side of a contest: its code runs the weights that came with it.

What a small model reads of a call, and what its words mean, is code. Weights that are run by another version's code
than they learned with seem worse than they are, so that a version which changed both is compared with the whole other.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import IO, Any, Final

import anyio
from anyio.streams.text import TextReceiveStream

from lookahead.errors import ConfigError
from lookahead.evaluate.outcomes import Outcome, judged, unanswered
from lookahead.evaluate.transitions import Transition
from lookahead.train.small.contest import Asked, Ground, Side
from lookahead.train.small.real import STRICT, Real, difference
from lookahead.types import Observation, Origin
from lookahead.worlds.embedded.difference import effects_of
from lookahead.worlds.embedded.scene import scene_of
from lookahead.worlds.embedded.world import FLOOR

_PROGRAM: Final = "earlier_answers.py"


def is_checkout(folder: Path) -> bool:
    """Whether this is a Lookahead, with weights that came with it."""
    return (folder / "lookahead" / "__init__.py").is_file() and (weights_of(folder) / "about.json").is_file()


def weights_of(checkout: Path) -> Path:
    return checkout / "lookahead" / "models" / "embedded" / "weights"


def there(name: str, weights: str, checkout: Path) -> Side:
    """Those weights, run by the code of that checkout. `weights` is what they are called."""
    return Side(name=name, weights=weights, ask=partial(_ask, checkout.resolve(), weights))


async def _ask(
    checkout: Path, weights: str, ground: Ground, into: Asked, progress: Callable[[Outcome], object] | None = None
) -> None:
    began, last = time.monotonic(), len(ground.real) - 1
    with tempfile.TemporaryFile("w+") as calls:
        for line in _lines(ground):
            calls.write(line + "\n")
        calls.seek(0)
        async with aclosing(_answers(checkout, calls)) as answers:
            async for said in answers:
                number = int(said["n"])
                if number > last:
                    into.silent += "abstained" in said or said.get("confidence", 1.0) < FLOOR
                    continue
                outcome = _outcome(ground.real[number], said, weights)
                into.measured.outcomes.append(outcome)
                into.seconds = time.monotonic() - began
                if progress is not None:
                    progress(outcome)
    if len(into.measured.outcomes) != len(ground.real):
        raise ConfigError(
            f"the Lookahead in {checkout} answered {len(into.measured.outcomes)} of {len(ground.real)} calls"
        )
    into.measured.outcomes.sort(key=lambda one: (one.episode, one.index))
    into.measured.complete = True


def _lines(ground: Ground) -> Iterator[str]:
    """Those of its world first, then the others."""
    asked = [(one.transition.state, one.transition.action) for one in ground.real] + ground.strange
    for number, (state, action) in enumerate(asked):
        tools = [one.model_dump(mode="json", exclude_defaults=True) for one in state.tools]
        call = {"tool": action.tool, "arguments": action.arguments}
        yield json.dumps({"n": number, "tools": tools, "situation": state.situation, **call})


async def _answers(checkout: Path, calls: IO[str]) -> AsyncGenerator[dict[str, Any], None]:
    program = files("lookahead.train.small") / _PROGRAM
    command = [sys.executable, "-P", str(program), str(weights_of(checkout))]
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    rest = ""
    async with await anyio.open_process(command, stdin=calls, stderr=None, env=environment) as running:
        assert running.stdout is not None
        async for text in TextReceiveStream(running.stdout):
            *lines, rest = (rest + text).split("\n")
            for line in lines:
                yield json.loads(line)
        code = await running.wait()
    if code:
        raise ConfigError(f"the Lookahead in {checkout} ended with exit code {code}: what it says stands above")


def _outcome(real: Real, said: dict[str, Any], weights: str) -> Outcome:
    one: Transition = real.transition
    if "abstained" in said:
        return unanswered(one, "abstained", str(said["abstained"]))
    if "failed" in said:
        return unanswered(one, "failed", str(said["failed"]))
    after = scene_of(said["after"])
    observation = Observation(
        content=said["content"],
        failed=said["fails"],
        effects=effects_of(real.before, after),
        origin=Origin(kind="model", world=weights, confidence=said["confidence"]),
    )
    found = judged(one, observation, rules=STRICT, change=difference(real.before, after))
    return found.model_copy(update={"chance": said["chance"]})

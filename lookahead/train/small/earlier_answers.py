"""Run by another version of Lookahead, whose weights are asked: lines of calls come in, lines of answers go out.

    PYTHONPATH=CHECKOUT python -P earlier_answers.py WEIGHTS < calls > answers

It uses nothing but what that version has: its world, its weights, its types.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import anyio

from lookahead.errors import LookaheadError, NotMyWorld
from lookahead.models.embedded.weights import load
from lookahead.types import Action, State, Tool
from lookahead.worlds.embedded.shipped import trained
from lookahead.worlds.embedded.world import EmbeddedWorld


async def main(folder: Path, at_once: int = 8) -> None:
    world = EmbeddedWorld(engine=trained(load(folder)), floor=0)
    room = anyio.Semaphore(at_once)

    async def one(asked: dict[str, Any]) -> None:
        try:
            print(json.dumps({"n": asked["n"], **await said(world, asked)}), flush=True)
        finally:
            room.release()

    async with anyio.create_task_group() as group:
        for line in sys.stdin:
            await room.acquire()
            group.start_soon(one, json.loads(line))


async def said(world: EmbeddedWorld, asked: dict[str, Any]) -> dict[str, Any]:
    state = State(tools=tuple(Tool.model_validate(one) for one in asked["tools"]), situation=asked["situation"])
    try:
        outcome = await world.outlook(state, Action(tool=asked["tool"], arguments=asked["arguments"]))
    except NotMyWorld as cause:
        return {"abstained": str(cause)}
    except LookaheadError as cause:
        return {"failed": f"{type(cause).__name__}: {cause}"}
    return {
        "content": outcome.observation.content,
        "fails": outcome.observation.failed,
        "after": outcome.after.text(),
        "confidence": outcome.confidence,
        "chance": outcome.failure,
    }


if __name__ == "__main__":
    try:
        anyio.run(main, Path(sys.argv[1]))
    except* (KeyboardInterrupt, BrokenPipeError):  # whoever asked was stopped, and says so
        os._exit(130)

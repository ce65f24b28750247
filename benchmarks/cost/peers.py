"""Other methods' decisions as call patterns: who asks what, with which history, how often, what waits for what.

Taken from the published code of WebDreamer (0136fa0) and of llm-reasoners (f94e5ac, which has both SimuRA's agent and
RAP's search), where a prompt's parts stand in the same order; the words are ours, and short. A screenshot is the
history's text here. Where they have a thread for each of several things, there is a task for each here; where they have
a loop, there is a loop. Retries are left out, and so is what would be asked anew because an answer did not fit.
"""

import math
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from recording import Recorder, at_once
from situation import Situation, told

Method: TypeAlias = Callable[[Recorder, Situation, int, int], Awaitable[None]]
"""(model, where, K candidates, D steps deep)."""

_AGENT: Final = "You work for a person with the tools that are named below, one call at a time. {0}"
_WORLD: Final = "You foretell what a call does. You are given what is there now, and the call. {0}"
_JUDGE: Final = (
    "You judge how well an agent does. You are given its task, its calls, and where they lead. Say what you think; "
    "then say whether the task is done, and if it is not, whether the agent is on the way to it. {0}"
)


def _system(words: str, where: Situation) -> str:
    return words.format(where.domain.template or "") if words is not _JUDGE else f"Episode {where.name}\n\n{words}"


async def candidates(model: Recorder, where: Situation, k: int) -> list[str]:
    """The agent's own answer, K times: it thinks, and writes a call."""
    length = where.sizes["thought"] + where.sizes["call"]
    texts = await model.ask("propose", _system(_AGENT, where), f"{where.history}\n\nThe next call?", tokens=length, n=k)
    return [_call(text, where) for text in texts]


def _call(text: str, where: Situation) -> str:
    """The call at the end of an answer that thought first."""
    return text[-6 * where.sizes["call"] :]


async def naive(model: Recorder, where: Situation, k: int, depth: int) -> None:
    """One after the other: candidates, for each of them a step and the next call, and at its end an opinion."""
    length = where.sizes["thought"] + k * where.sizes["call"]
    answer = await model.ask(
        "propose", _system(_AGENT, where), f"{where.history}\n\nName {k} possible calls.", tokens=length
    )
    for index in range(k):
        steps: list[tuple[str, str]] = []
        action = f"{index}: {_call(answer[0], where)}"
        for level in range(depth):
            if level:
                asked = f"{where.history}\n\n{told(steps)}\n\nThe next call?"
                length = where.sizes["thought"] + where.sizes["call"]
                action = _call((await model.ask("propose", _system(_AGENT, where), asked, tokens=length))[0], where)
            asked = f"{where.history}\n\n{told(steps)}\n\nNow: {action}\nWhat comes back?"
            steps.append((action, (await model.ask("forecast", _system(_WORLD, where), asked))[0]))
        await model.ask("opinion", _system(_JUDGE, where), f"{where.history}\n\n{told(steps)}\n\nHow good is this?")


async def webdreamer(model: Recorder, where: Situation, k: int, depth: int) -> None:
    """Candidates, a filter, then a thread for each candidate and simulation: a chain of forecasts, and 10 opinions."""
    simulations, opinions = 3, 10
    actions = await candidates(model, where, k)
    listed = "; ".join(f"{number}: {action}" for number, action in enumerate(actions))
    # Its filter sees the screens first; whichever candidates it would drop, none is dropped here.
    await model.ask("filter", _system(_JUDGE, where), f"{where.history}\n\nCandidates: {listed}")

    async def simulate(action: str) -> None:
        # Its world is told the call first, and shown the screen after it.
        asked = f"Foretell what changes after {action}.\n\n{where.history}"
        steps = [(action, (await model.ask("forecast", _system(_WORLD, where), asked))[0])]
        for _ in range(depth - 1):
            asked = f"Task: {where.state.goal}\n\n{told(steps)}\n\nThe next call?\n\n{where.history}"
            following = (await model.ask("call", _system(_AGENT, where), asked))[0]
            asked = f"{told(steps)}\n\nForetell what changes after {following}.\n\n{where.history}"
            steps.append((following, (await model.ask("forecast", _system(_WORLD, where), asked))[0]))
        asked = f"{where.history}\n\nSimulated: {told(steps)}"
        await model.ask("opinion", _system(_JUDGE, where), asked, n=opinions)

    await at_once(simulate, [action for action in actions for _ in range(simulations)])


async def simura(model: Recorder, where: Situation, k: int, depth: int) -> None:
    """A summary of what is seen; at each node 20 samples in K clusters; a thread for each child, with a memory of its
    own, which a model writes; 20 opinions on each leaf; at last the call itself."""
    sampled, opinions = 20, 20
    identity = _system(_AGENT, where)
    state = (await model.ask("forecast", identity, f"# Observation:\n{where.seen}\n\n# State:\nDescribe it."))[0]
    thinking = where.sizes["thought"] + where.sizes["call"]

    async def options(memory: str, state: str) -> list[str]:
        asked = f"{memory}\n\n# Current State:\n{state}\n\n# Intent:\nWhat should be done next?"
        texts = await model.ask("propose", identity, asked, tokens=thinking, n=sampled)
        intents = "\n".join(f'"{number}": "{_call(text, where)}"' for number, text in enumerate(texts))
        length = k * where.sizes["call"]
        system = f"Episode {where.name}\n\nYou sort intents that come to the same call into groups."
        await model.ask("clusters", system, f"Intents:\n{intents}\n\nGroups as JSON:", tokens=length)
        return [_call(text, where) for text in texts[:k]]

    async def grow(memory: str, state: str, level: int) -> list[str]:
        found = await options(memory, state)

        async def child(intent: str) -> None:
            asked = f"{memory}\n\n# State:\n{state}\n\n# Action Intent:\n{intent}\n\n# Memory Update:\nSum up."
            update = (await model.ask("opinion", identity, asked))[0]
            asked = f"{memory}\n\n# Current State:\n{state}\n\n# Memory Update:\n{update}\n\n# Action Intent:\n{intent}"
            following = (await model.ask("forecast", identity, f"{asked}\n\n# Next State:\nDescribe it."))[0]
            longer = f"{memory}\n\n## Step\n### State:\n{update}\n### Intent:\n{intent}"
            if level < depth:
                await grow(longer, following, level + 1)
                return
            asked = f"{longer}\n\n# Final State:\n{following}\n\n# Task Success and Progress:\nJudge it."
            await model.ask("opinion", identity, asked, n=opinions)

        await at_once(child, found)
        return found

    memory = f"# History:\n{where.history}"
    chosen = (await grow(memory, state, 1))[0]
    asked = f"{memory}\n\n# Observation:\n{where.seen}\n\n# Current State:\n{state}\n\n# Current Intent:\n{chosen}"
    await model.ask("call", identity, f"{asked}\n\n# Action:\nWrite the call.")


@dataclass(kw_only=True, eq=False)
class Node:
    """A state that may not have been imagined yet, as llm-reasoners' search keeps it."""

    action: str = ""
    parent: "Node | None" = None
    fast: float = 0.0
    steps: list[tuple[str, str]] | None = None
    children: list["Node"] = field(default_factory=list["Node"])
    rewards: list[float] = field(default_factory=list[float])

    @property
    def depth(self) -> int:
        return 0 if self.parent is None else self.parent.depth + 1

    def worth(self, explore: float = 1.0) -> float:
        mean = sum(self.rewards) / len(self.rewards) if self.rewards else self.fast
        seen = len(self.parent.rewards) if self.parent is not None else 1
        return mean + explore * math.sqrt(math.log(max(1, seen)) / max(1, len(self.rewards)))


async def rap(model: Recorder, where: Situation, k: int, depth: int) -> None:
    """Ten rounds of Monte Carlo tree search, everything one after the other; a state at the full depth is an end."""
    root = Node(steps=[])

    async def expand(node: Node) -> None:
        if node.steps is None:
            assert node.parent is not None
            assert node.parent.steps is not None
            asked = f"{where.history}\n\n{told(node.parent.steps)}\n\nNow: {node.action}\nWhat comes back?"
            node.steps = [
                *node.parent.steps, (node.action, (await model.ask("forecast", _system(_WORLD, where), asked))[0])
            ]  # fmt: skip
        if node.depth == depth:
            return
        asked = f"{where.history}\n\n{told(node.steps)}\n\nThe next call?"
        for action in await model.ask("call", _system(_AGENT, where), asked, n=k):
            asked = f"{where.history}\n\n{told(node.steps)}\n\nNext: {action}\nIs this of use?"
            said_yes = await model.ask("verdict", _system(_JUDGE, where), asked, choices=("Yes", "No"))
            fast = 0.5 * (said_yes[0] == "Yes") + 0.5 * zlib.crc32(action.encode()) / 2**32
            node.children.append(Node(action=action, parent=node, fast=fast))

    for _ in range(10):
        path = [root]
        while path[-1].children:
            path.append(max(path[-1].children, key=Node.worth))
        await expand(path[-1])
        while path[-1].children:
            path.append(max(path[-1].children, key=lambda node: node.fast))
            await expand(path[-1])
        total = sum(node.fast for node in path)
        for node in path:
            node.rewards.append(total / max(1, len(path) - 1))


PEERS: Final[Mapping[str, Method]] = {"WebDreamer": webdreamer, "SimuRA": simura, "RAP": rap, "naive": naive}

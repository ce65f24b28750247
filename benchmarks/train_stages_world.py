"""A world small enough to be learned in minutes: labelled boxes that hold a digit, really executed, in few words.

The chat is Qwen-AgentWorld's, with the action on one short line. Which colour a label has is a fact of this world, the
same in each trajectory; what a box holds has to be remembered from what was put where, and sometimes counted. Nearly
half of the calls are of another kind, as in most worlds: their long answers repeat the action, or the same words each
time. By the published classes these are `echo` and `boilerplate`, and they are most of what answers say.
"""

import random
from collections.abc import Iterator
from pathlib import Path

from lookahead.domains import Domain, register
from lookahead.train.samples import Trajectory, Turn, write
from lookahead.types import Action, Effect, Observation

LABELS = "abcdefghij"
REMARKS = ("north", "south", "east", "west", "red", "green", "blue", "white", "early", "late", "left", "right")
WEIGHTS = {"put": 6, "look": 3, "ask": 4, "more": 4, "move": 2, "drop": 1, "say": 6, "note": 4}
"""How often each is called."""
COLOURS = {label: REMARKS[4 + (5 * place + place // 4) % 4] for place, label in enumerate(LABELS)}
"""The facts of this world."""


def line(action: Action) -> str:
    """`put a=3`, `move a b`, `say red early`."""
    between = "=" if action.tool == "put" else " "
    return f"{action.tool} {between.join(map(str, action.arguments.values()))}".strip()


BOXES = register(Domain(name="boxes", template="You are a shelf of boxes.", block=line))


class Boxes:
    """The real world: it does what it is told, and says what came of it."""

    def __init__(self) -> None:
        self.boxes: dict[str, int] = {}

    def __call__(self, action: Action) -> Observation:
        words = [str(word) for word in action.arguments.values()]
        before = dict(self.boxes)
        content, failed = getattr(self, f"_{action.tool}")(*words)
        effects = tuple(
            Effect(happened="created" if name not in before else "changed", target=name, what="box")
            if name in self.boxes
            else Effect(happened="deleted", target=name, what="box")
            for name in sorted(before.keys() | self.boxes.keys())
            if before.get(name) != self.boxes.get(name)
        )
        return Observation(content=content, failed=failed, effects=effects)

    def _look(self) -> tuple[str, bool]:
        return " ".join(f"{box}={digit}" for box, digit in self.boxes.items()) or "empty", False

    def _ask(self, box: str) -> tuple[str, bool]:
        return COLOURS[box], False

    def _put(self, box: str, digit: str) -> tuple[str, bool]:
        self.boxes[box] = int(digit)
        return self._look()

    def _more(self, box: str) -> tuple[str, bool]:
        if box not in self.boxes:
            return "error none", True
        self.boxes[box] = (self.boxes[box] + 1) % 10
        return self._look()

    def _move(self, box: str, to: str) -> tuple[str, bool]:
        if box not in self.boxes:
            return "error none", True
        self.boxes[to] = self.boxes.pop(box)
        return self._look()

    def _drop(self, box: str) -> tuple[str, bool]:
        if self.boxes.pop(box, None) is None:
            return "error none", True
        return self._look()

    def _say(self, text: str) -> tuple[str, bool]:
        """An echo."""
        return f"say {text} say {text}", False

    def _note(self, text: str) -> tuple[str, bool]:
        """Boilerplate: the same words round what was said."""
        return f"note kept here {text}", False


def trajectory(seed: int, turns: int = 6) -> Trajectory:
    chance = random.Random(seed)
    labels = chance.sample(LABELS, 3)
    world, done = Boxes(), list[Turn]()
    for _ in range(turns):
        known = [label for label in labels if label in world.boxes]
        tool = chance.choices(tuple(WEIGHTS), tuple(WEIGHTS.values()))[0]
        if not known and tool not in ("say", "note", "ask", "look") and chance.random() < 0.75:
            tool = "put"  # or most of what is asked would not be there
        box = chance.choice(known) if known and chance.random() < 0.85 else chance.choice(labels)
        words: dict[str, str] = {"box": box}
        if tool == "put":
            words["digit"] = str(chance.randrange(10))
        elif tool == "move":
            words["to"] = chance.choice([label for label in labels if label != box])
        elif tool == "look":
            words = {}
        elif tool in ("say", "note"):
            words = {"text": " ".join(chance.sample(REMARKS, 3))}
        action = Action(tool=tool, arguments=dict(words))
        done.append(Turn(action=action, observation=world(action), status="ok"))
    turned = tuple(one.model_copy(update={"status": "failed" if one.observation.failed else "ok"}) for one in done)
    return Trajectory(episode=f"boxes-{seed}", domain=BOXES.name, turns=turned, split=f"boxes-{seed}")


def trajectories(first: int, count: int, known: set[str]) -> Iterator[Trajectory]:
    """So many that are in no other pool: each by its content, once."""
    seed = first
    while count:
        made = trajectory(seed)
        seed += 1
        if made.digest not in known:
            known.add(made.digest)
            count -= 1
            yield made


def pools(folder: Path, seed: int, sizes: dict[str, int]) -> dict[str, Path]:
    """One file a pool; none shares a trajectory with another, but `leaked`, which is `more` with what is measured."""
    folder.mkdir(parents=True, exist_ok=True)
    known: set[str] = set()
    made = {
        name: list(trajectories((seed * 100 + place) * 1_000_000, size, known))
        for place, (name, size) in enumerate(sizes.items())
    }
    made["leaked"] = [*made["more"], *made["seen"]]
    files: dict[str, Path] = {}
    for name, pool in made.items():
        files[name] = folder / f"{name}.jsonl"
        if not files[name].exists():
            write(files[name], pool)
    return files

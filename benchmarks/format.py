"""Is the published format read as its authors read it, and does anything that a model may write break the reading?

First the 3,000 recorded readings of the published parsers; then texts made from these and the golden transcripts by
cutting, doubling and inserting what the format is made of. Nothing but `Unreadable` may be raised. Last, texts of one
pattern repeated, at two lengths: four times the length may take no more than eight times as long.
"""

import argparse
import gc
import gzip
import json
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import process_time
from typing import Any

from lookahead.domains import cleaned, domains, judged, parse_action, parse_turn, predicted
from lookahead.errors import Unreadable
from lookahead.types import Action, Observation, State, Tool

TESTS = Path(__file__).parents[1] / "tests"
VECTORS = TESTS / "data" / "agentworld_parse.jsonl.gz"
GOLDEN = TESTS / "domains" / "golden"

PIECES = (
    *("<think>", "</think>", "<THINK>", "<predicted_observation>", "</predicted_observation>", "<final_evaluation>"),
    *("</final_evaluation>", "**Environment Observation:**", "**Action:**\n", "**Current State:**\n", "### Turn 9\n"),
    *(
        "**Task Instruction:**\n",
        "**Current Phone State:**\n",
        "\n\nPlease analyze the input above",
        "```",
        "```json\n",
    ),
    *(
        '{"name": "t", "arguments": ',
        '{"scores": {"format": 3, "quality": "4/5"}}',
        '"scores"',
        "{",
        "}",
        "[",
        "]",
        '"',
    ),
    *(
        "\\",
        ",",
        ":",
        "'a':",
        "a:",
        "NaN",
        "1e999",
        "9" * 5000,
        "true",
        "\u2028",
        "\x85",
        "\x1c",
        "\0",
        "\ud800",
        "\u212a",
    ),
    *(
        "\n",
        " ",
        "\t",
        '<invoke name="phone">',
        '<parameter name="',
        "</parameter>",
        "</invoke>",
        "touch <button id=",
        ">",
    ),
    *(
        "click('",
        "browser_click(ref=",
        "(",
        ")",
        "<|im_end|>",
        "<\u2060|im_end|>",
        "Exit code 1",
        "Error: ",
        "no change",
    ),
    *('{"type":"text","text":"', "{tool_definitions}", "$ ", "# ", "<system-reminder>", "No output", "### Error\n"),
)
PATTERNS = (
    *(
        "{",
        '{"',
        '{\\"',
        '{"{\\"}',
        "}",
        "<think>",
        "</think>",
        "```",
        "```json ",
        '"scores":{',
        "<predicted_observation>",
    ),
    *(
        "**Action:**",
        "\n**Action:**\n```",
        '<parameter name="a">',
        '<invoke name="',
        "a(b=",
        "[",
        "a.",
        "- ",
        "\n",
        " ",
        "(",
    ),
    *(
        '{"name":"a","arguments":',
        "touch <a b=c>",
        "\n\nPlease analyze the input above",
        "Exit code ",
        "### Turn 1\n",
        "'",
        "\\",
    ),
    *("<\u2060", "<|a", "{a: ", ", ", "click('", "1", "\u2028", "Error: ", "set_text <a>"),
)
RESULT = {"type": "object", "properties": {"id": {"type": "integer"}}}
STATE = State(
    situation="root@box:/app#",
    tools=(Tool(name="t", result=RESULT), Tool(name="run")),  # type: ignore[arg-type]
).then(Action(tool="run", arguments={"command": "ls"}), Observation(content="a.py"))
ACTIONS = (
    Action(tool="t", arguments={"id": 1}),
    Action(tool="run", arguments={"command": "cat a"}),
    Action(tool="phone", arguments={"action": "click", "index": 1}),
)


@dataclass(kw_only=True)
class Tally:
    """What came of the texts."""

    crashes: list[str] = field(default_factory=list[str])
    unreadable: int = 0
    answers: int = 0
    slowest: tuple[float, int] = (0.0, 0)
    """Seconds, and the length of that text."""

    def take(self, text: str) -> None:
        begun = process_time()
        for read in READERS:
            try:
                read(text)
                self.answers += 1
            except Unreadable:
                self.unreadable += 1
            except Exception as error:
                self.crashes.append(f"{type(error).__name__}: {error!s:.200}: {text[:300]!a}")
        self.slowest = max(self.slowest, (process_time() - begun, len(text)))


def turn_and_back(text: str) -> None:
    """What was read can be said again by every domain, and read once more."""
    action = parse_turn(text).action
    for domain in domains().values():
        parse_turn(domain.asked(STATE, action))


def readers() -> Iterator[Callable[[str], object]]:
    yield from (predicted, cleaned, judged, parse_action, turn_and_back)
    for domain in domains().values():
        for action in ACTIONS:
            yield lambda text, domain=domain, action=action: domain.read(text, STATE, action).model_dump_json()


READERS = tuple(readers())


def vectors() -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(VECTORS.read_bytes()).decode().split("\n") if line]


def same(row: dict[str, Any]) -> bool:
    if row["kind"] == "model":
        text = predicted(row["text"])
        return (text, cleaned(text)) == (row["parsed"], row["cleaned"])
    said = judged(row["text"])
    told = (said.success, said.scores, list(said.strengths), list(said.weaknesses))
    expected = (row["success"], row["scores"], row["strengths"], row["weaknesses"])
    return told == expected and abs(said.total - row["total"]) < 1e-9


def seeds(rows: list[dict[str, Any]]) -> list[str]:
    texts = [str(row["text"]) for row in rows]
    for path in sorted(GOLDEN.glob("*.txt")):
        # The system prompt is no model's answer, and the longest part by far.
        for part in path.read_bytes().decode().split("=====[ ")[2:]:
            said = part.partition("\n")[2]
            texts += [said, f"<predicted_observation>\n{said}</predicted_observation>"] * 8
    return texts


def mutated(text: str, chance: random.Random) -> str:
    for _ in range(chance.randint(1, 6)):
        place = chance.randrange(len(text) + 1)
        behind = min(len(text), place + chance.choice((0, 1, 3, 20, 200)))
        way = chance.randrange(6)
        if way == 0:
            text = text[:place] + text[behind:]
        elif way == 1:
            text = text[:behind] + text[place:]
        elif way == 2:
            text = text[:place]
        elif way == 3:
            text = text[:place] + chr(chance.randrange(0x3000)) + text[behind:]
        else:
            text = text[:place] + chance.choice(PIECES) * chance.choice((1, 1, 1, 2, 30)) + text[place:]
    return text[:50_000]


def growth(length: int) -> list[tuple[float, str]]:
    """How many times as long four times the length takes, worst first."""
    # As timeit does: collecting garbage takes as long as everything else that is in memory.
    gc.collect()
    gc.disable()
    try:
        return _growth(length)
    finally:
        gc.enable()


def _growth(length: int) -> list[tuple[float, str]]:
    found: list[tuple[float, str]] = []
    for pattern in PATTERNS:
        times: list[float] = []
        for size in (length, 4 * length):
            tally = Tally()
            for _ in range(3):
                tally.slowest = (0.0, 0)
                tally.take(pattern * (size // len(pattern)))
                times.append(tally.slowest[0])
            times[-3:] = [min(times[-3:])]
            if tally.crashes:
                raise RuntimeError(tally.crashes[0])
        # Below a few milliseconds the clock decides, and not the length.
        found.append((max(times[1], 0.02) / max(times[0], 0.005), pattern))
    return sorted(found, reverse=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutations", type=int, default=100_000, help="how many texts to make (default 100,000)")
    parser.add_argument("--seed", type=int, default=1, help="another seed makes other texts (default 1)")
    parser.add_argument("--length", type=int, default=50_000, help="characters of a patterned text (default 50,000)")
    given = parser.parse_args(arguments)
    rows = vectors()
    identical = sum(map(same, rows))
    chance, texts, tally = random.Random(given.seed), seeds(rows), Tally()
    for _ in range(given.mutations):
        text = mutated(chance.choice(texts), chance)
        # Half of them as answers, or most would be turned away as prose before a domain looks at them.
        tally.take(text if chance.random() < 0.5 else f"<predicted_observation>{text}")
    worst, pattern = growth(given.length)[0]
    took, size = tally.slowest
    print("| what | of | figure | limit |\n|---|---|---|---|")
    print(f"| read as the published parsers read it | {len(rows):,} | {identical:,} identical | all |")
    print(f"| crashes on mutations | {given.mutations:,} × {len(READERS)} readers | {len(tally.crashes)} | 0 |")
    print(f"| answers read; said to be unreadable | | {tally.answers:,}; {tally.unreadable:,} | |")
    print(f"| slowest text, all readers together | {size:,} characters | {took * 1000:.0f} ms CPU | 1,000 ms |")
    print(
        f"| four times the length takes, at worst (`{pattern!a}`) | {4 * given.length:,} characters "
        f"| {worst:.1f} times as long | 8 times |"
    )
    for crash in tally.crashes[:5]:
        print(crash, file=sys.stderr)
    return int(identical != len(rows) or bool(tally.crashes) or took > 1 or worst > 8)


if __name__ == "__main__":
    sys.exit(main())

"""Are secrets hidden? 500 planted secrets of many kinds in 20 forms, and thousands of texts without any, for each seed.

They go through the redactor, and through a real journal whose file is then searched byte by byte.
"""

import argparse
import base64
import json
import random
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import thread_time
from typing import Any

from redaction_benign import benign
from redaction_planted import FORMS, Plant, plants

from lookahead.journal import Decided, Intended, Journal, Resulted, Started
from lookahead.redact import Redactor
from lookahead.types import Action, Considered, Decision, Observation, Rollout, Step

FALSE_LIMIT = 0.01
_DROPPED = str.maketrans("", "", " \n\r\t\x00\"'`+-_/=,.|()[]{}<>;:\\")


@dataclass
class Score:
    planted: int = 0
    leaks: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])
    """Where it leaked, the plant's form and kind, and an excerpt."""
    clean: int = 0
    false: Counter[str] = field(default_factory=Counter[str])
    examples: list[str] = field(default_factory=list[str])


def visible(secret: str, text: str) -> bool:
    """True when the secret, or most of it in one piece, can be read off the text in any usual spelling."""
    raw = secret.encode()
    spellings = [secret, secret[::-1], raw.hex(), raw.hex().upper(), "".join(f"%{byte:02X}" for byte in raw)]
    spellings += ["".join(f"\\u{ord(char):04x}" for char in secret), base64.b32encode(raw).decode().rstrip("=")]
    for shift in range(3):
        coded = base64.b64encode(bytes(shift) + raw).decode()
        spellings.append(coded[(shift * 8 + 5) // 6 : (shift + len(raw)) * 8 // 6])
    squeezed = text.translate(_DROPPED)
    for spelling in spellings:
        short = spelling.translate(_DROPPED)
        width = max(len(short) * 6 // 10, min(len(short), 7))
        if any(short[start : start + width] in squeezed for start in range(len(short) - width + 1)):
            return True
    return False


def through_redactor(redactor: Redactor, plant: Plant) -> str:
    """What is left of a plant, wherever it is: in arguments, in a result, in an exception."""
    if plant.before is not None:
        redactor.json(plant.before)
    if plant.where == "exception":
        return redactor.exception(RuntimeError(plant.payload))
    return json.dumps(redactor.json(plant.payload), ensure_ascii=False)


def through_journal(path: Path, redactor: Redactor, planted: list[Plant]) -> bytes:
    """Every byte on the disk after the plants went through a journal as actions, predictions and results."""
    with Journal(path, redact=redactor) as journal:
        journal.append(Started(run="run", goal="tidy up", mode="guard", world="auto", policy=""))
        for number, plant in enumerate(planted):
            for part, payload in enumerate([plant.before, plant.payload]):
                if payload is None:
                    continue
                call = f"call-{number}-{part}"
                action = Action(tool="shell", arguments=payload if isinstance(payload, dict) else {"command": payload})
                seen = Observation(content=payload if isinstance(payload, str) else "", structured=payload)
                rollout = Rollout(action=action, steps=(Step(action=action, observation=seen),))
                decision = Decision(
                    id=call,
                    proposed=action,
                    considered=(Considered(rollout=rollout),),
                    choice="run",
                    chosen=action,
                    rule="policy.allow",
                    reason=str(payload)[:200] if plant.where == "exception" else "",
                )
                journal.append(
                    Decided(run="run", call=call, state="s", decision=decision),
                    Intended(run="run", call=call, action=action, action_digest=action.digest),
                )
                journal.append(Resulted(run="run", call=call, observation=seen, tool="shell"))
        # Read while it is open: the write-ahead log still holds what was written last.
        return b"".join(file.read_bytes() for file in sorted(path.parent.glob(path.name + "*")))


def leaks_on_disk(disk: bytes, planted: list[Plant]) -> list[Plant]:
    text = disk.decode("utf-8", "replace")
    for escape, plain in (("\\n", "\n"), ('\\"', '"'), ("\\\\", "\\")):
        text = text.replace(escape, plain)
    squeezed = text.translate(_DROPPED)
    return [plant for plant in planted if visible_squeezed(plant.secret, squeezed)]


def visible_squeezed(secret: str, squeezed: str) -> bool:
    raw = secret.encode()
    spellings = [secret, secret[::-1], raw.hex(), base64.b64encode(raw).decode().rstrip("=")[: len(raw) * 8 // 6]]
    return any(
        len(short) >= 6 and short in squeezed for short in (spelling.translate(_DROPPED) for spelling in spellings)
    )


def one_seed(seed: int, count: int, benign_count: int, score: Score, directory: Path) -> list[Plant]:
    rng = random.Random(seed)
    planted = plants(rng, count)
    redactor = Redactor(environment={})
    for plant in planted:
        score.planted += 1
        left = through_redactor(redactor, plant)
        if visible(plant.secret, left):
            score.leaks.append(("redactor", f"{plant.form}/{plant.kind}", left[:300]))
    on_disk = through_journal(directory / f"{seed}.db", Redactor(environment={}), planted)
    for plant in leaks_on_disk(on_disk, planted):
        score.leaks.append(("journal file", f"{plant.form}/{plant.kind}", repr(plant.payload)[:300]))
    for kind, text in benign(rng, benign_count):
        score.clean += 1
        left = redactor.text(text)
        if left != text or redactor.json({"note": text}) != {"note": text}:
            score.false[kind] += 1
            score.examples.append(f"{kind}: {text[:160]!r} became {left[:160]!r}")
    return planted


def timings() -> list[tuple[str, float, float, str]]:
    """Medians of processor time, with the goals they have on an idle machine; they decide nothing here."""
    rng = random.Random(0)
    redactor = Redactor(environment={"SERVICE_TOKEN": "".join(rng.choices("abcdefghJKLMN0123456789", k=40))})
    texts = [text for _, text in benign(rng, 4000)]
    step: dict[str, Any] = {
        "tool": "shell",
        "arguments": {"command": "rm -rf build && ls src", "cwd": "/home/ann/project"},
    }
    effects = [
        {"happened": "deleted", "target": f"build/out_{n}.o", "what": "file", "before": 90 + n} for n in range(12)
    ]
    value: Any = {"id": "d-1", "proposed": step, "rule": "files.lost", "considered": []}
    while len(json.dumps(value)) < 3000:
        value["considered"].append(
            {
                "steps": [{"action": step, "effects": effects[:4], "cost": {"tokens": 12}}],
                "reason": "two files would be lost",
            }
        )
    long_text = "\n".join(texts * 20)[:100_000]

    def median(run: Callable[[], object], times: int) -> float:
        run()
        spent: list[float] = []
        for _ in range(times):
            start = thread_time()
            run()
            spent.append(thread_time() - start)
        return statistics.median(spent)

    return [
        (f"a decision of {len(json.dumps(value))} bytes", median(lambda: redactor.json(value), 2000) * 1e6, 60, "µs"),
        ("a text of 100 KB, dense in lookalikes", median(lambda: redactor.text(long_text), 9) * 1e3, 0, "ms"),
        ("a log of 100 KB", median(lambda: redactor.text(_log(rng)), 9) * 1e3, 5, "ms"),
    ]


def _log(rng: random.Random) -> str:
    line = "2026-03-04 12:00:00 INFO worker[{}] GET /api/v1/items?page={} 200 {}ms"
    return "\n".join(line.format(n % 7, n, rng.randrange(90)) for n in range(1600))[:100_000]


def peer(planted: list[Plant], clean: list[tuple[str, str]]) -> tuple[float, float]:
    """detect-secrets with its defaults, on files: the share of plants it notices, and of clean texts that it flags."""
    try:
        from detect_secrets import SecretsCollection  # pyright: ignore
        from detect_secrets.settings import default_settings  # pyright: ignore
    except ImportError:
        sys.exit("the peer is missing: pip install detect-secrets, or leave --peers out")

    def share(texts: list[str]) -> float:
        owners = [number for number, text in enumerate(texts) for _ in text.splitlines() or [""]]
        with tempfile.TemporaryDirectory() as directory, default_settings():  # pyright: ignore
            file = Path(directory, "texts.txt")
            file.write_text("\n".join("\n".join(text.splitlines()) for text in texts), "utf-8")
            found: Any = SecretsCollection()  # pyright: ignore
            found.scan_file(str(file))
            return len({owners[secret.line_number - 1] for _, secret in found}) / len(texts)

    payloads = [plant.payload for plant in planted]
    texts = [text if isinstance(text, str) else json.dumps(text, indent=1, ensure_ascii=False) for text in payloads]
    return share(texts), share([text for _, text in clean])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="one run for each (default 1 2 3)")
    parser.add_argument("--secrets", type=int, default=500, help="planted for each seed (default 500)")
    parser.add_argument("--benign", type=int, default=3000, help="texts without secrets for each seed (default 3000)")
    parser.add_argument("--peers", action="store_true", help="also run detect-secrets on the same texts")
    parser.add_argument("--verbose", action="store_true", help="print every leak and every false redaction")
    args = parser.parse_args()
    score = Score()
    planted: list[Plant] = []
    with tempfile.TemporaryDirectory() as directory:
        for seed in args.seeds:
            planted += one_seed(seed, args.secrets, args.benign, score, Path(directory))
    false = sum(score.false.values())
    print(f"| seeds {args.seeds}, {len(FORMS)} forms | planted | leaked | clean texts | redacted wrongly |")
    print("|---|---|---|---|---|")
    wrongly = f"{false} ({false / score.clean:.2%})"
    print(
        f"| Lookahead, redactor and journal file | {score.planted} | {len(score.leaks)} | {score.clean} | {wrongly} |"
    )
    if args.peers:
        rng = random.Random(args.seeds[0])
        recall, flagged = peer(planted, list(benign(rng, args.benign)))
        unnoticed = f"{round((1 - recall) * len(planted))} unnoticed"
        print(f"| detect-secrets, defaults | {len(planted)} | {unnoticed} | {args.benign} | {flagged:.2%} |")
    for name, took, limit, unit in timings():
        print(f"\n{name}: {took:.1f} {unit}" + (f" (goal: {limit:g} {unit})" if limit else ""))
    if args.verbose:
        for where, what, left in score.leaks:
            print(f"LEAK {where} {what}: {left}")
        for example in score.examples:
            print(f"FALSE {example}")
    else:
        for what, number in Counter(what for _, what, _ in score.leaks).most_common(20):
            print(f"leaked: {what} x {number}")
        for what, number in score.false.most_common(10):
            print(f"redacted wrongly: {what} x {number}")
    return int(bool(score.leaks) or false / score.clean > FALSE_LIMIT)


if __name__ == "__main__":
    sys.exit(main())

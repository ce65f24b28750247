"""Alter journals at random in every way that leaves the rest of the file alone, and see whether `verify` finds it.

It also does what a chain alone cannot find: it writes the chain anew, as anybody could who can write the file and has
read this code. Only a head that was noted somewhere else shows that.
"""

import argparse
import random
import shutil
import sqlite3
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from journal_forgeries import BYTES, IN_SQL, cut_off, rewrite, tampered
from pydantic import JsonValue

from lookahead.errors import JournalError
from lookahead.journal import Agreement, Approval, Decided, Granted, Intended, Journal, Resulted, Spent
from lookahead.types import Action, Decision, Observation, Tool

CALLS = 40


class Plain:
    """Nothing here is a secret."""

    def json(self, value: JsonValue) -> JsonValue:
        return value


@dataclass
class Clock:
    now: float = 1_000_000.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def written(path: Path, *, pruned: bool) -> str:
    """A journal with something of everything in it; returns its head."""
    clock = Clock()
    tool = Tool(name="shell", effect="changes")
    with Journal(path, redact=Plain(), clock=clock) as journal:
        journal.start("run", goal="tidy", mode="guard", world="fork", policy="p", tools=[tool])
        for n in range(CALLS):
            if pruned and n == CALLS // 2:
                journal.prune(clock.now - 10)
            action = Action(tool="shell", arguments={"command": f"step {n}"}, call_id=f"id{n}")
            call, asked = f"call{n:04}", n % 7 == 3
            approval = Approval(
                id=f"yes{n}", binding=f"b{n}", granted_at=clock.now, expires_at=clock.now + 600, by="ada", seen=""
            )
            decision = Decision(id=call, proposed=action, choice="run", chosen=action, rule="default")
            if asked or n % 11 == 5:
                journal.append(Granted(approval=approval))
            spent = (Spent(approval_id=approval.id, call=call),) if asked else ()
            journal.append(
                Decided(run="run", call=call, state="s", decision=decision, binding=f"b{n}"),
                *spent,
                Intended(run="run", call=call, action=action, action_digest=action.digest, call_id=action.call_id),
            )
            if n % 5:
                agreement = Agreement(agreed=n % 3 > 0, changed=n % 2 > 0, how="exact" if n % 3 else "no")
                said = Observation(content=f"done {n}")
                result = Resulted(
                    run="run", call=call, observation=said, agreement=agreement, world="fork", tool="shell"
                )
                journal.append(result)
        verified = journal.verify()
        assert verified.ok, verified.why
    return verified.head


def content(path: Path) -> object:
    """All that the file says, or what it fails with."""
    db = sqlite3.connect(path)
    try:
        pragmas = [db.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version")]
        tables = [db.execute(f"SELECT * FROM {name} ORDER BY 1").fetchall() for name in ("rows", "head", "open")]
        schema = db.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name").fetchall()
        return repr((pragmas, tables, schema))
    except (sqlite3.Error, UnicodeError) as error:
        return error
    finally:
        db.close()


def found(path: Path, noted: str | None = None) -> bool:
    try:
        with Journal(path, redact=Plain(), readonly=True) as journal:
            return not journal.verify(noted).ok
    except JournalError:
        return True


def copied(source: Path, folder: Path) -> Path:
    target = folder / "copy.db"
    for stale in folder.glob("copy.db*"):
        stale.unlink()
    shutil.copy(source, target)
    return target


def one(source: Path, folder: Path, way: str, chance: random.Random, before: object) -> bool:
    """Alter a copy until it says something else; whether that was found."""
    while True:
        path = copied(source, folder)
        tampered(path, way, chance)
        if str(content(path)) != before:
            return found(path)


def beyond(source: Path, folder: Path, head: str, times: int, chance: random.Random) -> dict[str, tuple[int, int]]:
    """How often a forged chain is found without a noted head, and with one."""
    results: dict[str, tuple[int, int]] = {}
    for name, forge in (("the whole file written anew", rewrite), ("cut off, and the head moved back", cut_off)):
        alone = noted = 0
        for _ in range(times):
            path = copied(source, folder)
            db = sqlite3.connect(path, isolation_level=None)
            db.execute("PRAGMA synchronous = OFF")
            forge(db, chance)
            db.close()
            alone += found(path)
            noted += found(path, head)
        results[name] = (alone, noted)
    return results


def measure(times: int, seed: int) -> tuple[Counter[str], Counter[str], dict[str, tuple[int, int]], int]:
    chance = random.Random(seed)
    tried: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sources = [folder / "whole.db", folder / "pruned.db"]
        heads = [written(path, pruned=path.stem == "pruned") for path in sources]
        before = [str(content(path)) for path in sources]
        false_alarms = sum(found(copied(path, folder), head) for path, head in zip(sources, heads, strict=True))
        ways = [*IN_SQL, BYTES]
        for n in range(times):
            way, which = ways[n % len(ways)], chance.randrange(2)
            tried[way] += 1
            seen[way] += one(sources[which], folder, way, chance, before[which])
        forged = beyond(sources[0], folder, heads[0], max(1, times // 50), chance)
    return tried, seen, forged, false_alarms


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=1000, help="how many alterations (default: 1000)")
    parser.add_argument("--seed", type=int, default=2, help="of the random numbers (default: 2)")
    args = parser.parse_args()
    tried, seen, forged, false_alarms = measure(args.times, args.seed)
    print(f"Journals altered at random (seed {args.seed}), half of them pruned before:\n")
    print("| what was done | times | found |\n|---|---:|---:|")
    for way in tried:
        print(f"| {way} | {tried[way]} | {seen[way]} |")
    print(f"| **all** | **{tried.total()}** | **{seen.total()}** |")
    print(f"\nUnaltered journals called altered: {false_alarms} of 2.")
    print("\nWhat no chain finds by itself, because the forger has made a chain that fits:\n")
    print("| what was done | times | found by the chain | found with a head noted elsewhere |\n|---|---:|---:|---:|")
    times = max(1, args.times // 50)
    for way, (alone, noted) in forged.items():
        print(f"| {way} | {times} | {alone} | {noted} |")
    good = seen.total() == tried.total() and not false_alarms and all(noted == times for _, noted in forged.values())
    print(f"\n{'met' if good else 'MISSED'}: every alteration found (stated: 100 %)")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

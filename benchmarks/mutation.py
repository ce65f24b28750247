"""Mutation score of deciding, recording and approving: is every line held to its word by a test?

One small thing in a module is made wrong (a comparison, a condition, a number, a statement left out) and the tests that
mirror the module are run; a mutant that no test notices has survived. A sample of the mutants of each module is drawn
with a seed. Every mutant runs in a fork of a process that has everything foreign imported, so nothing is written to the
tree. Results are kept, and only what changed is run again.
"""

import argparse
import hashlib
import importlib
import json
import os
import random
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mutation_mutants import Mutant, imported, mutants

ROOT = Path(__file__).parent.parent
KEPT = ROOT / ".pytest_cache" / "lookahead-mutation.json"
WANTED = 0.85
FOREIGN = ("pytest", "hypothesis.stateful", "trio", "pydantic", "inline_snapshot", "anyio.from_thread")
SESSION = ("tests/test_session.py", "tests/test_session_kept.py")
LINE = ("tests/test_act.py", "tests/test_permit.py", "tests/test_approval.py", *SESSION)
JOURNAL = tuple(
    f"tests/journal/test_{name}.py"
    for name in (
        *("append", "capture", "views", "doubt", "approvals", "overtaken", "entries", "chain", "portable", "pruning"),
        *("files", "together", "forced", "older_names"),
    )
)
HOLD = ("tests/journal/test_hold_locks.py", "tests/journal/test_hold.py")
BUSY = ("tests/journal/test_disks.py", "tests/journal/test_store_log.py", "tests/journal/test_processes_busy.py")

TESTS: dict[str, Sequence[str]] = {
    "lookahead/guard.py": ("tests/test_guard.py", "tests/test_guard_messages.py", "tests/test_guard_hazards.py"),
    "lookahead/policy.py": ("tests/test_policy.py",),
    "lookahead/planner.py": ("tests/test_planner.py", "tests/test_planner_reading.py", "tests/search"),
    "lookahead/permit.py": ("tests/test_permit.py", "tests/test_act.py"),
    "lookahead/act.py": LINE,
    "lookahead/approval.py": ("tests/test_approval.py", "tests/test_session_kept.py", "tests/test_act.py"),
    "lookahead/held.py": (*SESSION, "tests/test_act.py"),
    "lookahead/pen.py": ("tests/test_pen.py", "tests/test_act.py"),
    "lookahead/refusal.py": (
        "tests/test_refusal.py",
        "tests/test_refusal_how.py",
        "tests/test_permit.py",
        "tests/test_act.py",
    ),
    "lookahead/session.py": (*SESSION, "tests/test_adapters.py"),
    "lookahead/adapters.py": ("tests/test_adapters.py", "tests/test_wrap.py"),
    "lookahead/journal/store.py": (*JOURNAL, *HOLD, *BUSY),
    "lookahead/journal/hold.py": (*HOLD, "tests/journal/test_files.py"),
    "lookahead/journal/owner.py": ("tests/journal/test_owner.py", "tests/journal/test_doubt.py"),
    "lookahead/journal/chain.py": (*JOURNAL, "tests/journal/test_hold.py"),
    "lookahead/journal/*.py": JOURNAL,
    "lookahead/ledger/*.py": ("tests/ledger",),
}


@dataclass
class Job:
    """One mutant, or none: the tests as they are."""

    module: str
    tests: Sequence[str]
    mutant: Mutant | None
    pid: int = 0
    started: float = 0.0


def modules(only: Sequence[str]) -> Iterator[tuple[str, Sequence[str]]]:
    seen: set[str] = {"__init__.py"}
    for pattern, tests in TESTS.items():
        for path in sorted(ROOT.glob(pattern)):
            name = path.relative_to(ROOT).as_posix()
            if not seen & {name, path.name} and (not only or any(part in name for part in only)):
                seen.add(name)
                yield name, tests


def own_first(name: str, tests: Sequence[str]) -> Sequence[str]:
    """All of them, beginning with those that are named after the module: most mutants end there."""
    mine = f"test_{Path(name).stem}"
    return sorted(tests, key=lambda test: not Path(test).stem.startswith(mine))


def key(name: str, tests: Sequence[str]) -> str:
    """Changes when the module or one of its tests does."""
    digest = hashlib.sha256((ROOT / name).read_bytes())
    for test in tests:
        path = ROOT / test
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(file.read_bytes())
    return digest.hexdigest()


def begin(job: Job) -> Job:
    """Fork, put the mutant in the place of the module, run its tests."""
    job.started = time.monotonic()
    job.pid = os.fork()
    if job.pid:
        return job
    code = 70
    try:
        os.setsid()
        os.nice(5)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        if job.mutant is not None:
            imported(ROOT / job.module, job.mutant)
        import pytest

        code = int(pytest.main(["-x", "-q", "--assert=plain", "-p", "no:cacheprovider", *job.tests]))
    finally:
        os._exit(code)


def ended(job: Job, limit: float) -> str | None:
    """`killed`, `survived`, `timeout` or `broken`; None while it runs."""
    pid, status = os.waitpid(job.pid, os.WNOHANG)
    if not pid:
        if time.monotonic() - job.started < limit:
            return None
        os.killpg(job.pid, signal.SIGKILL)
        os.waitpid(job.pid, 0)
        return "timeout"
    code = os.waitstatus_to_exitcode(status)
    # 2 is an interruption and 3 an internal error of pytest: with a mutant inside, both are the mutant's doing.
    return {0: "survived", 5: "broken"}.get(code, "killed")


def run(jobs: list[Job], workers: int, limit: float, kept: dict[str, str], keys: dict[str, str]) -> None:
    waiting = [job for job in jobs if job.mutant and f"{keys[job.module]} {job.mutant.name}" not in kept]
    running: list[Job] = []
    while waiting or running:
        while waiting and len(running) < workers:
            running.append(begin(waiting.pop(0)))
        for job in list(running):
            outcome = ended(job, limit)
            if outcome is not None and job.mutant is not None:
                running.remove(job)
                kept[f"{keys[job.module]} {job.mutant.name}"] = outcome
                KEPT.write_text(json.dumps(kept))
        time.sleep(0.01)


def baseline(name: str, tests: Sequence[str]) -> float:
    """The tests as they are must pass; how long they take."""
    job = begin(Job(name, tests, None))
    while (outcome := ended(job, 900.0)) is None:
        time.sleep(0.02)
    if outcome != "survived":
        print(f"the tests of {name} do not pass as they are: {' '.join(tests)}", file=sys.stderr)
        return 0.0
    return time.monotonic() - job.started


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", help="only modules whose path holds one of these")
    parser.add_argument("--sample", type=int, default=40, help="mutants of each module (default 40; 0: all)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    for name in FOREIGN:
        importlib.import_module(name)
    KEPT.parent.mkdir(exist_ok=True)
    kept: dict[str, str] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    chosen: dict[str, list[Mutant]] = {}
    keys: dict[str, str] = {}
    limits: dict[Sequence[str], float] = {}
    failing: list[str] = []
    for name, tests in modules(given.modules):
        found = list(mutants((ROOT / name).read_text()))
        keys[name] = key(name, tests)
        size = given.sample or len(found)
        chosen[name] = random.Random(f"{given.seed} {name}").sample(found, min(size, len(found)))
        if tests not in limits:
            limits[tests] = 6 * baseline(name, tests)
        if not limits[tests]:
            del chosen[name]
            failing.append(name)
            continue
        jobs = [Job(name, own_first(name, tests), mutant) for mutant in chosen[name]]
        print(f"… {name}: {len(jobs)} of {len(found)} mutants", file=sys.stderr, flush=True)
        run(jobs, given.workers, max(30.0, limits[tests]), kept, keys)
    return told(chosen, keys, kept, given.seed) or bool(failing)


def told(chosen: dict[str, list[Mutant]], keys: dict[str, str], kept: dict[str, str], seed: int) -> int:
    print(f"Mutants, seed {seed}\n\n| module | mutants | killed | score |\n|---|---|---|---|")
    survivors: list[str] = []
    all_of_them = killed = 0
    for name, mine in chosen.items():
        outcomes = {mutant.name: kept[f"{keys[name]} {mutant.name}"] for mutant in mine}
        caught = sum(outcome != "survived" for outcome in outcomes.values())
        all_of_them, killed = all_of_them + len(mine), killed + caught
        survivors += [f"{name}:{mutant.name}" for mutant in mine if outcomes[mutant.name] == "survived"]
        print(f"| {name} | {len(mine)} | {caught} | {caught / max(1, len(mine)):.0%} |")
    score = killed / max(1, all_of_them)
    print(f"| **all** | **{all_of_them}** | **{killed}** | **{score:.1%}** |")
    if survivors:
        print("\nSurvived:\n")
        for survivor in survivors:
            print(f"- {survivor}")
    return 0 if score >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())

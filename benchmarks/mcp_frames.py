"""Mutated JSON-RPC frames against the MCP proxy in guard mode: it does not end, hang, or forward what it did not judge.

A client writes frames of both eras, mutated in their structure and in their bytes, to a proxy in front of a real server
that writes down every call it gets. After each few hundred frames it asks something, and the answer has to come. In
the end each call that the server got must have its decision and its intent in the journal, and none may be of the tool
that the policy forbids. In every fourth round it is the server that writes the mutated frames.
"""

import argparse
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcp_frames_mutated import INITIALIZE, Frames

from lookahead.types import Action

SERVER = Path(__file__).with_name("mcp_counting_server.py")
POLICY = {"append": "allow", "pay": "ask", "forbidden": "deny", "*": "allow"}
CHUNK = 250
PATIENCE = 60.0


@dataclass
class Found:
    """What was counted, and what of it must not be."""

    count: Counter[str] = field(default_factory=Counter[str])
    wrong: list[str] = field(default_factory=list[str])


class Broken(Exception):
    """The proxy ended, or does not answer any more."""


class Connection:
    """A client of a proxy of its own."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        folder.mkdir()
        (folder / "policy.json").write_text(json.dumps(POLICY))
        ours = ("--policy", "policy.json", "--journal", "journal.db", "--world", "none")
        theirs = (sys.executable, "-I", "-S", str(SERVER), "log", *arguments)
        proxy = (sys.executable, "-m", "lookahead", "proxy", *ours, "--", *theirs)
        self._stderr = (folder / "stderr").open("wb")
        self.process = subprocess.Popen(
            proxy, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr
        )
        self.count: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._lock = threading.Lock()
        self._answers: dict[str, threading.Event] = {}
        self._probes = 0
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        try:
            with self._lock:
                self.process.stdin.write(data)
                self.process.stdin.flush()
        except OSError as error:
            raise Broken(f"the proxy ended with {self.process.wait(10)}") from error

    def ask(self, method: str, params: Any) -> None:
        """Has to be answered, one way or the other."""
        self._probes += 1
        id = f"probe-{self._probes}-{random.getrandbits(64):x}"
        answered = self._answers[id] = threading.Event()
        frame = {"jsonrpc": "2.0", "id": id, "method": method, "params": params}
        self.write(b"\n" + json.dumps(frame).encode() + b"\n")
        if not answered.wait(PATIENCE):
            code = self.process.poll()
            raise Broken(f"no answer to {method}" if code is None else f"the proxy ended with {code}")
        del self._answers[id]

    def close(self) -> None:
        assert self.process.stdin is not None
        with suppress(OSError):
            self.process.stdin.close()
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Broken("the proxy does not end when its client has gone") from None
        finally:
            self._thread.join(10)
            self._stderr.close()
        if code != 0:
            raise Broken(f"the proxy ended with {code}")

    def resident(self) -> int:
        """Megabytes that the proxy holds now."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") // 2**20

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            try:
                frame = json.loads(line)
            except ValueError:
                self.wrong.append(f"the proxy wrote what is no JSON: {line[:200]!r}")
                continue
            for one in frame if isinstance(frame, list) else [frame]:
                self._heard(one)

    def _heard(self, frame: Any) -> None:
        self.count["frames that came back"] += 1
        if frame.get("jsonrpc") != "2.0":
            self.wrong.append(f"the proxy wrote what is no message: {str(frame)[:200]}")
        if "method" in frame:
            if "id" in frame:
                self.count["questions of the proxy"] += 1
                said = {"action": random.choice(("accept", "decline")), "content": {"approve": True}}
                try:
                    self.write(json.dumps({"jsonrpc": "2.0", "id": frame["id"], "result": said}).encode() + b"\n")
                except Broken:
                    return
        elif (answered := self._answers.get(str(frame.get("id")))) is not None:
            answered.set()


def client_side(folder: Path, seed: str, frames: int, found: Found) -> None:
    """So many mutated frames by a client."""
    supply = Frames(random.Random(seed))
    connection = Connection(folder)
    try:
        # One time in three nothing introduces the client but what it sends itself.
        if supply.chance.random() < 0.67:
            connection.ask("initialize", INITIALIZE)
        for begin in range(0, frames, CHUNK):
            lines = [supply.next() for _ in range(min(CHUNK, frames - begin))]
            connection.write(b"\n".join(lines) + b"\n")
            connection.ask("ping", {})
        connection.ask("initialize", INITIALIZE)
        connection.ask("tools/call", {"name": "append", "arguments": {"mark": "last"}})
        found.count["most megabytes of a proxy"] = max(found.count["most megabytes of a proxy"], connection.resident())
        connection.close()
    except Broken as error:
        found.wrong.append(f"{folder}: {error}: {(folder / 'stderr').read_bytes()[-600:].decode(errors='replace')}")
    finally:
        connection.process.kill()
        connection.process.wait()
    found.count["frames"] += frames
    _count(connection, folder, found)


def server_side(folder: Path, seed: str, frames: int, found: Found) -> None:
    """So many mutated frames by the server, round the answers to a client that behaves."""
    connection = Connection(folder, "--mutated", f"{seed}")
    try:
        connection.ask("initialize", INITIALIZE)
        for number in range(frames // CHUNK):
            connection.ask("tools/call", {"name": "append", "arguments": {"mark": f"c{number}"}})
        connection.ask("ping", {})
        connection.close()
    except Broken as error:
        found.wrong.append(f"{folder}: {error}: {(folder / 'stderr').read_bytes()[-600:].decode(errors='replace')}")
    finally:
        connection.process.kill()
        connection.process.wait()
    found.count["frames, of those by a server"] += frames
    found.count["frames"] += frames
    _count(connection, folder, found)


def _count(connection: Connection, folder: Path, found: Found) -> None:
    found.wrong += connection.wrong[:5]
    found.count.update(connection.count)
    log = folder / "log"
    calls = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    forwarded = Counter(Action(tool=name, arguments=arguments).digest for name, arguments in calls)
    db = sqlite3.connect(folder / "journal.db")
    query = """
        SELECT json_extract(i.body, '$.action_digest') FROM rows AS i WHERE i.kind = 'intended'
            AND EXISTS (SELECT 1 FROM rows AS d WHERE d.kind = 'decided' AND d.call = i.call)
    """
    intended = Counter(digest for (digest,) in db.execute(query))
    (refused,) = db.execute("SELECT count(*) FROM calls WHERE choice IN ('veto', 'ask')").fetchone()
    db.close()
    found.wrong += [f"forwarded without a decision: {digest}" for digest in (forwarded - intended)][:5]
    found.wrong += [f"forbidden, and forwarded: {call}" for call in calls if call[0] == "forbidden"][:5]
    found.count["calls forwarded"] += len(calls)
    found.count["calls refused or asked about"] += refused
    found.count["proxies"] += 1


def run(frames: int, *, seed: int, each: int, workers: int, tell: bool = False) -> Found:
    """So many frames in rounds of so many, each with a proxy and a journal of its own."""
    where = Path(tempfile.mkdtemp(prefix="lookahead-mcp-frames-"))
    found, started = Found(), time.monotonic()
    sizes = [min(each, frames - begin) for begin in range(0, frames, each)]

    def one(number: int) -> Found:
        mine, folder = Found(), where / f"round-{number}"
        side = server_side if number % 4 == 3 else client_side
        side(folder, f"{seed} {number}", sizes[number], mine)
        if not mine.wrong:
            shutil.rmtree(folder)
        if tell:
            print(f"… round {number + 1} of {len(sizes)}, {time.monotonic() - started:.0f} s", file=sys.stderr)
        return mine

    with ThreadPoolExecutor(workers) as pool:
        for mine in pool.map(one, range(len(sizes))):
            most = max(found.count["most megabytes of a proxy"], mine.count["most megabytes of a proxy"])
            found.count.update(mine.count)
            found.count["most megabytes of a proxy"] = most
            found.wrong += mine.wrong
    found.count["seconds"] = round(time.monotonic() - started)
    if found.wrong:
        found.wrong.append(f"what it left is in {where}")
    else:
        shutil.rmtree(where)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--each", type=int, default=25_000, help="frames for each proxy (default 25,000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    found = run(given.frames, seed=given.seed, each=given.each, workers=given.workers, tell=True)
    print(f"Mutated frames against the MCP proxy, seed {given.seed}\n\n| what | number |\n|---|---|")
    for what, number in found.count.items():
        print(f"| {what} | {number:,} |")
    print(f"| **violations** | **{len(found.wrong)}** |")
    print("\nViolations: a proxy that ended or hung, a line that is no message, a call forwarded without a decision.")
    for wrong in found.wrong[:20]:
        print(f"\n{wrong}", file=sys.stderr)
    busy = found.count["calls forwarded"] >= given.frames / 100
    return 0 if not found.wrong and busy and found.count["frames"] >= given.frames else 1


if __name__ == "__main__":
    sys.exit(main())

"""What a proxy changes: fields of the opening, of every list and of eight calls that are not as the server says them.

Frames are compared as they are on the wire, in the older era with servers that know only that one, and in the newer
with servers that speak it. Lookahead runs in guard mode and may do everything. Peers in the same run.
Install first: python scripts/mcp_servers.py
"""

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mcp_paths
import mcp_raw
from mcp_paths import SERVERS
from mcp_servers import lay_out

LISTS = ("tools/list", "resources/list", "resources/templates/list", "prompts/list")
NOON = {"source_timezone": "UTC", "target_timezone": "Asia/Tokyo", "time": "12:30"}
CALLS: Mapping[str, tuple[tuple[str, dict[str, Any]], ...]] = {
    "everything": (
        ("tools/call", {"name": "echo", "arguments": {"message": "hello"}}),
        ("tools/call", {"name": "get-structured-content", "arguments": {"location": "New York"}}),
        ("tools/call", {"name": "get-tiny-image", "arguments": {}}),
        ("tools/call", {"name": "get-sum", "arguments": {"a": "no number"}}),
        ("tools/call", {"name": "no-such-tool", "arguments": {}}),
        ("resources/read", {"uri": "demo://nowhere"}),
        ("prompts/get", {"name": "args-prompt", "arguments": {"city": "Rome"}}),
        (
            "completion/complete",
            {
                "ref": {"type": "ref/prompt", "name": "completable-prompt"},
                "argument": {"name": "department", "value": "E"},
            },
        ),
    ),
    "filesystem": (
        ("tools/call", {"name": "read_text_file", "arguments": {"path": "{data}/hello.txt"}}),
        ("tools/call", {"name": "list_directory", "arguments": {"path": "{data}"}}),
        ("tools/call", {"name": "write_file", "arguments": {"path": "{data}/b.txt", "content": "b\n"}}),
        ("tools/call", {"name": "read_multiple_files", "arguments": {"paths": ["{data}/b.txt", "{data}/c.txt"]}}),
        ("tools/call", {"name": "read_text_file", "arguments": {"path": "/etc/hostname"}}),
        ("tools/call", {"name": "read_text_file", "arguments": {}}),
        ("tools/call", {"name": "no-such-tool"}),
        ("prompts/get", {"name": "none"}),
    ),
    "memory": (
        (
            "tools/call",
            {
                "name": "create_entities",
                "arguments": {"entities": [{"name": "Ada", "entityType": "person", "observations": ["counts"]}]},
            },
        ),
        ("tools/call", {"name": "read_graph", "arguments": {}}),
        ("tools/call", {"name": "search_nodes", "arguments": {"query": "counts"}}),
        ("tools/call", {"name": "open_nodes", "arguments": {"names": ["Ada", "Bo"]}}),
        ("tools/call", {"name": "search_nodes", "arguments": {"query": 7}}),
        ("tools/call", {"name": "delete_entities", "arguments": {"entityNames": ["Ada"]}}),
        ("tools/call", {"name": "no-such-tool", "arguments": {}}),
        ("ping", {}),
    ),
    "git": (
        ("tools/call", {"name": "git_status", "arguments": {"repo_path": "{data}/repository"}}),
        ("tools/call", {"name": "git_log", "arguments": {"repo_path": "{data}/repository", "max_count": 2}}),
        ("tools/call", {"name": "git_branch", "arguments": {"repo_path": "{data}/repository", "branch_type": "local"}}),
        ("tools/call", {"name": "git_diff_unstaged", "arguments": {"repo_path": "{data}/repository"}}),
        ("tools/call", {"name": "git_status", "arguments": {"repo_path": "{data}"}}),
        ("tools/call", {"name": "git_log", "arguments": {}}),
        ("tools/call", {"name": "no-such-tool", "arguments": {}}),
        ("prompts/get", {"name": "none"}),
    ),
    "time": (
        ("tools/call", {"name": "convert_time", "arguments": NOON}),
        ("tools/call", {"name": "get_current_time", "arguments": {"timezone": "UTC"}}),
        ("tools/call", {"name": "get_current_time", "arguments": {"timezone": "Mars"}}),
        ("tools/call", {"name": "get_current_time", "arguments": {}}),
        ("tools/call", {"name": "convert_time", "arguments": {"time": "25:99"}}),
        ("tools/call", {"name": "no-such-tool", "arguments": {}}),
        ("prompts/get", {"name": "none"}),
        ("resources/read", {"uri": "none://none"}),
    ),
    "mongodb": (
        ("tools/call", {"name": "list-connections", "arguments": {}}),
        ("tools/call", {"name": "list-databases", "arguments": {"connectionId": "none"}}),
        ("tools/call", {"name": "count", "arguments": {"connectionId": "none", "database": "a", "collection": "b"}}),
        ("tools/call", {"name": "count", "arguments": {}}),
        ("tools/call", {"name": "no-such-tool", "arguments": {}}),
        ("resources/read", {"uri": "config://config"}),
        ("resources/read", {"uri": "none://none"}),
        ("prompts/get", {"name": "none"}),
    ),
}
CASES = (
    *(("2025-11-25", name) for name in ("everything", "filesystem", "memory")),
    *(("2026-07-28", name) for name in ("git", "time", "mongodb")),
)
# What a server says differently each time that it is asked.
PASSING = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.,+:\dZ-]*|\d{1,2}:\d\d:\d\d( [AP]M)?|[0-9a-f]{8}-[0-9a-f-]{27}"
)


@dataclass(frozen=True)
class Difference:
    asked: str
    where: str
    direct: Any
    found: Any

    def __str__(self) -> str:
        direct, found = (json.dumps(one)[:70] for one in (self.direct, self.found))
        return f"{self.asked} {self.where}: {direct} became {found}"


ABSENT = "(absent)"


def differing(direct: Any, found: Any, asked: str, where: str = "") -> Iterator[Difference]:
    """Field by field; a field that came or went counts once, with all that is in it."""
    if isinstance(direct, dict) and isinstance(found, dict):
        for key in sorted(direct.keys() | found.keys()):
            yield from differing(direct.get(key, ABSENT), found.get(key, ABSENT), asked, f"{where}/{key}")
    elif isinstance(direct, list) and isinstance(found, list) and len(direct) == len(found):
        for at, (one, other) in enumerate(zip(direct, found, strict=True)):
            yield from differing(one, other, asked, f"{where}[{at}]")
    elif direct != found or type(direct) is not type(found):
        yield Difference(asked, where, direct, found)


def filled(value: Any, data: Path) -> Any:
    return json.loads(json.dumps(value).replace("{data}", str(data)))


def lasting(value: Any, data: Path) -> Any:
    return json.loads(PASSING.sub("(passing)", json.dumps(value).replace(str(data), "(data)")))


def answers(way: mcp_paths.Way, name: str, data: Path, log: Any, *, modern: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with mcp_raw.connected(way, log, modern=modern) as (raw, _):
        found["opening"] = raw.open()
        for method in LISTS:
            found[method] = raw.ask(method)
        for at, (method, params) in enumerate(CALLS[name]):
            found[f"{at}: {method} {params.get('name', params.get('uri', ''))}"] = raw.ask(method, filled(params, data))
    return lasting(found, data)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ways = ("lookahead", "fastmcp", "mcp-proxy")
    parser.add_argument("--ways", nargs="+", default=list(ways), choices=ways)
    parser.add_argument("--servers", nargs="+", default=list(CALLS), choices=list(CALLS))
    parser.add_argument("--differences", type=int, default=3, help="so many are shown of each (default 3)")
    given = parser.parse_args()
    if lacking := mcp_paths.missing(given.servers):
        print(f"not installed: {', '.join(lacking)}. Run: python scripts/mcp_servers.py", file=sys.stderr)
        return 2
    rows: list[str] = []
    shown: list[str] = []
    mine = 0
    with tempfile.TemporaryDirectory(prefix="lookahead-mcp-") as where:
        for version, name in CASES:
            if name not in given.servers:
                continue
            cells: list[str] = []
            work = Path(where) / f"{name}-{version}"
            work.mkdir()
            found: dict[str, dict[str, Any]] = {}
            for way in ("direct", "direct again", *given.ways):
                # Nothing that one of them leaves behind is seen by the next.
                data = lay_out(work / way)
                with (work / f"{way}.log").open("w") as log:
                    to = mcp_paths.ways(SERVERS[name], data, work)["direct" if way == "direct again" else way]
                    try:
                        found[way] = answers(to, name, data, log, modern=version == mcp_raw.NEWER)
                    except (RuntimeError, OSError, KeyError, ValueError) as error:
                        if way == "direct":
                            raise
                        found[way] = {"failed": str(error)}
                if way == "direct":
                    continue
                asked = found["direct"].items()
                different = [
                    one for what, direct in asked for one in differing(direct, found[way].get(what, ABSENT), what)
                ]
                failed = found[way].get("failed") or ("error" in found[way]["opening"] and "does not speak it")
                cells.append(f"- ({failed})" if failed else str(len(different)))
                if not failed:
                    shown += [f"{version} {name}, {way}: {one}" for one in different[: given.differences]]
                mine += len(different) if way == "lookahead" else 0
            rows.append(f"| {version} | {name} | {len(found['direct'])} | {' | '.join(cells)} |")
    print(f"| revision | server | answers compared | direct again | {' | '.join(given.ways)} |")
    print("|---" * (len(given.ways) + 4) + "|")
    print("\n".join(rows))
    if shown:
        print("\nSome of them:\n")
        print("\n".join(f"- {one}" for one in shown))
    if "lookahead" not in given.ways:
        return 0
    print(f"\nWanted of Lookahead: 0 fields that differ. Found: {mine}.")
    return 1 if mine else 0


if __name__ == "__main__":
    sys.exit(main())

"""What is done with each server, and what is kept of the answers, so that two ways to it can be compared."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

Steps: TypeAlias = tuple[tuple[str, dict[str, Any]], ...]

STEPS: Mapping[str, Steps] = {
    "filesystem": (
        ("list_allowed_directories", {}),
        ("list_directory", {"path": "{data}"}),
        ("write_file", {"path": "{data}/new.txt", "content": "one\ntwo\n"}),
        ("edit_file", {"path": "{data}/new.txt", "edits": [{"oldText": "two", "newText": "three"}]}),
        ("read_text_file", {"path": "{data}/new.txt"}),
        ("create_directory", {"path": "{data}/room"}),
        ("move_file", {"source": "{data}/new.txt", "destination": "{data}/room/old.txt"}),
        ("read_multiple_files", {"paths": ["{data}/room/old.txt", "{data}/hello.txt"]}),
        ("directory_tree", {"path": "{data}/room"}),
        ("read_text_file", {"path": "{data}/missing.txt"}),
        ("read_text_file", {"path": "/etc/hostname"}),
    ),
    "memory": (
        ("create_entities", {"entities": [{"name": "Ada", "entityType": "person", "observations": ["counts"]}]}),
        ("create_entities", {"entities": [{"name": "Bo", "entityType": "person", "observations": []}]}),
        ("create_relations", {"relations": [{"from": "Ada", "to": "Bo", "relationType": "knows"}]}),
        ("add_observations", {"observations": [{"entityName": "Bo", "contents": ["sings"]}]}),
        ("read_graph", {}),
        ("search_nodes", {"query": "sings"}),
        ("delete_entities", {"entityNames": ["Ada"]}),
        ("read_graph", {}),
        ("add_observations", {"observations": [{"entityName": "nobody", "contents": ["is there"]}]}),
    ),
    "everything": (
        ("echo", {"message": "a “quoted” line\nand another: 日本, \U0001f600"}),
        ("get-sum", {"a": 2, "b": 40}),
        ("get-structured-content", {"location": "New York"}),
        ("get-tiny-image", {}),
        ("get-annotated-message", {"messageType": "error", "includeImage": True}),
        ("get-resource-links", {"count": 2}),
        ("get-resource-reference", {"resourceType": "Text", "resourceId": 1}),
        ("trigger-long-running-operation", {"duration": 0.2, "steps": 2}),
        ("get-sum", {"a": "not a number"}),
        ("no-such-tool", {}),
    ),
    "git": (
        ("git_status", {"repo_path": "{data}/repository"}),
        ("git_log", {"repo_path": "{data}/repository", "max_count": 2}),
        ("git_create_branch", {"repo_path": "{data}/repository", "branch_name": "other"}),
        ("git_checkout", {"repo_path": "{data}/repository", "branch_name": "other"}),
        ("git_branch", {"repo_path": "{data}/repository", "branch_type": "local"}),
        ("git_checkout", {"repo_path": "{data}/repository", "branch_name": "nowhere"}),
    ),
    "time": (
        ("get_current_time", {"timezone": "UTC"}),
        ("convert_time", {"source_timezone": "UTC", "target_timezone": "Asia/Tokyo", "time": "12:30"}),
        ("convert_time", {"source_timezone": "Mars", "target_timezone": "UTC", "time": "12:30"}),
    ),
    "sqlite": (
        ("create_table", {"query": "CREATE TABLE animals (name TEXT, legs INTEGER)"}),
        ("write_query", {"query": "INSERT INTO animals VALUES ('crane', 2), ('ant', 6)"}),
        ("list_tables", {}),
        ("describe_table", {"table_name": "animals"}),
        ("read_query", {"query": "SELECT * FROM animals ORDER BY legs"}),
        ("write_query", {"query": "DELETE FROM animals WHERE legs = 6"}),
        ("read_query", {"query": "SELECT count(*) FROM animals"}),
        ("read_query", {"query": "SELECT * FROM nowhere"}),
    ),
    "mongodb": (
        ("list-connections", {}),
        ("list-databases", {"connectionId": "none"}),
        ("count", {"connectionId": "none", "database": "a", "collection": "b"}),
    ),
    "commands": (
        ("run_command", {"command": "echo hello; echo there >&2"}),
        ("run_command", {"command": "printf 'made here' > made.txt", "workdir": "{data}"}),
        ("run_command", {"command": "cat made.txt", "workdir": "{data}"}),
        ("run_command", {"command": "exit 3"}),
    ),
}
# What differs whenever it is asked: hashes, times, and the clock's own reading.
PASSING = re.compile(
    r"\b[0-9a-f]{7,40}\b"
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,+:\dZ-]*)"
    r"|\b\d{1,2}:\d\d:\d\d(?: [AP]M)?\b"
)


def filled(value: Any, data: Path) -> Any:
    """With the folder in the places that are left for it."""
    if isinstance(value, str):
        return value.replace("{data}", str(data))
    if isinstance(value, dict):
        return {key: filled(one, data) for key, one in value.items()}
    return [filled(one, data) for one in value] if isinstance(value, list) else value


def lasting(value: Any, data: Path) -> Any:
    """Without what differs from run to run."""
    if isinstance(value, str):
        return PASSING.sub("(passing)", value.replace(str(data), "{data}"))
    if isinstance(value, dict):
        return {key: lasting(one, data) for key, one in value.items()}
    return [lasting(one, data) for one in value] if isinstance(value, list) else value


def plain(answer: Any) -> Any:
    """An answer of the SDK as it was on the wire, without what the newer era puts round every answer."""
    found = answer.model_dump(mode="json", by_alias=True, exclude_none=True)
    for name in ("resultType", "ttlMs", "cacheScope", "_meta"):
        found.pop(name, None)
    return found


async def said(asking: Any) -> Any:
    """What comes of asking: an answer, or the error as the client has it."""
    try:
        return plain(await asking)
    except Exception as error:
        code = getattr(getattr(error, "error", None), "code", None)
        return {"raised": type(error).__name__, "code": code, "message": str(error)}


async def all_of(name: str, client: Any, data: Path) -> dict[str, Any]:
    """Every list, then every step, then what else the server has."""
    found: dict[str, Any] = {"tools": await said(client.list_tools())}
    capabilities = client.server_capabilities
    if capabilities.resources:
        found["resources"] = await said(client.list_resources())
        found["templates"] = await said(client.list_resource_templates())
        for one in (found["resources"].get("resources") or [])[:2]:
            found[f"read {one['uri']}"] = await said(client.read_resource(one["uri"]))
    if capabilities.prompts:
        found["prompts"] = await said(client.list_prompts())
    for at, (tool, given) in enumerate(STEPS[name]):
        found[f"{at} {tool}"] = await said(client.call_tool(tool, filled(given, data)))
    if name == "everything":
        heard: list[float] = []

        async def progress(at: float, total: float | None, message: str | None) -> None:
            heard.append(at)

        slow = {"duration": 0.3, "steps": 3}
        found["slow"] = await said(client.call_tool("trigger-long-running-operation", slow, progress_callback=progress))
        found["progress"] = heard
        found["prompt"] = await said(client.get_prompt("args-prompt", {"city": "Rome"}))
        found["no prompt"] = await said(client.get_prompt("no-such-prompt", {}))
    return lasting(found, data)

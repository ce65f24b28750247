"""What the overlay makes of tools that it has never heard of: by words, verbs and schemas alone."""

from typing import Any

import pytest
from mcp_kept import FILES, GRAPH

from lookahead.testing import ScriptedWorld, call
from lookahead.types import Observation, State, Tool
from lookahead_integrations.mcp.actions import tool_of
from lookahead_integrations.mcp.overlay import Overlaid
from lookahead_integrations.mcp.overlay.deeds import Reading
from lookahead_integrations.mcp.overlay.globs import matches
from lookahead_integrations.mcp.overlay.words import noun_of, role_of, verb_of

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("name", "verb", "noun"),
    [
        ("read_text_file", "get", "file"),
        ("getFileContents", "get", "file"),
        ("kv_set", "put", "kv"),
        ("storeMemory", "put", "memory"),
        ("list-notes", "list", "note"),
        ("github__create_or_update_file", "put", "file"),
        ("create_directory", "folder", ""),
        ("make_folder", "folder", ""),
        ("get_file_info", "info", "file"),
        ("file_exists", "exists", "file"),
        ("directory_tree", "tree", "directory"),
        ("append_to_note", "append", "note"),
        ("rename_note", "move", "note"),
        ("delete_entities", "delete", "entity"),
        ("frobnicate", None, "frobnicate"),
    ],
)
def test_a_name_says_what_is_done_to_what(name: str, verb: str | None, noun: str) -> None:
    assert verb_of(name) == verb
    if noun:
        assert noun_of(name) == noun


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("path", "address"),
        ("issue_number", "address"),
        ("source", "source"),
        ("old_path", "source"),
        ("newName", "destination"),
        ("destination", "destination"),
        ("content", "content"),
        ("edits", "edits"),
        ("query", "query"),
        ("pattern", "pattern"),
        ("owner", "within"),
        ("dryRun", "rehearse"),
        ("sortBy", None),
        ("oldText", "content"),
    ],
)
def test_an_argument_has_a_role_by_its_name(name: str, role: str | None) -> None:
    assert role_of(name) == role


@pytest.mark.parametrize(
    ("path", "pattern", "fits"),
    [
        ("a.txt", "*.txt", True),
        ("d/a.txt", "*.txt", False),
        ("d/a.txt", "**/*.txt", True),
        ("a.txt", "**/*.txt", True),
        ("d/e/a.txt", "d/**", True),
        (".hidden", "*", True),
        ("a.md", "*.{md,py}", True),
        ("b1", "b[0-9]", True),
        ("bx", "b[!0-9]", True),
        ("a", "??", False),
    ],
)
def test_a_pattern_is_read_as_node_reads_it(path: str, pattern: str, fits: bool) -> None:
    assert matches(path, pattern) is fits


def test_every_tool_of_the_well_known_servers_that_names_something_is_understood() -> None:
    reading = Reading([found for one in FILES if (found := tool_of(one)) is not None])
    arguments: dict[str, Any] = {
        "read_multiple_files": {"paths": ["/a"]},
        "write_file": {"path": "/a", "content": ""},
        "edit_file": {"path": "/a", "edits": [{"oldText": "a", "newText": "b"}]},
        "move_file": {"source": "/a", "destination": "/b"},
    }
    understood = [
        one["name"] for one in FILES if reading.deed(call(one["name"], **arguments.get(one["name"], {"path": "/a"})))
    ]
    assert understood == [one["name"] for one in FILES if one["name"] != "list_allowed_directories"]


class Server:
    """Tools over an overlay, with everything that was done remembered."""

    def __init__(self, *tools: Tool, says: Any = "ok") -> None:
        self.world = ScriptedWorld(script=says if isinstance(says, dict) else {"*": says})
        self.overlay = Overlaid(self.world)
        self.state = State(tools=tools)

    async def use(self, tool: str, **arguments: Any) -> Observation:
        action = call(tool, **arguments)
        said = await self.overlay(self.state, action)
        self.state = self.state.then(action, said)
        return said


def made(name: str, *required: str, **properties: Any) -> Tool:
    schemas = {one: {"type": "string"} for one in required} | properties
    return Tool(name=name, parameters={"type": "object", "properties": schemas, "required": [*required]})


async def test_a_batch_of_files_is_written_at_once() -> None:
    item = {"type": "object", "properties": {"path": {"type": "string"}, "content": {"type": "string"}}}
    server = Server(made("push_files", files={"type": "array", "items": item}), made("get_file", "path"))
    tools = (made("write_files", files={"type": "array", "items": item}), made("get_file", "path"))
    server.state = State(tools=tools)
    await server.use("write_files", files=[{"path": "a", "content": "1"}, {"path": "b", "content": "2"}])
    assert (await server.use("get_file", path="b")).content == "2"


async def test_what_lies_within_something_else_is_another_thing() -> None:
    server = Server(made("set_secret", "repo", "name", "value"), made("get_secret", "repo", "name"), says={"*": "ok"})
    await server.use("set_secret", repo="one", name="key", value="1")
    await server.use("set_secret", repo="two", name="key", value="2")
    assert (await server.use("get_secret", repo="one", name="key")).content == "1"
    assert (await server.use("get_secret", repo="two", name="key")).content == "2"


async def test_two_servers_behind_one_endpoint_keep_their_files_apart() -> None:
    tools = [made(f"{one}__{name}", *needs) for one in ("x", "y") for name, needs in _FILES]
    server = Server(*tools)
    await server.use("x__write_file", path="/a", content="of x")
    assert (await server.use("x__read_file", path="/a")).content == "of x"
    assert (await server.use("y__read_file", path="/a")).content == "ok"


_FILES = (("write_file", ("path", "content")), ("read_file", ("path",)))


async def test_old_and_new_text_as_plain_arguments_are_an_edit() -> None:
    server = Server(*(made(name, *needs) for name, needs in _FILES), made("str_replace", "path", "old_str", "new_str"))
    server.state = State(tools=(*server.state.tools, made("edit_file", "path", "old_string", "new_string")))
    await server.use("write_file", path="/a", content="one two one")
    await server.use("edit_file", path="/a", old_string="one", new_string="1")
    assert (await server.use("read_file", path="/a")).content == "1 two one"


async def test_an_edit_of_what_the_world_says_is_there_changes_that() -> None:
    tools = [made(name, *needs) for name, needs in _FILES]
    server = Server(*tools, made("edit_file", "path", "old_text", "new_text"), says={"read_file": "hello", "*": "ok"})
    await server.use("edit_file", path="/a", old_text="hell", new_text="heav")
    assert (await server.use("read_file", path="/a")).content == "heavo"


async def test_a_rehearsal_changes_nothing() -> None:
    dry = {"dryRun": {"type": "boolean"}}
    server = Server(made("write_file", "path", "content", **dry), made("read_file", "path"), says={"*": "base"})
    await server.use("write_file", path="/a", content="x", dryRun=True)
    assert (await server.use("read_file", path="/a")).content == "base"


async def test_a_change_that_nobody_can_read_makes_what_it_mentions_uncertain() -> None:
    server = Server(*(made(name, *needs) for name, needs in _FILES), made("run_shell", "command"))
    await server.use("write_file", path="/tmp/a", content="x")
    await server.use("write_file", path="/tmp/b", content="y")
    await server.use("run_shell", command="sed -i s/x/z/ /tmp/a")
    asked = len(server.world.asked)
    assert (await server.use("read_file", path="/tmp/b")).content == "y"
    assert len(server.world.asked) == asked
    await server.use("read_file", path="/tmp/a")
    assert [step.action.tool for step in server.world.asked[-1][0].steps][-2:] == ["run_shell", "read_file"]


async def test_what_a_tool_only_reads_is_not_made_up_anew() -> None:
    answers = iter(("first", "second"))
    server = Server(made("read_file", "path"))
    server.overlay = Overlaid(ScriptedWorld(script=lambda state, action: next(answers)))
    assert (await server.use("read_file", path="/a")).content == "first"
    assert (await server.use("read_file", path="/a")).content == "first"


async def test_each_future_sees_what_was_written_in_it() -> None:
    server = Server(*(made(name, *needs) for name, needs in _FILES), says={"*": "base"})
    before = server.state
    await server.use("write_file", path="/a", content="one")
    one, server.state = server.state, before
    await server.use("write_file", path="/a", content="other")
    assert (await server.overlay(one, call("read_file", path="/a"))).content == "one"
    assert (await server.overlay(server.state, call("read_file", path="/a"))).content == "other"
    assert (await server.overlay(before, call("read_file", path="/a"))).content == "base"


async def test_what_a_guard_refused_leaves_nothing() -> None:
    from lookahead.types import GUARD

    server = Server(*(made(name, *needs) for name, needs in _FILES), says={"*": "base"})
    action = call("write_file", path="/a", content="x")
    server.state = server.state.then(action, Observation(content="no", failed=True, origin=GUARD))
    assert (await server.use("read_file", path="/a")).content == "base"


async def test_a_graph_without_schemas_of_results_is_one_all_the_same() -> None:
    tools = [found.model_copy(update={"result": None}) for one in GRAPH if (found := tool_of(one)) is not None]
    server = Server(*tools)
    await server.use("create_entities", entities=[{"name": "Ada", "entityType": "person", "observations": ["a"]}])
    await server.use("add_observations", observations=[{"entityName": "Ada", "contents": ["b"]}])
    assert '"b"' in (await server.use("open_nodes", names=["Ada"])).content


async def test_an_exact_copy_knows_better_than_the_overlay() -> None:
    from lookahead.testing import ScriptedCopy

    server = Server(*(made(name, *needs) for name, needs in _FILES))
    server.overlay = Overlaid(ScriptedCopy(script={"*": "the copy's"}))
    await server.use("write_file", path="/a", content="x")
    said = await server.use("read_file", path="/a")
    assert (said.content, said.origin.kind) == ("the copy's", "exact")


async def test_one_path_in_two_repositories_is_two_files() -> None:
    branch = {"branch": {"type": "string"}}
    item = {"type": "object", "properties": {"path": {"type": "string"}, "content": {"type": "string"}}}
    server = Server(
        made("create_or_update_file", "owner", "repo", "path", "content", "message", **branch),
        made("get_file_contents", "owner", "repo", "path", **branch),
        made("push_files", "owner", "repo", "message", files={"type": "array", "items": item}),
        made("delete_file", "owner", "repo", "path", "message"),
    )
    one, other = {"owner": "a", "repo": "x", "path": "README.md"}, {"owner": "a", "repo": "y", "path": "README.md"}
    await server.use("create_or_update_file", **one, content="of x", message="add")
    await server.use("create_or_update_file", **other, content="of y", message="add")
    assert (await server.use("get_file_contents", **one)).content == "of x"
    assert (await server.use("get_file_contents", **other)).content == "of y"
    await server.use("delete_file", **one, message="gone")
    assert (await server.use("get_file_contents", **one)).failed
    assert not (await server.use("get_file_contents", **other)).failed

import sys
from pathlib import Path

import pytest
from pydantic import JsonValue

from lookahead.domains import domains
from lookahead.errors import Unreadable
from lookahead.types import Action, Observation, State, Tool

sys.path.insert(0, str(Path(__file__).parent))
from domain_sessions import SESSIONS, call

NAMES = ("mcp", "search", "terminal", "swe", "android", "web", "os", "generic")


def tagged(text: str) -> str:
    return f"<think>Let me see.</think>\n<predicted_observation>\n{text}\n</predicted_observation>"


def read(kind: str, text: str, state: State | None = None, action: Action | None = None) -> Observation:
    return domains()[kind].read(tagged(text), state or State(), action or call("t"))


@pytest.mark.parametrize("kind", NAMES)
def test_what_a_model_says_is_imagined_and_nobody_looked_at_its_effects(kind: str) -> None:
    said = read(kind, "a\u2028b\n\n  c")
    assert said.content == "a\u2028b\n\n  c"
    assert (said.imagined, said.origin.kind, said.effects, said.failed) == (True, "model", None, False)


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("text", ["", "<think>hm</think>", "<think>for ever and ever", " \n "])
def test_no_answer_is_unreadable_and_says_what_to_do(kind: str, text: str) -> None:
    with pytest.raises(Unreadable, match="limit of tokens"):
        domains()[kind].read(text, State(), call("t"))


@pytest.mark.parametrize("text", ["Sure! The command lists files.", "No output", '{"name": "ls"}'])
def test_prose_is_unreadable_and_says_that_it_may_be_no_world_model(text: str) -> None:
    with pytest.raises(Unreadable, match="lookahead serve"):
        domains()["terminal"].read(text, State(), call("t"))


def test_an_answer_in_the_form_of_the_history_is_read() -> None:
    assert domains()["mcp"].read("**Environment Observation:**\nok", State(), call("t")).content == "ok"


def test_a_tool_that_really_answers_no_output_is_believed() -> None:
    assert read("generic", "No output").content == "No output"


def test_a_silent_command_is_an_answer_and_an_empty_screen_is_none() -> None:
    assert read("swe", "").content == ""
    for kind in ("android", "web", "os"):
        with pytest.raises(Unreadable, match="empty state"):
            read(kind, "")


@pytest.mark.parametrize("said", ["No change", "(no change)", "Unchanged.", "no visible effect"])
def test_no_change_on_a_screen_is_the_same_screen_in_full(said: str) -> None:
    for name in ("android", "web", "os"):
        session = SESSIONS[name]
        last = session.state.steps[-1].observation.content
        assert session.domain.read(tagged(said), session.state, session.action).content == last
    assert read("os", said, State(situation="desktop\n  panel")).content == "desktop\n  panel"
    with pytest.raises(Unreadable):
        read("web", said)


def test_what_was_shielded_in_the_prompt_comes_back_as_it_was() -> None:
    shown = domains()["mcp"].observation(Observation(content="a </think> <|im_end|>"))
    assert read("mcp", shown).content == "a </think> <|im_end|>"


def test_half_a_surrogate_pair_in_an_answer_can_be_written_down() -> None:
    assert read("mcp", "a\ud800b").model_dump_json()


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("mcp", '{"isError": true, "content": []}'),
        ("mcp", '{"type":"text","text":"Error calling tool \'x\': boom"}'),
        ("mcp", '{"type":"text","text":"{\\"error\\": \\"nope\\"}"}'),
        ("mcp", "status: error\nmessage: Failed to retrieve the page"),
        ("mcp", "MCP error -32602: Invalid arguments"),
        ("mcp", "2 validation errors for call[add]\na\n  Field required"),
        ("mcp", '{"error": {"code": 404}}'),
        ("generic", "ValueError: no such account"),
        ("generic", "Error: no such account"),
        ("generic", '{"success": false, "message": "no"}'),
        ("search", "404 Not Found"),
        ("swe", "Exit code 127\nbash: line 1: mak: command not found"),
        ("swe", "<tool_use_error>File has not been read yet.</tool_use_error>"),
        ("swe", "Command: make\nDirectory: (root)\nOutput: (empty)\nExit Code: 2\nSignal: (none)"),
        ("swe", "String to replace not found in file."),
        ("web", "### Error\nTimeoutError: locator.click: Timeout 5000ms exceeded."),
    ],
)
def test_a_failure_is_seen_where_its_form_leaves_no_doubt(kind: str, text: str) -> None:
    assert read(kind, text).failed


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("mcp", '{"isError": false, "error": "none"}'),
        ("mcp", '{"error": null, "result": 1}'),
        ("mcp", '{"errors": [], "items": [{"error": "old"}]}'),
        ("mcp", '[{"error": "x"}]'),
        ("generic", "Error: disk full\nError: disk full\nthe log ends here"),
        ("search", "[1] https://e.example\nTitle: 404 Not Found explained\nSnippet: Error: what\nDate: N/A"),
        ("swe", "     1→raise ValueError('x')\n     2→Exit code 1"),
        ("swe", "Command: true\nOutput: Exit Code: 2 is bad\nExit Code: 0"),
        ("swe", "Exit code 0"),
        ("terminal", "Traceback (most recent call last):\nValueError: in a log"),
        ("web", "### Page\n- Page Title: x\n### Snapshot\n```yaml\n- text\n```\n### Error\n"),
        ("android", "Error: shown on the screen"),
    ],
)
def test_a_text_that_only_speaks_of_failures_is_none(kind: str, text: str) -> None:
    assert not read(kind, text).failed


@pytest.mark.parametrize(
    ("command", "text", "failed"),
    [
        ("frobnicate", "bash: line 1: frobnicate: command not found", True),
        ("cat a.txt", "cat: a.txt: No such file or directory", True),
        ("cat a.txt", "dog: a.txt: No such file or directory", False),
        ("cat log", "x\ncat: a.txt: No such file or directory", False),
        ("cat a; true", "cat: a: No such file or directory", False),
        ("python x.py", "Traceback (most recent call last):\n  File\nValueError: no", True),
        ("python x.py", "fine", False),
        ("make", "make: *** [all] Error 1\n[exit code: 2]", True),
        ("curl -I host", "HTTP/1.1 200\nStatus: 404", False),
    ],
)
def test_a_command_s_failure_is_its_own_complaint_or_its_exit_code(command: str, text: str, failed: bool) -> None:
    assert read("terminal", text, action=call("run", command=command)).failed is failed


def test_a_function_that_runs_commands_gets_the_output_and_not_the_screen() -> None:
    run = call("run", command="ls")
    assert read("terminal", "root@box:/app# ls\na.py\nb.py\nroot@box:/app#", action=run).content == "a.py\nb.py"
    assert read("terminal", "$ cd /tmp\n$", action=call("run", command="cd /tmp")).content == ""
    assert read("terminal", "total 0\n# ls", action=run).content == "total 0\n# ls"


def test_a_session_of_screens_keeps_its_screens() -> None:
    screen = "root@box:/app# ls\na.py\nroot@box:/app#"
    for state in (
        State(situation="root@box:/app#"),
        State().then(call("run", command="ls"), Observation(content=screen)),
    ):
        assert read("terminal", screen, state, call("run", command="ls")).content == screen
    typed = call("terminal", keystrokes="ls\n")
    assert read("terminal", screen, action=typed).content == screen


def test_a_block_is_taken_off_where_the_session_s_answers_stand_in_none() -> None:
    assert read("search", "```\n[1] x\n```").content == "[1] x"
    assert read("mcp", '```json\n{"a": 1}\n```').content == '{"a": 1}'
    assert read("mcp", "```\na\n```\n```\nb\n```").content == "```\na\n```\n```\nb\n```"
    assert read("mcp", "```").content == "```"
    before = State().then(call("t"), Observation(content="```\n[1] y\n```"))
    assert read("search", "```\n[1] x\n```", before).content == "```\n[1] x\n```"


def returning(schema: dict[str, JsonValue] | None) -> State:
    return State(tools=(Tool(name="t", result=schema),))


OBJECT: dict[str, JsonValue] = {"type": "object", "properties": {"id": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        (OBJECT, '{"id": 7}', {"id": 7}),
        (OBJECT, '{"type": "text", "text": "{\\"id\\": 7}"}', {"id": 7}),
        (OBJECT, '{"content": [], "structuredContent": {"id": 7}}', {"id": 7}),
        (OBJECT, "seven", None),
        (OBJECT, '{"id": NaN}', None),
        (OBJECT, '{"id": 1, "id": 2}', None),
        (OBJECT, '{"id": "\\ud800"}', None),
        (OBJECT, "[" * 300 + "]" * 300, None),
        ({"type": "integer"}, "7", 7),
        ({"type": "string"}, '"seven"', None),
        (None, '{"id": 7}', None),
    ],
)
def test_a_value_is_read_where_the_tool_declares_one_and_the_text_is_one(
    schema: dict[str, JsonValue] | None, text: str, value: JsonValue
) -> None:
    assert read("mcp", text, returning(schema)).structured == value


def test_a_failed_call_has_no_value() -> None:
    assert read("mcp", '{"error": "no"}', returning(OBJECT)).structured is None

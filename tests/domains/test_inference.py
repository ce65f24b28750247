import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lookahead.domains import Domain, domain_for, domains, load_prompts, messages, prompted, register
from lookahead.domains import infer as room
from lookahead.domains.tools import tool_definitions
from lookahead.errors import ConfigError
from lookahead.types import Action, Observation, State, Step, Tool

sys.path.insert(0, str(Path(__file__).parent))
from domain_sessions import call

CASES = """
terminal  run(command) terminal(commands) bash(command,restart) execute_bash(command,is_input,timeout)
terminal  shell(command,workdir)
terminal  Bash(command,description,run_in_background) exec_command(cmd,yield_time_ms)
terminal  send_keys(keystrokes,duration)
terminal  run_terminal_cmd(command,is_background) run_shell(script) execute_command(command,requires_approval)
terminal  powershell(code)
web       browser_click(element,ref) goto(url):open_a_page_in_the_browser click(bid,button) page_screenshot()
web       fill(bid,value)
web       mcp__playwright__browser_type(ref,text) playwright-browser_navigate(url)
web       puppeteer_fill(selector,value)
android   tap(x,y) phone(action,index) swipe(x1,y1,direction) mobile_launch_app(device,packageName)
android   open_app(app_name)
android   navigate_back() adb_input_text(text) act(action_type,index) mcp__mobile__mobile_tap(x,y) kill_app()
android   long_press(index)
os        computer(action,coordinate) pyautogui(code) left_click(x,y) desktop_click(x,y) keyboard_type(text)
os        execute_python(code):runs_pyautogui_on_the_desktop mcp__computer-use__left_click(x,y)
swe       Read(file_path,offset) Edit(file_path,old_string) Glob(pattern) TodoWrite(todos)
swe       read_file(absolute_path)
swe       write_file(path,content) move_file(source,destination) insert_edit_into_file(filePath,code)
swe       list_dir(workspacePath)
search    web_search(query) web_extractor(url) dict_memory(operation) tavily_search(query) fetch(url)
search    WebFetch(url,prompt)
search    search(query):search_the_web visit_webpage(url) wikipedia(query) brave_web_search(query,count)
mcp       mcp__github__create_issue(title) notion-create_page(title) filesystem-read_file(path)
mcp       local-claim_done()
mcp       mcp__shell__run_command(command) github-search_repositories(query)
generic   run_sql(command) send_device_command(device,command) lookup_phone(number) send_sms(phone,text)
generic   get_weather(city)
generic   search_flights(origin) search_products(query) fetch_order(order_id) transfer(account,amount)
generic   open_account(name)
generic   type_of_account(account) press_release(title) calculator(expression) final_answer(answer)
generic   read_emails(folder)
"""


def defined(text: str) -> Tool:
    head, _, about = text.partition(":")
    name, _, parameters = head.rstrip(")").partition("(")
    properties = {parameter: {"type": "string"} for parameter in parameters.split(",") if parameter}
    schema = {"type": "object", "properties": properties}
    return Tool(name=name, description=about.replace("_", " "), parameters=schema)  # type: ignore[arg-type]


ROWS = [(kind, one) for kind, *found in map(str.split, CASES.strip().split("\n")) for one in found]


@pytest.mark.parametrize(("kind", "text"), ROWS)
def test_a_tool_s_kind_is_seen_in_its_name_its_parameters_and_its_words(kind: str, text: str) -> None:
    tool = defined(text)
    assert domain_for(State(tools=(tool,)), call(tool.name)).name == kind


def test_without_a_definition_the_call_s_own_arguments_tell() -> None:
    assert domain_for(State(), call("run", command="ls")).name == "terminal"
    assert domain_for(State(), call("browser_click", ref="e1")).name == "web"
    assert domain_for(State(), call("transfer", amount=1)).name == "generic"


@pytest.mark.parametrize(
    ("tools", "asked", "kind"),
    [
        ("Bash(command) Read(file_path) WebSearch(query)", "Bash", "swe"),
        ("Bash(command) Read(file_path) WebSearch(query)", "WebSearch", "swe"),
        ("run(command) send_email(to)", "run", "generic"),
        ("run(command) mcp__git__log(path)", "run", "mcp"),
        ("browser_click(ref) final_answer(text)", "browser_click", "web"),
        ("browser_click(ref) final_answer(text)", "final_answer", "generic"),
        ("web_search(query) visit_webpage(url)", "visit_webpage", "search"),
        ("web_search(query) transfer(amount)", "web_search", "generic"),
    ],
)
def test_the_calls_of_a_session_share_a_domain_where_they_can(tools: str, asked: str, kind: str) -> None:
    state = State(tools=tuple(map(defined, tools.split())))
    assert domain_for(state, call(asked)).name == kind


def test_what_is_declared_counts_before_what_it_looks_like() -> None:
    action = call("run", command="ls")
    assert domain_for(State(domain="os"), action).name == "os"
    assert domain_for(State(domain="os"), action, "swe").name == "swe"
    assert domain_for(State(domain="bench/Terminal"), action).name == "terminal"


def test_a_domain_that_nobody_knows_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"'kitchen'.*android, generic, mcp"):
        domain_for(State(), call("t"), "kitchen")


@pytest.fixture
def fresh() -> Iterator[None]:
    before = dict(room._added)  # pyright: ignore[reportPrivateUsage]
    yield
    room._added.clear()  # pyright: ignore[reportPrivateUsage]
    room._added.update(before)  # pyright: ignore[reportPrivateUsage]
    room._installed.cache_clear()  # pyright: ignore[reportPrivateUsage]


ONE_FILE = """
from lookahead.domains import Domain

CELLS = Domain(
    name="spreadsheet",
    template="You simulate a spreadsheet.\\n\\n{tool_definitions}",
    claims=lambda tool: tool.name.startswith("cell_"),
)
"""


@pytest.mark.usefixtures("fresh")
def test_a_domain_of_one_s_own_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "spreadsheet_domain.py").write_text(ONE_FILE)
    monkeypatch.syspath_prepend(str(tmp_path))
    cells = importlib.import_module("spreadsheet_domain").CELLS
    state, action = State(), call("cell_set", at="A1", to=3)
    assert domain_for(state, action).name == "generic"
    assert register(cells) is cells
    assert domain_for(state, action) is cells
    assert messages(cells, state, action)[0].content.startswith("You simulate a spreadsheet.")
    answer = cells.read("<predicted_observation>A1 = 3</predicted_observation>", state, action)
    assert (answer.content, answer.origin.kind) == ("A1 = 3", "model")


@pytest.mark.usefixtures("fresh")
def test_an_installed_package_adds_a_domain_by_an_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cells_domain.py").write_text(ONE_FILE)
    described = tmp_path / "cells-1.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: cells\nVersion: 1.0\n")
    entry = described / "entry_points.txt"
    entry.write_text("[lookahead.domains]\ncells = cells_domain:CELLS\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    room._installed.cache_clear()  # pyright: ignore[reportPrivateUsage]
    assert domain_for(State(), call("cell_get", at="A1")).name == "spreadsheet"
    entry.write_text("[lookahead.domains]\ncells = cells_domain:MISSING\n")
    importlib.invalidate_caches()
    room._installed.cache_clear()  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(ConfigError, match="'cells' of cells_domain:MISSING cannot be loaded"):
        domains()


@pytest.mark.usefixtures("fresh")
def test_a_registered_domain_takes_the_place_of_one_of_its_name() -> None:
    mine = register(Domain(name="mcp", template="mine"))
    assert domain_for(State(domain="mcp"), call("t")) is mine


def test_the_authors_prompts_are_filled_in_and_other_braces_stay(tmp_path: Path) -> None:
    folder = tmp_path / "prompts" / "mcp"
    folder.mkdir(parents=True)
    (folder / "system_prompt.txt").write_bytes(
        b'Answer {"type":"text"} {0}\r\n{tool_definitions}\nlast item.\n{demonstrations}'
    )
    prompts = load_prompts(tmp_path)
    assert dict(prompts) == dict(load_prompts(tmp_path / "prompts"))
    domain = prompted(domains()["mcp"], prompts)
    tools = (Tool(name="echo", description="Says {demonstrations} and {0}."),)
    shown = Step(action=call("echo", text="{tool_definitions}"), observation=Observation(content="ok"))
    text = domain.system(State(tools=tools), demonstrations=[shown], instruction="Fail.")
    assert text.startswith(
        'Answer {"type":"text"} {0}\r\n### 1. echo\n#### **Description**:\nSays {demonstrations} and {0}.\n'
    )
    assert text.count("## Example 1\n### Turn 1\n**Action:**\n") == 1
    assert '"text": "{tool_definitions}"' in text
    assert text.endswith("# Simulation Instruction\n\nFail.")
    assert prompted(domains()["generic"], prompts).template == domain.template
    assert prompted(domains()["os"], prompts) is domains()["os"]


def test_a_folder_without_prompts_says_which_were_expected(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"prompts/DOMAIN/system_prompt\.txt"):
        load_prompts(tmp_path)


@pytest.mark.parametrize("kind", ["mcp", "search", "terminal", "swe", "android", "web", "os", "generic"])
def test_our_own_prompts_have_a_place_for_tools_and_for_demonstrations_at_the_end(kind: str) -> None:
    bare = domains()[kind].system(State(tools=(Tool(name="echo"),)))
    assert "### 1. echo\n" in bare
    assert "{" not in bare.replace("{}", "")
    shown = Step(action=call("echo"), observation=Observation(content="ok"))
    assert domains()[kind].system(State(tools=(Tool(name="echo"),)), demonstrations=[shown]).startswith(bare)


def test_tools_are_listed_in_the_published_layout() -> None:
    tool = Tool(
        name="add",
        description=" Adds a row.\n\nTwice, if need be. ",
        parameters={
            "type": "object",
            "properties": {
                "table": {"type": "string", "description": "Which\ntable", "enum": ["a", "b"]},
                "row": {"anyOf": [{"type": "object"}, {"type": "null"}], "default": None},
                "tags": {"type": "array", "items": {"type": "string"}},
                "any": True,
            },
            "required": ["table"],
        },
        result={"type": "integer"},
    )
    assert tool_definitions([tool, Tool(name="ping")]) == (
        "### 1. add\n#### **Description**:\nAdds a row.\n\nTwice, if need be.\n\n#### **Parameters**:\n"
        '- **table** `string` (REQUIRED): Which table. One of ["a", "b"].\n'
        "- **row** `object|null` (Optional): Default: null.\n"
        '- **tags** `array` (Optional): Inside: {"items": {"type": "string"}}.\n'
        '- **any** `any` (Optional):\n\n#### **Returns**:\n`{"type": "integer"}`\n\n'
        "### 2. ping\n#### **Description**:\n\n\n#### **Parameters**:\n- None"
    )


def test_a_schema_of_any_shape_is_listed_without_a_crash() -> None:
    odd = [
        {"properties": []},
        {"properties": {"a": 1, "b": {"type": [1]}}, "required": 3},
        {"properties": {"a": {"anyOf": []}}},
    ]
    for parameters in odd:
        assert tool_definitions([Tool(name="t", parameters=parameters)])  # type: ignore[arg-type]


def test_an_action_that_names_no_known_tool_still_has_a_domain() -> None:
    assert domain_for(State(tools=(Tool(name="a"),)), Action(tool="b")).name == "generic"

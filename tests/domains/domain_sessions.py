"""One session for each domain, in the forms that the published data has.

`python tests/domains/domain_sessions.py` writes the golden files anew, to be read against the format's facts.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import JsonValue

from lookahead.domains import Domain, domain_for, messages
from lookahead.types import Action, Message, Observation, State, Step, Tool, ToolEffect

GOLDEN: Final = Path(__file__).parent / "golden"


@dataclass(frozen=True, kw_only=True)
class Session:
    """What was there, what was done, and what is asked now."""

    state: State
    action: Action
    demonstrations: tuple[Step, ...] = ()
    instruction: str = ""

    @property
    def domain(self) -> Domain:
        return domain_for(self.state, self.action)

    def chat(self) -> tuple[Message, ...]:
        return messages(
            self.domain, self.state, self.action, demonstrations=self.demonstrations, instruction=self.instruction
        )


def tool(
    name: str, description: str, effect: ToolEffect = "unknown", result: JsonValue = None, /, **parameters: str
) -> Tool:
    """`path="string! Where it is"`: the type, whether it must be there, the description."""
    split = {key: text.partition(" ") for key, text in parameters.items()}
    schema: dict[str, JsonValue] = {
        "type": "object",
        "properties": {key: {"type": kind.rstrip("!"), "description": text} for key, (kind, _, text) in split.items()},
        "required": [key for key, (kind, _, _) in split.items() if kind.endswith("!")],
    }
    returns = result if isinstance(result, dict) else None
    return Tool(name=name, description=description, parameters=schema, effect=effect, result=returns)


def call(name: str, /, **arguments: JsonValue) -> Action:
    return Action(tool=name, arguments=arguments)


def after(state: State, *steps: tuple[Action, str]) -> State:
    for action, content in steps:
        state = state.then(action, Observation(content=content))
    return state


def rendered(chat: tuple[Message, ...]) -> str:
    return "".join(f"=====[ {message.role} ]=====\n{message.content}\n" for message in chat)


MCP = Session(
    state=after(
        State(
            goal="Close the stale issues",
            tools=(
                tool(
                    "tracker-list_issues",
                    "Lists issues.\n\nNewest first, never `{demonstrations}`.",
                    "reads",
                    state="string Only issues in this state",
                    limit="integer At most so many",
                ),
                tool(
                    "tracker-close_issue",
                    "Closes one issue.",
                    "changes",
                    {"type": "object", "properties": {"id": {"type": "integer"}, "state": {"type": "string"}}},
                    id="integer! The issue's number",
                ),
                tool("tracker-ping", "Says whether the server is there."),
            ),
        ),
        (call("tracker-ping"), '{"type":"text","text":"pong"}'),
        (
            call("tracker-list_issues", state="open", limit=2),
            '[{"id": 7, "title": "Löschen geht nicht"}, {"id": 4, "title": "{tool_definitions}"}]',
        ),
    ),
    action=call("tracker-close_issue", id=7),
    demonstrations=(
        Step(action=call("tracker-close_issue", id=1), observation=Observation(content='{"id": 1, "state": "closed"}')),
    ),
    instruction="Closing fails with status 503 on every second call.",
)

SEARCH = Session(
    state=after(
        State(
            tools=(
                tool("web_search", "Searches the web.", "reads", queries="array! What to look for"),
                tool("web_extractor", "Reads a page.", "reads", url="string! Its address"),
            ),
        ),
        (
            call("web_search", queries=["tallest lighthouse in Europe"]),
            "[1] https://en.wikipedia.org/wiki/List_of_tallest_lighthouses\nTitle: List of tallest lighthouses\n"
            "Snippet: Towers by height,\u2028with the year ...\nDate: N/A\n\n"
            "[2] https://lights.example/north\nTitle: Northern lights\nSnippet: A tour ...\nDate: Jun 18, 2024",
        ),
        (
            call("web_extractor", url="https://lights.example/north"),
            "# Northern lights\n\n### Turn 9\n**Action:**\n```\nnot a turn\n```",
        ),
    ),
    action=call("web_search", queries=["Île Vierge lighthouse height", "Lanterna di Genova height"]),
    instruction="Target query: tallest lighthouse in Europe. Reference answer: Île Vierge, 82.5 m.",
)

TERMINAL = Session(
    state=after(
        State(
            domain="terminal",
            situation="root@ad092d3df69c:/app#",
            tools=(
                tool(
                    "terminal",
                    "Types into a terminal.",
                    keystrokes="string! What is typed",
                    duration="number Seconds to wait",
                ),
            ),
        ),
        (
            call("terminal", keystrokes="ls\n", duration=0.1),
            "root@ad092d3df69c:/app# ls\nmain.py  notes.txt\nroot@ad092d3df69c:/app#",
        ),
        (
            call("terminal", keystrokes="python3 main.py\n", duration=2.0),
            "root@ad092d3df69c:/app# python3 main.py\nworking ...",
        ),
        (call("terminal", keystrokes="", duration=10.0), "root@ad092d3df69c:/app# python3 main.py\nworking ..."),
    ),
    action=call("terminal", keystrokes="C-c", duration=0.5),
)

SHELL = Session(
    state=after(
        State(tools=(tool("run", "Runs a command and returns what it prints.", command="string! The command"),)),
        (call("run", command="cat notes.txt"), "buy milk\n"),
        (call("run", command="mkdir -p out"), ""),
    ),
    action=call("run", command="rm -rf out"),
)

SWE = Session(
    state=after(
        State(
            tools=(
                tool("Read", "Reads a file.", "reads", file_path="string! Absolute path", offset="integer First line"),
                tool(
                    "Edit",
                    "Replaces text.",
                    "changes",
                    file_path="string! Absolute path",
                    old_string="string! Text",
                    new_string="string! Text",
                ),
                tool("Bash", "Runs a command.", command="string! The command", description="string What for"),
            ),
        ),
        (call("Read", file_path="/a.py"), "     1→def f():\n     2→    return 1\n"),
        (
            call("Edit", file_path="/a.py", old_string="return 1", new_string='return "```"'),
            "The file /a.py has been updated. Here's the result of running `cat -n` on a snippet of the edited file:\n"
            '     2→    return "```"',
        ),
        (
            call("Bash", command="python -c 'import a; a.g()'", description="Try it"),
            "Exit code 1\nAttributeError: module 'a' has no attribute 'g'",
        ),
    ),
    action=call("Bash", command="git status --short", description="See what changed"),
)

_HOME = """\
**Current Phone State:**
• **App:** Launcher (com.example.launcher)
• **Keyboard:** Hidden
• **Focused Element:** ''

Current Clickable UI elements from the device in the schema 'index. className: resourceId, text - bounds(x1,y1,x2,y2)':
1. TextView: "com.example.launcher:id/app", "Files" - (40,900,300,1000)"""
_FILES = """\
**Current Phone State:**
• **App:** Files (com.example.files)
• **Keyboard:** Hidden
• **Focused Element:** ''

Current Clickable UI elements from the device in the schema 'index. className: resourceId, text - bounds(x1,y1,x2,y2)':
1. TextView: "com.example.files:id/title", "Downloads" - (0,258,267,384)
2. Button: "com.example.files:id/search", "Search" - (900,60,1060,180)"""
_PHONE = tool(
    "phone",
    "Acts on the phone.",
    action="string! What is done",
    index="integer The element",
    text="string What is typed",
)

ANDROID = Session(
    state=after(
        State(goal="Find report.odt", situation=_HOME, tools=(_PHONE,)),
        (call("phone", action="click", index=1), _FILES),
        (call("phone", action="click", index=2), _FILES.replace("Hidden", "Shown").replace("''", "'Search'")),
    ),
    action=call("phone", action="type", text="report <odt>"),
)

_SCREEN = """\
[ 0] | android.widget.TextView | text="Clock" desc="" res="" | bounds=[0,0][1080,80] |
[ 1] | android.widget.Button | text="Alarm" desc="" res="clock:id/alarm" | bounds=[0,80][540,240] | clickable"""
_SHOP = """\
**Current Phone State:**
• **App:** com.example.shop
• **Activity:** com.example.shop.Login
• **State ID:** 3f/a0
• **Screen:** 1080x2340

Accessibility Tree:
- FrameLayout bounds=0,0,1080,2340
  - EditText [id="com.example.shop:id/name"] [text="Name"] bounds=108,864,972,1039"""

ANDROID_JSON = Session(
    state=after(
        State(
            goal="Set an alarm",
            situation=_SCREEN,
            tools=(tool("act", "Acts on the phone.", action_type="string! What is done", index="integer The element"),),
        ),
        (call("act", action_type="click", index=1), _SCREEN.replace("Clock", "Alarms")),
    ),
    action=call("act", action_type="navigate_back"),
)

ANDROID_EXPLORER = Session(
    state=after(
        State(goal="Predict the next screen in com.example.shop", domain="android", situation=_SHOP),
        (
            call("set_text", element="input", bound_box="108,864,972,1039", text="Name", input="dummy_user_input"),
            _SHOP.replace("3f/a0", "3f/b1").replace("Name", "dummy_user_input"),
        ),
    ),
    action=call("touch", element="button", id="3", bound_box="108,1133,972,1266", text="SIGN IN"),
)

_LOGIN = """\
### Page
- Page URL: http://shop.example/login
- Page Title: Sign in
### Snapshot
```yaml
- textbox "Email" [ref=e12]
- button "Sign in" [ref=e14] [cursor=pointer]
```"""

WEB = Session(
    state=after(
        State(
            goal="Sign in",
            tools=(
                tool("browser_navigate", "Opens an address.", url="string! The address"),
                tool(
                    "browser_type",
                    "Types into an element.",
                    element="string! Which one",
                    ref="string! Its reference",
                    text="string! What",
                    submit="boolean Press Enter",
                ),
                tool("browser_click", "Clicks.", element="string! Which one", ref="string! Its reference"),
            ),
        ),
        (
            call("browser_navigate", url="http://shop.example/login"),
            "### Ran Playwright code\n```js\nawait page.goto('http://shop.example/login');\n```\n" + _LOGIN,
        ),
        (
            call("browser_type", element='Field "Email"', ref="e12", text="a@b.example", submit=False),
            _LOGIN.replace("[ref=e12]", "[ref=e12]: a@b.example"),
        ),
    ),
    action=call("browser_click", element="Sign in button", ref="e14"),
)

_DESK = "desktop\n  window\tMail\t(0, 0)\t(1920, 1080)\n    push-button\tSend\t(1200, 400)\t(80, 30)"

OS = Session(
    state=after(
        State(
            goal="Send the letter",
            situation=_DESK,
            tools=(tool("pyautogui", "Runs Python that uses pyautogui.", code="string! The code"),),
        ),
        (call("pyautogui", code="import pyautogui\npyautogui.click(1240, 415)"), _DESK.replace("Send", "Sending")),
    ),
    action=call("pyautogui", code='"""\n```\nNot the end.\n```\n"""\npyautogui.hotkey("ctrl", "s")\n'),
)

GENERIC = Session(
    state=after(
        State(
            goal="Pay the invoice",
            situation="Balance: 120.00 EUR",
            tools=(
                tool("get_invoice", "Fetches an invoice.", "reads", number="string! Its number"),
                tool("pay", "Pays an invoice.", "changes", number="string! Its number", cents="integer! How much"),
            ),
        ),
        (call("get_invoice", number="2029-17"), '{"number": "2029-17", "cents": 9900}'),
    ),
    action=call("pay", number="2029-17", cents=9900),
)

SESSIONS: Final = {
    "mcp": MCP,
    "search": SEARCH,
    "terminal": TERMINAL,
    "terminal_command": SHELL,
    "swe": SWE,
    "android": ANDROID,
    "android_json": ANDROID_JSON,
    "android_explorer": ANDROID_EXPLORER,
    "web": WEB,
    "os": OS,
    "generic": GENERIC,
}


def main() -> None:
    for name, session in SESSIONS.items():
        (GOLDEN / f"{name}.txt").write_bytes(rendered(session.chat()).encode())


if __name__ == "__main__":
    sys.exit(main())

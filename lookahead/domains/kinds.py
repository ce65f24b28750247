"""Which kind of world a tool belongs to, by its name, its parameters and what it says of itself."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, cast

from lookahead.domains import words as w
from lookahead.domains.blocks import bare
from lookahead.domains.words import words_of
from lookahead.types import Action, Tool, ToolEffect


@dataclass(frozen=True, kw_only=True)
class _Known:
    """What is known of a tool, in small letters."""

    name: str
    words: frozenset[str]
    parameters: frozenset[str]
    ends: frozenset[str]
    """The last words of the parameters: `path`, for `relativeWorkspacePath`."""
    about: str
    effect: ToolEffect

    def named(self, words: Collection[str]) -> bool:
        return bool(self.words & frozenset(words))

    def takes(self, parameters: Collection[str]) -> bool:
        return bool(self.parameters & frozenset(parameters))

    def speaks(self, *phrases: str) -> bool:
        return any(phrase in self.about for phrase in phrases)


def kind_of(tool: Tool | None, action: Action) -> str:
    """The domain's name. Without a definition, the call's own name and arguments have to do."""
    if tool is None:
        return _kind(action.tool, tuple(action.arguments), "", "unknown")
    properties = tool.parameters.get("properties")
    parameters = tuple(cast(dict[str, object], properties)) if isinstance(properties, dict) else ()
    if not parameters and tool.name == action.tool:
        parameters = tuple(action.arguments)
    return _kind(tool.name, parameters, tool.description[:2000], tool.effect)


@lru_cache(maxsize=2048)
def _kind(name: str, parameters: tuple[str, ...], description: str, effect: ToolEffect) -> str:
    own = bare(name)
    served = own != name or name.startswith("mcp__")
    known = _Known(
        name="_".join(words_of(own)),
        words=frozenset(words_of(own)),
        parameters=frozenset(parameter.lower() for parameter in parameters),
        ends=frozenset(words_of(parameter)[-1] for parameter in parameters if words_of(parameter)),
        about=description.lower(),
        effect=effect,
    )
    for kind, belongs in _SERVED if served else _ALL:
        if belongs(known):
            return kind
    return "mcp" if served else "generic"


def _is_shell(tool: _Known) -> bool:
    if "keystrokes" in tool.parameters:
        return True
    if not tool.takes(w.COMMANDS) or tool.named(w.NOT_A_SHELL):
        # A tool called by a shell's own name may take its command under any name.
        alone = len(tool.parameters) == 1 and tool.takes(("code", "input", "text", "args", "query", "line"))
        return bool(tool.words) and tool.words <= w.SHELLS | w.RUNS and tool.named(w.SHELLS) and alone
    if tool.named(w.SHELLS):
        return True
    runs = tool.named(w.RUNS) or "command" in tool.words or tool.speaks("shell", "bash", "terminal", "command line")
    return runs and not tool.takes(w.ELSEWHERE)


def _is_page(tool: _Known) -> bool:
    if tool.name.startswith(("browser", "playwright", "puppeteer", "page_")) or "browsergym" in tool.words:
        return True
    acts = tool.named(w.PAGES)
    if tool.named(w.BROWSERS):
        return True
    on_page = any(names <= tool.parameters for names in w.ON_A_PAGE)
    about = tool.speaks("browser", "web page", "webpage", "playwright", "current page", "dom element")
    return acts and (on_page or (about and not tool.named({"file", "files"})))


def _is_phone(tool: _Known) -> bool:
    if tool.name == "phone" or "action_type" in tool.parameters:
        return True
    on_screen = tool.takes(w.ON_A_SCREEN) or not tool.parameters
    if tool.named(w.PHONES):
        # `phone_tap` is a gesture, and `phone_lookup`, `send_mobile_message(to)` are none.
        acts = tool.named(w.GESTURES - {"text", "home", "state", "act"})
        return acts and (on_screen or "action" in tool.parameters)
    about = tool.speaks("android", "phone", "mobile", "touch screen", "touchscreen")
    if tool.name in w.PHONE_NAMES:
        return on_screen
    return tool.named(w.TOUCHES) and on_screen and (about or tool.name in _BARE_TOUCHES)


_BARE_TOUCHES: Final = w.names("tap swipe double_tap long_tap tap_on swipe_up swipe_down tap_element tap_screen")


def _is_desktop(tool: _Known) -> bool:
    if tool.name in w.DESKTOP_NAMES or "pyautogui" in tool.words or "osworld" in tool.words:
        return True
    if tool.speaks("pyautogui", "mouse and keyboard", "desktop's accessibility tree", "desktop gui"):
        return True
    acts = tool.named(w.PAGES | w.GESTURES | {"move", "key", "execute", "run", "python"})
    return tool.named(w.DESKTOPS) and acts


def _is_programming(tool: _Known) -> bool:
    joined = tool.name.replace("_", "")
    if tool.name in w.AGENT_TOOLS or joined in w.AGENT_TOOLS:
        return not tool.parameters or tool.takes(w.FILE_PARAMETERS | w.AGENT_PARAMETERS)
    if not tool.takes(w.FILE_PARAMETERS) and not tool.ends & _PLACES:
        return False
    return tool.named(w.FILE_VERBS) and tool.named(w.FILE_NOUNS)


_PLACES: Final = w.names("path paths file files directory folder")


def _is_search(tool: _Known) -> bool:
    if tool.effect in ("changes", "destroys") and tool.name != "dict_memory":
        return False
    asks = tool.takes(w.SEARCH_PARAMETERS) or not tool.parameters
    if tool.name in w.SEARCH_NAMES or tool.name.replace("_", "") in w.SEARCH_NAMES:
        return asks or tool.name == "dict_memory"
    if asks and tool.words and tool.words <= w.SEARCH_PLACES:
        return True
    if not asks or not tool.named(w.SEARCH_VERBS | w.SEARCH_PLACES):
        return False
    if tool.named(w.SEARCH_VERBS) and tool.named(w.SEARCH_PLACES):
        return True
    about = tool.speaks("search the web", "web search", "internet", "search engine", "google", "web page", "webpage")
    return about and tool.named(w.SEARCH_VERBS)


_Belongs = Callable[[_Known], bool]

_SCREENS: Final[tuple[tuple[str, _Belongs], ...]] = (
    ("web", _is_page),
    ("android", _is_phone),
    ("os", _is_desktop),
)
_SERVED: Final = _SCREENS
"""What a server's tools can be besides MCP's: those whose answers are screens."""
_ALL: Final[tuple[tuple[str, _Belongs], ...]] = (
    ("terminal", _is_shell),
    *_SCREENS,
    ("swe", _is_programming),
    ("search", _is_search),
)

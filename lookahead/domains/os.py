"""A desktop: Python that moves the mouse, types and runs programs, and the accessibility tree that follows."""

from typing import Final

from lookahead.domains.base import Domain, Meaning
from lookahead.domains.blocks import bare, call_block, fenced, is_name
from lookahead.domains.words import REMARKS, WAITS
from lookahead.types import Action, State

_CODE: Final = frozenset(("code", "python", "script", "source", "program", "python_code"))
_LIBRARY: Final = "pyautogui_"


def block(action: Action) -> str:
    code = code_of(action)
    return call_block(action) if code is None else fenced("python", code)


def code_of(action: Action) -> str | None:
    """The code that a call runs, or the call itself as code; None where it cannot be written as any."""
    texts = [(name, value) for name, value in action.arguments.items() if name.lower() in _CODE]
    others = [name for name in action.arguments if name.lower() not in _CODE | REMARKS | WAITS]
    if len(texts) == 1 and isinstance(texts[0][1], str) and not others:
        return texts[0][1]
    name = bare(action.tool)
    name = f"pyautogui.{name[len(_LIBRARY) :]}" if name.startswith(_LIBRARY) else name
    if not all(is_name(word) for word in (*name.split("."), *action.arguments)):
        return None
    # `repr` is Python's own spelling, as JSON's would not be for true, false and null.
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in action.arguments.items())})"


def meaning(text: str, state: State, action: Action) -> Meaning:
    return text, False


OS = Domain(name="os", block=block, meaning=meaning, tasked=True, screens=True)

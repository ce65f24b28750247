"""System prompts: our own, one text file for each domain, or the authors', read from their repository.

Both have the same two places to fill in, `{tool_definitions}` and `{demonstrations}`, and other braces besides, so they
are filled in by name, in one pass, and never as format strings: what is filled in is data.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from lookahead.errors import ConfigError

FILE: Final = "system_prompt.txt"
NAMES: Final = ("mcp", "search", "terminal", "swe", "android", "web", "os")
_PLACE: Final = re.compile(r"\{(?:tool_definitions|demonstrations)\}")
_BREAK: Final = "\n\n---\n\n"


@cache
def own_prompt(name: str) -> str:
    """Our own words; the generic ones for a domain that has none."""
    folder = files(__package__ or "lookahead.domains").joinpath("prompts")
    found = folder.joinpath(f"{name}.txt")
    return (found if found.is_file() else folder.joinpath("generic.txt")).read_text(encoding="utf-8").rstrip("\n")


def filled(template: str, *, tools: str, demonstrations: Sequence[str] = (), instruction: str = "") -> str:
    """The whole system prompt. What it has no place for comes at its end, what differs between tasks last of all."""
    shown = _demonstrated(demonstrations)
    values = {"{tool_definitions}": tools, "{demonstrations}": shown}
    text = _PLACE.sub(lambda found: values[found[0]], template)
    if shown and "{demonstrations}" not in template:
        text = text.rstrip("\n") + shown
    return f"{text}{_BREAK}# Simulation Instruction\n\n{instruction}" if instruction else text


def _demonstrated(demonstrations: Sequence[str]) -> str:
    if not demonstrations:
        return ""
    examples = "\n\n".join(f"## Example {number}\n{shown}" for number, shown in enumerate(demonstrations, 1))
    return f"{_BREAK}# Few-shot Examples\n\nCalls of this kind, and what they really returned:\n\n{examples}"


def load_prompts(folder: str | Path) -> Mapping[str, str]:
    """The authors' templates, by domain, from a clone of their repository or its `prompts` folder."""
    top = Path(folder)
    found: dict[str, str] = {}
    for name in NAMES:
        for path in (top / "prompts" / name / FILE, top / name / FILE):
            try:
                # Not as text with any line end: the prompts are to reach the model to the byte.
                found[name] = path.read_bytes().decode("utf-8")
                break
            except (FileNotFoundError, NotADirectoryError):
                continue
            except (OSError, UnicodeDecodeError) as cause:
                raise ConfigError(f"the prompt {path} cannot be read: {cause}") from cause
    if not found:
        raise ConfigError(
            f"there are no prompts in {top}: expected prompts/DOMAIN/{FILE} with DOMAIN one of {', '.join(NAMES)}; "
            "clone https://github.com/QwenLM/Qwen-AgentWorld and give that folder"
        )
    return found

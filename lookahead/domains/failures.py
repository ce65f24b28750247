"""Whether an observation tells of a call that failed. Only where its form leaves no doubt: a file may hold any word."""

import re
from collections.abc import Mapping
from typing import Any, Final, cast

from lookahead.domains.results import as_value

_EXCEPTION: Final = re.compile(r"[A-Z]\w{0,60}(?:Error|Exception|Timeout|Interrupt|Exit)(?:: [^\n]*)?\Z")
_LINE: Final = re.compile(r"(?i:error|fatal|failed):? [^\n]{0,2000}\Z")
_HTTP: Final = re.compile(r"[45]\d\d [A-Z][A-Za-z' -]{2,40}\Z")
_VALIDATION: Final = re.compile(r"\d{1,6} validation errors? for ")
_SAID_BY_SERVERS: Final = (
    "Error calling tool ",
    "Error executing tool ",
    "MCP error -",
    "MCP error:",
    "Error: MCP error",
    "status: error\n",
    "<tool_use_error>",
    "Input validation error: ",
    "Output validation error: ",
    "Unknown tool: ",
)
_EXIT: Final = re.compile(
    r"\W{0,3}(?:(?:the )?(?:command|process|program|script) )?"
    r"(?:(?:exited|failed|finished|returned)(?: with)?(?: non-zero)? "
    r"(?:exit |return |status )?(?:code|status)|(?:exit|return) (?:code|status))\W{0,3}(-?\d{1,10})\W{0,3}",
    re.IGNORECASE,
)
_COMPLAINTS: Final = (
    "command not found",
    "not found",
    "No such file or directory",
    "Permission denied",
    "Is a directory",
    "Not a directory",
    "File exists",
    "Operation not permitted",
    "Directory not empty",
    "unrecognized option",
    "invalid option",
)
_TRACEBACK: Final = re.compile(r"^Traceback \(most recent call last\):$", re.MULTILINE)
_SIMPLE: Final = re.compile(r"[^;&|<>()`$\n]+\n?\Z")


def call_failed(text: str) -> bool:
    """An error in one of the forms in which tools and their servers report one."""
    text = text.strip()
    if text.startswith(_SAID_BY_SERVERS) or text == "status: error" or _VALIDATION.match(text):
        return True
    if _EXCEPTION.match(text) or _LINE.match(text) or _HTTP.match(text):
        return True
    value = as_value(text) if text[:1] == "{" else None
    return isinstance(value, dict) and _object_failed(cast(dict[str, Any], value))


def _object_failed(value: Mapping[str, Any]) -> bool:
    if value.get("isError") is True or value.get("is_error") is True:
        return True
    if value.get("isError") is False:
        return False
    if value.get("type") == "text" and isinstance(value.get("text"), str):
        return call_failed(value["text"]) if value["text"][:1] != "{" else _object_failed(_inner(value["text"]))
    if value.get("success") is False or value.get("ok") is False or value.get("status") in ("error", "failed"):
        return True
    told = value.get("error")
    answered = {"result", "data", "results", "items", "value", "output"} & value.keys()
    return bool(told) and not answered and value.get("success") is not True and value.get("ok") is not True


def _inner(text: str) -> Mapping[str, Any]:
    value = as_value(text)
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}


def exit_code(text: str) -> int | None:
    """The exit code that the first or the last line reports."""
    lines = [line for line in (_first_line(text), _last_line(text)) if len(line) < 200]
    found = next((match for match in map(_EXIT.fullmatch, lines) if match), None)
    return int(found[1]) if found else None


def command_failed(text: str, command: str) -> bool:
    """A shell's or a program's own complaint about this command, or an exit code that is not 0."""
    code = exit_code(text)
    if code is not None:
        return code != 0
    last, words = _last_line(text), command.split()
    if not words or not _SIMPLE.match(command):
        return False
    program = words[0].rsplit("/", 1)[-1]
    if program.startswith("python") and _TRACEBACK.search(text) and _raised(last):
        return True
    if "\n" in text.strip() or len(last) > 2000:
        return False
    who, colon, rest = last.strip().partition(": ")
    shell = who.rsplit("/", 1)[-1].lstrip("-") in ("bash", "sh", "zsh", "dash", "fish", "ksh")
    return bool(colon) and (shell or who.rsplit("/", 1)[-1] == program) and rest.endswith(_COMPLAINTS)


def _raised(line: str) -> bool:
    name = line.partition(":")[0].rpartition(".")[2]
    return name.isidentifier() and name.endswith(("Error", "Exception", "Interrupt", "Exit", "Iteration", "Warning"))


def _first_line(text: str) -> str:
    return text.lstrip().partition("\n")[0].strip()


def _last_line(text: str) -> str:
    return text.rstrip().rpartition("\n")[2].strip()

"""Which of an action's arguments are text that can do harm: shell, SQL, Python, keys typed into a terminal."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias, cast

from lookahead.critics.nameset import nameset
from lookahead.types import Action

Language: TypeAlias = Literal["shell", "keys", "sql", "python"]

_SHELL_TOOLS: Final = nameset(
    "bash shell sh zsh terminal powershell pwsh console cmd command commands subprocess tmux exec"
)
_SQL_TOOLS: Final = nameset(
    "sql psql postgres postgresql mysql mariadb sqlite sqlite3 database db duckdb bigquery snowflake redshift"
    " clickhouse mssql oracle"
)
_CODE_TOOLS: Final = frozenset(["python", "python3", "ipython", "jupyter", "notebook", "repl", "interpreter"])
_PROGRAMS: Final = nameset(
    "git kubectl docker podman terraform aws gcloud az helm gh npm psql rm find curl ssh systemctl"
)
_SHELL_NAMES: Final = nameset(
    "command commands cmd cmds shell bash shell_command bash_command command_line commandline cmdline argv"
    " shell_script bash_script exec_command"
)
_SQL_NAMES: Final = nameset("sql sql_query statement statements sql_statement sql_text raw_sql ddl dml")
_CODE_NAMES: Final = frozenset(["code", "python", "python_code", "py", "source_code", "cell"])
_ASIDE: Final = nameset(
    "cwd workdir working_dir working_directory timeout description reason explanation session session_id id"
    " name env title comment thought message path file_path"
)
_FOLDERS: Final = ("cwd", "workdir", "working_dir", "working_directory")
_SQL_START: Final = re.compile(
    r"(?is)^\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*(select\b.*\bfrom\b|select\s+[\w*'(]|insert\s+into|update\s+\S+\s+set|delete\s+from|drop\s+(table|database|schema|view|index|user|role|column)"
    r"|truncate\s|alter\s+(table|database|role|user|system)|create\s+(or\s+replace|table|database|view|index|user|role|function)|grant\s|revoke\s|with\s+\w+.*\bas\s*\(|merge\s+into|copy\s|pragma\s|explain\s|exec\s|call\s|do\s+\$)"
)


@dataclass(frozen=True, slots=True)
class Text:
    language: Language
    text: str
    cwd: str = ""


@lru_cache(maxsize=1024)
def words_of(name: str) -> tuple[str, ...]:
    """`mcp__files__deleteFile` is made of mcp, files, delete and file."""
    return tuple(part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name))


def texts_of(action: Action) -> list[Text]:
    """Every argument that some interpreter will read, in the order in which it stands there."""
    words = frozenset(words_of(action.tool))
    last = words_of(action.tool)[-1:]
    program = last[0] if last and last[0] in _PROGRAMS else ""
    arguments: dict[str, Any] = dict(action.arguments)
    cwd = next((str(arguments[name]) for name in _FOLDERS if isinstance(arguments.get(name), str)), "")
    found = [text for name, value in arguments.items() for text in _named(name.lower(), value, words, program, cwd)]
    if not found and (words & _SHELL_TOOLS or words & _SQL_TOOLS or words & _CODE_TOOLS):
        language: Language = "sql" if words & _SQL_TOOLS else "python" if words & _CODE_TOOLS else "shell"
        for name, value in arguments.items():
            if name.lower() not in _ASIDE and isinstance(value, str):
                found.append(Text(language, value, cwd))
    return found


def _named(name: str, value: Any, words: frozenset[str], program: str, cwd: str) -> Iterator[Text]:
    if name == "keystrokes" or (name in ("keys", "input", "text") and words & {"terminal", "tmux", "keystrokes"}):
        yield from (Text("keys", _typed(text), cwd) for text in _strings(value))
    elif name in _SHELL_NAMES or (
        name in ("script", "args", "arguments", "input") and (program or words & _SHELL_TOOLS)
    ):
        yield from (Text("shell", _led(text, program), cwd) for text in _command(value))
    elif name in _SQL_NAMES or (name in ("query", "queries", "script") and words & _SQL_TOOLS):
        yield from (Text("sql", text, cwd) for text in _strings(value))
    elif name == "query":
        yield from (Text("sql", text, cwd) for text in _strings(value) if _SQL_START.match(text))
    elif name in _CODE_NAMES or (name in ("script", "source", "input") and words & _CODE_TOOLS):
        language: Language = "shell" if words & _SHELL_TOOLS and not words & _CODE_TOOLS else "python"
        yield from (Text(language, text, cwd) for text in _strings(value))
    elif isinstance(value, dict | list):
        yield from _nested(value, words, cwd)


def _nested(value: Any, words: frozenset[str], cwd: str) -> Iterator[Text]:
    if isinstance(value, dict):
        for name, item in cast(dict[str, Any], value).items():
            yield from _named(name.lower(), item, words, "", cwd)
    elif isinstance(value, list):
        for item in cast(list[Any], value):
            if isinstance(item, dict | list):
                yield from _nested(item, words, cwd)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in cast(list[Any], value):
            yield from _strings(item)
    elif isinstance(value, dict):
        for item in cast(dict[str, Any], value).values():
            yield from _strings(item)


def _command(value: Any) -> Iterator[str]:
    """One text; a list is an argument vector, or several texts when its items hold blanks at the start."""
    if isinstance(value, list) and value and all(isinstance(item, str) for item in cast(list[Any], value)):
        items = cast(list[str], value)
        if " " in items[0].strip():
            yield from items
        else:
            yield shlex.join(items)
            yield from (item for item in items if re.search(r"\s", item) and len(items) < 8)
    else:
        yield from _strings(value)


def _led(text: str, program: str) -> str:
    return f"{program} {text}" if program and text.split()[:1] not in ([program], []) else text


_KEY_NAMES: Final = re.compile(r"(?:^|(?<=\s))(?:C-[a-z]|Enter|Escape|Tab|Up|Down|Left|Right|\^[A-Z])(?=\s|$)")


def _typed(text: str) -> str:
    """Keys as the line that they make. What only interrupts is dropped; what edits the line stays, unread."""
    text = re.sub(r"\x1b\[[ABCDHF]|[\x03\x04\x0c\x1a]", "", text).replace("\r", "\n")
    return _KEY_NAMES.sub("", text)

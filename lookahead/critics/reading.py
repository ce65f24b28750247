"""What the text of a call says that it can do to the world; `reads` only where that is proven."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from lookahead.critics.calls import Call
from lookahead.critics.finding import ORDER
from lookahead.critics.nameset import nameset
from lookahead.critics.options import options
from lookahead.critics.paths import PROTECTED, Ground, is_secret
from lookahead.critics.rules import judge_text
from lookahead.critics.shell import read_shell
from lookahead.critics.sql import quiet_pragma, readings_of
from lookahead.critics.sql_functions import PURE
from lookahead.critics.texts import Text, texts_of
from lookahead.critics.words import Word
from lookahead.types import Action, Tool, ToolEffect

_GROUND: Final = Ground(protected=PROTECTED)
_LOSSES: Final = (
    "files.deleted",
    "files.overwritten",
    "files.shredded",
    "files.emptied",
    "device.",
    "git.",
    "sql.",
    "machine.destroyed",
    "remote.deleted",
    "code.deletes",
    "machine.",
)


def effect_of(action: Action, tool: Tool | None = None) -> ToolEffect | None:
    """What the text says; None when it cannot tell. Of keys typed into who knows what it never says `reads`."""
    texts = texts_of(action)
    if not texts:
        return None
    worst = _worst(tuple(texts))
    if worst is not None:
        return worst
    if any(text.language == "shell" and _changes(text.text) for text in texts):
        return "changes"
    if any(text.language == "sql" and _sql_changes(text.text) for text in texts):
        return "changes"
    if set(_leftovers(action)) - {text.text for text in texts}:
        # Standing input or an environment given beside the text can change what it does.
        return None
    return "reads" if all(_reads(text) for text in texts) else None


@lru_cache(maxsize=1024)
def _worst(texts: tuple[Text, ...]) -> ToolEffect | None:
    found = [finding for text in texts for finding in judge_text(text, _GROUND)[0]]
    if any(finding.loses and ORDER.index(finding.severity) and finding.rule.startswith(_LOSSES) for finding in found):
        return "destroys"
    return (
        "changes"
        if any(not finding.rule.startswith(("shell.unread", "secrets.", "sql.unread")) for finding in found)
        else None
    )


_CHANGERS: Final = nameset(
    "mkdir touch cp mv ln install tee sed patch tar unzip zip gzip gunzip chmod chown chgrp rmdir rm make cmake"
    " ninja pip pip3 npm yarn pnpm cargo go"
    " git apt apt-get cd pushd export unset source . eval dd rsync scp"
)


def _changes(text: str) -> bool:
    """Whether a program in it is there to change something, and not called in a way that only reads."""
    return any(call.name in _CHANGERS and not _call_reads(call) for call in read_shell(text).calls)


def _leftovers(action: Action) -> list[str]:
    return [
        str(action.arguments[name])
        for name in ("env", "environment", "stdin", "input_text")
        if action.arguments.get(name)
    ]


def _reads(text: Text) -> bool:
    if text.language == "sql":
        return sql_reads(text.text)
    return text.language == "shell" and shell_reads(text.text)


@lru_cache(maxsize=1024)
def shell_reads(text: str) -> bool:
    """Whether each program in a text is known, and known to write nothing with these very arguments."""
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f]|\$|`|<\(|>\(|\bfunction\b|\balias\b|\(\)|\\(\s|$)", text):
        return False
    script = read_shell(text.replace("\\\n", ""))
    if script.unread or script.odd or not script.calls:
        return False
    return all(_call_reads(call) for call in script.calls)


def _call_reads(call: Call) -> bool:
    if not call.plain or call.elsewhere or call.stdin is not None:
        return False
    for redirect in call.redirects:
        if redirect.operator == "<" and not is_secret(redirect.target) and not redirect.target.startswith("/dev/"):
            continue
        if redirect.target == "/dev/null" or (redirect.operator == ">&" and redirect.target in ("1", "2")):
            continue
        return False
    if call.path != call.name and call.path not in (f"/bin/{call.name}", f"/usr/bin/{call.name}"):
        return False
    if any(is_secret(word.text) for word in call.args) or any("\n" in word.text for word in call.args):
        return False
    # A file may be called `-delete`: a star at the start of a word can become an option.
    if call.name not in _ANY and any(word.glob and word.text[:1] in "*?[" for word in call.args):
        return False
    if call.name in _ANY:
        return True
    check = _CHECKED.get(call.name)
    return check is not None and check(call.args)


_ANY: Final = nameset(
    "ls cat head wc stat du df pwd whoami id uname uptime ps free basename dirname realpath readlink nproc"
    " arch groups echo true false test [ [[ cut tr nl tac rev fold expand unexpand paste join comm cmp cksum"
    " md5sum sha1sum sha224sum sha256sum sha384sum sha512sum b2sum sum which type printenv seq od hexdump"
    " lsblk lscpu locale tty grep egrep fgrep zcat bzcat xzcat zgrep lsof pgrep pidof getent cal"
)
"""Programs that write nothing whatever their arguments are."""


def _without(*refused: str) -> Callable[[tuple[Word, ...]], bool]:
    def check(args: tuple[Word, ...]) -> bool:
        return not any(text.startswith(refused) or _bundle(text, refused) for text in (word.text for word in args))

    return check


def _bundle(text: str, refused: tuple[str, ...]) -> bool:
    """`-ro` holds `-o`."""
    letters = {one[1] for one in refused if len(one) == 2 and one[0] == "-"}
    return re.match(r"-[A-Za-z]", text) is not None and bool(set(text[1:]) & letters)


def _find(args: tuple[Word, ...]) -> bool:
    return not any(re.match(r"-(delete|exec|ok|fprint|fls|files0)", word.text) for word in args)


def _sed(args: tuple[Word, ...]) -> bool:
    texts = [word.text for word in args]
    if texts[:1] != ["-n"] or len(texts) < 2 or any(text.startswith("-") for text in texts[1:]):
        return False
    return re.fullmatch(r"(\d+|\$)?(,(\d+|\$))?p", texts[1]) is not None


def _date(args: tuple[Word, ...]) -> bool:
    return all(word.text.startswith("+") or word.text in ("-u", "-R", "-I", "--utc") for word in args)


def _one_input(args: tuple[Word, ...]) -> bool:
    found = options(args, "-f -s -w")
    return len(found.rest) <= 1 and not any(flag.startswith("--o") for flag in found.flags)


_GIT_READS: Final = nameset(
    "status log show diff blame grep ls-files ls-tree rev-parse rev-list describe shortlog cat-file show-ref"
    " name-rev for-each-ref whatchanged merge-base count-objects check-ignore diff-tree diff-index diff-files"
    " version"
)
_GIT_LISTS: Final[dict[str, frozenset[str]]] = {
    "branch": nameset("-a -r -v -vv --list --show-current --all --remotes --no-color"),
    "tag": frozenset(("-l", "--list", "-n")),
    "remote": frozenset(("-v", "--verbose")),
    "stash": frozenset(("list", "show")),
    "worktree": frozenset(("list", "--porcelain")),
    "config": frozenset(("--list", "-l", "list")),
    "reflog": frozenset(("show",)),
}


def _git(args: tuple[Word, ...]) -> bool:
    texts = [word.text for word in args]
    while texts[:1] in (["--no-pager"], ["--no-optional-locks"], ["--literal-pathspecs"]):
        texts = texts[1:]
    if not texts:
        return False
    name, rest = texts[0], texts[1:]
    if name in _GIT_READS:
        return not any(
            re.match(r"--(ou|ext|text|open|pag|exec|upload|fil)|-O", text)
            or (name == "cat-file" and text.startswith("--f"))
            for text in rest
        )
    allowed = _GIT_LISTS.get(name)
    if allowed is None or not (rest or name in ("branch", "tag", "remote", "reflog")):
        return False
    return all(text in allowed for text in rest)


_CHECKED: Final[dict[str, Callable[[tuple[Word, ...]], bool]]] = {
    "find": _find,
    "sed": _sed,
    "date": _date,
    "git": _git,
    "uniq": _one_input,
    "xxd": _one_input,
    "base64": _one_input,
    "tail": _without("--follow", "-f", "-F"),
    "sort": _without("-o", "--o", "--comp", "--files0", "-T", "--temp"),
    "tree": _without("-o"),
    "rg": _without("--pre", "--hostname-bin", "--search-zip", "-z"),
    "file": _without("-C", "--compile", "-m", "--magic"),
    "diff": _without("--o"),
    "jq": _without("--rawfile"),
    "hostname": lambda args: not args,
    "column": _without(),
    "strings": _without(),
    "sleep": _without(),
    "printf": _without("-v"),
    "less": lambda args: False,
    "env": lambda args: not args,
}


@lru_cache(maxsize=512)
def sql_reads(text: str) -> bool:
    """Whether every reading of a text consists of queries that only compute."""
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f\\]|/\*|\$\$|\$\w*\$|(?m:^\s*\.)", text):
        return False
    readings = readings_of(text)
    return bool(readings) and all(_all_read(reading.statements) for reading in readings)


def _all_read(statements: tuple[Any, ...]) -> bool:
    known = [statement for statement in statements if statement is not None and type(statement).__name__ != "Semicolon"]
    return bool(known) and all(_query(statement) for statement in known)


_QUERIES: Final = nameset("Select Union Intersect Except Subquery Values Show Describe")
_WRITERS: Final = nameset(
    "Insert Update Delete Merge Drop Create Alter TruncateTable Command Into Lock Set Copy Grant Revoke Kill"
    " Anonymous AnonymousAggFunc Execute Use Attach Detach LoadData NextValueFor Transaction Commit Rollback"
    " PropertyEQ Fetch Analyze Cache Uncache Refresh Export Put Get ReadCSV ReadParquet"
) - {"Fetch"}


def _query(statement: Any) -> bool:
    name = type(statement).__name__
    if name == "Pragma":
        return quiet_pragma(statement.sql())
    if name == "Command":
        return str(statement.this).upper() == "SHOW"
    if name not in _QUERIES or (name == "Describe" and "analy" in statement.sql().lower()):
        return False
    return not any(_writes(node) for node in statement.walk())


def _writes(node: Any) -> bool:
    if type(node).__name__ == "Anonymous":
        return str(node.this).lower() not in PURE
    return type(node).__name__ in _WRITERS


def _sql_changes(text: str) -> bool:
    """Whether a statement was understood that is there to change something."""
    nodes = (
        node for reading in readings_of(text) for one in reading.statements if one is not None for node in one.walk()
    )
    return any(type(node).__name__ in ("Insert", "Update", "Create", "Alter", "Merge", "Into") for node in nodes)

"""Processes that the session started itself: to stop them again is part of its work."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from lookahead.critics.calls import Call
from lookahead.critics.finding import Finding
from lookahead.critics.machines import PROCESSES
from lookahead.critics.nameset import nameset
from lookahead.critics.shell import read_shell
from lookahead.critics.texts import Text, texts_of
from lookahead.types import State

_SHARED: Final = nameset(
    "python python3 node java ruby perl php bash sh zsh npm npx yarn pnpm uv cargo go make docker postgres redis-server"
    " nginx sshd ssh code serve server main run start"
)
"""Names that the user's own processes may well have too."""
_LAST: Final = re.compile(r"\$!|\$\{!\}")


def own_process(finding: Finding, text: Text, state: State) -> Finding:
    """A note, where all that is stopped was started by this text or an earlier one; else the finding as it is."""
    if text.language not in ("shell", "keys") or not finding.rule.startswith("process.killed"):
        return finding
    if finding.rule == "process.killed-all":  # `$!` was read as any number, the worst of them too
        only = "$" in text.text and _only_last(text.text)
        return replace(finding, severity="note", why="the session started it itself") if only else finding
    kills = [call for call in read_shell(text.text).calls if call.name in PROCESSES and call.shown in finding.evidence]
    if not kills or not all(_own(call, text, state) for call in kills):
        return finding
    return replace(finding, severity="note", why="the session started it itself")


def _own(call: Call, text: Text, state: State) -> bool:
    if call.name == "kill":
        if re.search(r"\bkill\b[^;&|\n]*\$", text.text):
            return _only_last(text.text)
        pids = [word for word in call.texts if word.isdigit() and len(word) > 2]
        rest = [word for word in call.texts if word not in pids and word[:1] not in ("-", "%")]
        return bool(pids) and not rest and all(_printed(pid, state) for pid in pids)
    if call.name not in ("pkill", "killall") or any(re.match(r"-[A-Za-z]*[ugUGtvP]|--", word) for word in call.texts):
        return False
    names = [word for word in call.texts if word[:1] != "-"]
    started = [one for earlier in _texts(text, state) for one in read_shell(earlier).calls if one.name not in PROCESSES]
    return len(names) == 1 and any(_starts(one, names[0], "-f" in call.texts) for one in started)


def _only_last(text: str) -> bool:
    """Whether every kill in it is of what the text itself put into the background last."""
    kept = set(re.findall(r"\b(\w+)=\"?(?:\$!|\$\{!\})", text))
    kills = re.findall(r"\bkill\b([^;&|\n]*)", text)
    words = [word.strip("\"'") for kill in kills for word in kill.split() if not re.match(r"-|\d?>|%", word)]
    if any("-1" in kill.split() for kill in kills):
        return False
    return bool(words) and all(_LAST.fullmatch(word) or word.strip("${}") in kept for word in words)


def _printed(pid: str, state: State) -> bool:
    """Whether a step that put something into the background printed this number."""
    return any(
        re.search(rf"(?<!\d){pid}(?!\d)", step.observation.content)
        and any(_LAST.search(text.text) for text in texts_of(step.action))
        for step in state.steps
        if step.observation.origin.kind == "real"
    )


def _texts(text: Text, state: State) -> Iterator[str]:
    yield text.text
    for step in state.steps:
        if step.observation.origin.kind == "real":
            yield from _shell(texts_of(step.action))


def _shell(texts: Sequence[Text]) -> Iterator[str]:
    return (one.text for one in texts if one.language in ("shell", "keys"))


def _starts(call: Call, name: str, whole: bool) -> bool:
    """Whether a program of the work is called so, or (`-f`) was started with just these words."""
    if len(name) < 4 or name.lower() in _SHARED or re.search(r"[*|?\[\]^$]", name):
        return False
    if call.path.startswith("./") and call.name == name.lower():
        return True
    words = " ".join(call.texts)
    if re.search(r"\b(p?kill|killall|fuser|pgrep)\b", words):
        return False  # It only carries the kill itself: `bash -c 'pkill …'`.
    return whole and name in words and call.name not in ("echo", "printf", "grep", "cat", "pgrep", "ps")


__all__ = ["own_process"]

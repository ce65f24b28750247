"""What git writes in its own folder while it does what it was told: no loss, and nothing that a person reads."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from lookahead.critics.shell import read_shell
from lookahead.critics.texts import Text, words_of
from lookahead.types import Action, Effect

_FOLDER: Final = re.compile(r"(?:^|.*/)\.git/(?:(?:modules|worktrees)/[^/]+/)*(?P<rest>.+)$")
_OWN: Final = re.compile(
    r"(HEAD|index|packed-refs|shallow|config|description|gc\.(pid|log)|[A-Z][A-Z_]*_(HEAD|MSG|MODE|RR|EDITMSG|MERGE)"
    r"|.*\.lock|(refs|logs|objects|info|branches|rebase-merge|rebase-apply|sequencer|rr-cache|lfs|worktrees)(/.*)?"
    r"|hooks/.*\.sample|fsmonitor--daemon.*|sharedindex\..*|index\.[^/]*)$"
)
_NAMED: Final = re.compile(r"(?:^|[\s/'\"=(:])\.git(?:[/\s'\");&|*]|$)")
"""`.git` as a folder in a text, and not the end of an address nor the start of `.gitignore`."""
_CALLED: Final = re.compile(r"(?<![\w./-])git(?![\w./-])")


def by_git(action: Action, texts: Sequence[Text]) -> bool:
    """Whether git is at work in this call, and nobody names its folder beside it."""
    if any(_NAMED.search(text.text) for text in texts):
        return False
    if "git" in words_of(action.tool):
        return True
    for text in texts:
        if text.language == "python" and _CALLED.search(text.text):
            return True
        if text.language in ("shell", "keys") and any(call.name == "git" for call in read_shell(text.text).calls):
            return True
    return False


def without_bookkeeping(effects: Sequence[Effect], *, by_git: bool) -> list[Effect]:
    """The effects that mean something. A name that moved while its log grew has lost nothing, whoever moved it."""
    heads = (effect for effect in effects if effect.happened == "deleted")
    if any(effect.target.endswith((".git/HEAD", ".git/config", ".git/objects")) for effect in heads):
        return list(effects)  # The whole folder goes: that is no bookkeeping.
    logged = set(_logged(effects))
    return [
        effect
        for effect in effects
        if not (found := _FOLDER.match(effect.target))
        or (found["rest"] not in logged and not (by_git and _OWN.match(found["rest"])))
    ]


def _logged(effects: Sequence[Effect]) -> Iterator[str]:
    for effect in effects:
        found = _FOLDER.match(effect.target)
        grew = effect.happened != "deleted" and (effect.after or 0) > (effect.before or 0)
        if found and grew and found["rest"].startswith("logs/"):
            yield found["rest"].removeprefix("logs/")


__all__ = ["by_git", "without_bookkeeping"]

"""What this session made itself, and nobody else touched since: to delete that takes nothing from the user."""

import os
import posixpath
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from lookahead.critics.history import History
from lookahead.critics.paths import Ground, place
from lookahead.critics.shell import read_shell
from lookahead.critics.texts import Text
from lookahead.types import Effect, State, Step

_LARGE: Final = 64
"""Sizes below this are shared by too many files to tell a copy by."""
_STASH: Final = "refs/stash"


def root_of(root: str | None) -> str:
    """Where relative paths start: the root that was given, or the folder that the work is done in."""
    if root is not None:
        return posixpath.normpath(root)
    try:
        return os.getcwd()
    except OSError:  # the folder is gone
        return "/"


def spelled(path: str, root: str) -> str:
    """One spelling for each path."""
    return posixpath.normpath(posixpath.join(root, os.path.expanduser(path) if path.startswith("~/") else path))


@dataclass(slots=True)
class Own:
    """Goes through what happened, step by step. Only exact and real effects count: a model may dream up anything."""

    root: str
    sizes: dict[str, int | None] = field(default_factory=dict[str, int | None])
    """What the session made, and how large it left it."""
    theirs: set[str] = field(default_factory=set[str])
    """What was there before the session changed or took it: it never becomes the session's own."""

    def holds(self, effect: Effect) -> bool:
        """Whether this effect hits what the session made, just as the session left it."""
        path = self._key(effect)
        return path in self.sizes and (_folder(effect) or self.sizes[path] == effect.before)

    def of(self, effects: Iterable[Effect]) -> frozenset[str]:
        """The targets among some effects that are the session's own."""
        hit = (effect for effect in effects if effect.happened in ("deleted", "changed"))
        return frozenset(effect.target for effect in hit if self.holds(effect))

    def take(self, effects: Sequence[Effect]) -> None:
        """One more step."""
        hit = [effect for effect in effects if effect.happened in ("deleted", "changed") and not _of_git(effect)]
        theirs = [effect for effect in hit if not self.holds(effect)]
        foreign = set(map(self._key, theirs))
        lost = {effect.before for effect in theirs if effect.before and not _committed(effect)}
        moved = any(effect.happened == "deleted" and effect.before and not _folder(effect) for effect in theirs)
        unstashed = any(effect.target.endswith(_STASH) for effect in effects)
        for effect in hit:
            path = self._key(effect)
            if path in foreign and _committed(effect):
                self.sizes[path] = effect.after
            elif path in foreign:
                self.theirs.add(path)
                self.sizes.pop(path, None)
            elif effect.happened == "deleted":
                self.sizes.pop(path, None)
            else:
                self.sizes[path] = effect.after
        # What has the size of something that is gone may be its last copy.
        for path in [path for path, size in self.sizes.items() if size in lost and (size or 0) >= _LARGE]:
            del self.sizes[path]
        for effect in effects:
            path = self._key(effect)
            if effect.happened != "created" or _of_git(effect) or path in self.theirs or unstashed:
                continue
            if _folder(effect) or not (moved or effect.after in lost):
                self.sizes[path] = effect.after

    def _key(self, effect: Effect) -> str:
        return spelled(effect.target, self.root) + ("/…" if effect.what == "things" else "")


def _committed(effect: Effect) -> bool:
    """Whether what the user had can be had again from elsewhere, and not just because it still stands in the file."""
    if effect.happened != "changed" or effect.recoverable is not True:
        return False
    lines = effect.detail.split("\n")
    added = [line[1:] for line in lines if line.startswith("+")]
    replaced = any(line.startswith("-") and not any(new.startswith(line[1:]) for new in added) for line in lines)
    return replaced or (effect.after is not None and effect.before is not None and effect.after < effect.before)


def _folder(effect: Effect) -> bool:
    return effect.what in ("directory", "folder")


def _of_git(effect: Effect) -> bool:
    return ".git" in effect.target.split("/")


def ground_of(ground: Ground, own: Own, texts: Sequence[Text]) -> Ground:
    """Where this call works: with the folder that it is in, and with what it has made where all keep things a while."""
    root = ground.root if ground.root is not None else root_of(None)
    if ground.root is None and place(root, glob=False, ground=ground).kind in ("root", "system", "home", "device"):
        root = None  # Everything would be inside then.
    made = [path for path in own.sizes if "/tmp/" in path]
    for text in texts:
        if "/tmp/" in text.text and text.language in ("shell", "keys"):
            made += [path for path in _written(text) if path.startswith("/") and not os.path.lexists(path)]
    return replace(ground, root=root, scratch=frozenset(made))


def _written(text: Text) -> Iterator[str]:
    """What a text itself puts somewhere."""
    for call in read_shell(text.text, cwd=text.cwd).calls:
        yield from (posixpath.normpath(one.target) for one in call.redirects if ">" in one.operator)
        if call.name in ("mkdir", "touch", "tee", "cp"):
            words = [posixpath.normpath(word) for word in call.texts if word[:1] == "/"]
            yield from words[-1:] if call.name == "cp" else words


def own_history(root: str | None) -> History[Own]:
    """What the steps so far have made."""
    return History(lambda: Own(root=root_of(root)), _with_step)


def own_work(state: State, root: str | None) -> Own:
    """The same for one state."""
    return own_history(root).of(state)


def _with_step(own: Own, step: Step) -> Own:
    if not _known(step):
        return own
    own = replace(own, sizes=dict(own.sizes), theirs=set(own.theirs))
    own.take(step.observation.effects or ())
    return own


def _known(step: Step) -> bool:
    return bool(step.observation.effects) and step.observation.origin.kind in ("real", "exact")


__all__ = ["Own", "ground_of", "own_work", "root_of", "spelled"]

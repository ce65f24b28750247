"""Whether a call reaches for things outside the directory, of which the copy cannot say what would happen to them."""

import os
import re
from collections.abc import Iterable, Sequence
from typing import Final

_BETWEEN: Final = re.compile(r"[\s'\"`;|&<>(){},=:]+")
_OPTION: Final = re.compile(r"^-+\w(?=[/~.])")
_GLOB: Final = re.compile(r"[*?\[]")
_CACHES: Final = re.compile(r"/(__pycache__|\.cache|\.npm|\.(pytest|mypy|ruff)_cache|Library/Caches)(/|$)")
_TEMPORARY: Final = ("/tmp", "/var/tmp")
_ALWAYS: Final = ("/dev", "/proc", "/sys", "/bin", "/sbin", "/lib", "/lib64")


class Ground:
    """What is the copy, what else can be seen in its room, and what is hidden there."""

    def __init__(self, path: str, shown: Sequence[str], etc: str, home: str) -> None:
        self.path = path
        self._etc = etc
        self._home = home or "/"
        self._seen = (*shown, *_ALWAYS)

    def inside(self, place: str) -> bool:
        return _within(place, self.path)

    def seen(self, place: str) -> bool:
        if _within(place, "/etc"):
            return place != "/etc" and os.path.lexists(self._etc + place.removeprefix("/etc"))
        return self.inside(place) or any(_within(place, folder) for folder in self._seen)

    def astray(self, place: str) -> bool:
        """It exists outside, and the room does not show it, or not all of it."""
        return not self.seen(place) and place not in _TEMPORARY and os.path.lexists(place)

    def harmed(self, place: str) -> bool:
        """To write there would do something outside that the room cannot show. A new file in /tmp or home it can."""
        if self.inside(place) or _within(place, "/dev") or _within(place, "/proc") or is_cache(place):
            return False
        if self.inside(os.path.realpath(place)):
            return False  # another name of the directory, by a link that the room does not show
        if any(_within(place, folder) for folder in _TEMPORARY):
            return os.path.lexists(place)
        fresh = not os.path.lexists(place) and (self._bare(os.path.dirname(place)) or not self._known_folder(place))
        return not (fresh and self._home != "/" and _within(place, self._home))

    def unshown(self, place: str) -> bool:
        """A new thing in a folder that is there, but not in the room: what fails there would not have failed."""
        return not self.seen(place) and self._known_folder(place) and not self._bare(os.path.dirname(place))

    def _known_folder(self, place: str) -> bool:
        return os.path.isdir(os.path.dirname(place))

    def _bare(self, folder: str) -> bool:
        return folder in (*_TEMPORARY, self._home)

    def named_outside(self, command: str, cwd: str) -> str:
        """The first place outside that a command line names in one of the usual ways; empty where it names none.

        What a program reaches for without being told on its command line is not found here. It is not there in the
        room either, so it cannot be harmed, but what the program then says may differ from what it would have said.
        """
        return self.first_outside(_BETWEEN.split(command.replace("${HOME}", "$HOME")), cwd)

    def first_outside(self, words: Iterable[str], cwd: str) -> str:
        for word in words:
            plain = _GLOB.split(_OPTION.sub("", word), maxsplit=1)[0]
            if plain and self.astray(self.expanded(plain, cwd)):
                return word
        return ""

    def expanded(self, word: str, cwd: str) -> str:
        """Where a word leads, links followed: a link in the directory may well lead out of it."""
        try:
            return self._led(word, cwd)
        except (OSError, ValueError):
            return os.path.normpath(os.path.join(cwd, word))

    def _led(self, word: str, cwd: str) -> str:
        for sign in ("$HOME", "~"):
            if word == sign or word.startswith(sign + "/"):
                return os.path.realpath(self._home + word[len(sign) :])
        if word.startswith("~"):
            return os.path.realpath(os.path.expanduser(word))
        return os.path.realpath(os.path.join(cwd, word))


def is_cache(text: str) -> bool:
    """It names what an interpreter or an installer keeps for itself, and makes again when it is gone."""
    return _CACHES.search(text) is not None


def _within(place: str, folder: str) -> bool:
    return place == folder or place.startswith(folder.rstrip("/") + "/")

"""What was written in a session, over what was there before: one shelf for each family of things."""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from pydantic import JsonValue


@dataclass(frozen=True, kw_only=True)
class Written:
    """Its content is known, because it was written here."""

    value: JsonValue
    keys: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    """The arguments that named it."""
    noun: str = ""
    fields: bool = False
    """Whether the value is fields of a record, and not a content of its own."""
    base: str | None = None
    """Where what it was before can still be read: of a file that was edited or moved."""


@dataclass(frozen=True, kw_only=True)
class Folder:
    """A directory, over what lies in the world at `base`; None: it was made here, and holds what was put into it."""

    base: str | None


@dataclass(frozen=True, kw_only=True)
class Base:
    """Untouched: as it is in the world, at this address."""

    address: str


@dataclass(frozen=True)
class Gone: ...


@dataclass(frozen=True)
class Unsure:
    """Something was done to it that only the world can say the outcome of."""


Entry: TypeAlias = Written | Folder | Base | Gone | Unsure
GONE = Gone()
UNSURE = Unsure()


@dataclass(kw_only=True)
class Shelf:
    """What became of the members of one family. `tree`: they lie in directories."""

    tree: bool
    entries: dict[str, Entry] = field(default_factory=dict[str, Entry])

    def copy(self) -> "Shelf":
        return Shelf(tree=self.tree, entries=dict(self.entries))

    def find(self, address: str) -> Entry:
        entry = self.entries.get(address)
        if entry is not None:
            return entry
        if not self.tree:
            return Base(address=address)
        over = self._over(address)
        if isinstance(over, Gone | Base) and self._holds(address):
            return Folder(base=over.address if isinstance(over, Base) else None)
        return over

    def _over(self, address: str) -> Entry:
        """What becomes of an address that nothing is said of, by what is said of the directories above it."""
        for above in parents(address):
            entry = self.entries.get(above)
            if isinstance(entry, Gone | Written):
                return GONE
            if isinstance(entry, Unsure):
                return UNSURE
            base = entry.address if isinstance(entry, Base) else entry.base if isinstance(entry, Folder) else None
            if base is not None:
                return Base(address=posixpath.normpath(posixpath.join(base, relative(address, above))))
            if isinstance(entry, Folder):
                return GONE
        return Base(address=address)

    def _holds(self, address: str) -> bool:
        return any(below(key, address) and not isinstance(entry, Gone) for key, entry in self.entries.items())

    def put(self, address: str, entry: Entry) -> None:
        self._clear(address)
        self.folder(posixpath.dirname(address) or ".")
        self.entries[address] = entry

    def remove(self, address: str) -> None:
        self._clear(address)
        self.entries[address] = GONE

    def folder(self, address: str) -> None:
        """It is there, and so are those above it: made, where they were not, and to stay when they are empty again."""
        if not self.tree:
            return
        for place in [*reversed(list(parents(address))), address]:
            found = self.find(place)
            if isinstance(found, Gone):
                self.entries[place] = Folder(base=None)
            elif isinstance(found, Base | Folder) and place not in self.entries:
                self.entries[place] = Folder(base=found.address if isinstance(found, Base) else found.base)

    def move(self, source: str, target: str, *, keep: bool = False) -> None:
        """With everything below it. `keep`: what was there stays, too."""
        if source == target:
            return
        found = self.find(source)
        taken = {target + key[len(source) :]: entry for key, entry in self.entries.items() if below(key, source)}
        if not keep:
            self._clear(source)
            self.entries[source] = GONE
        self._clear(target)
        self.folder(posixpath.dirname(target) or ".")
        self.entries |= taken
        self.entries[target] = found

    def _clear(self, address: str) -> None:
        if not self.tree:
            self.entries.pop(address, None)
            return
        for key in [key for key in self.entries if key == address or below(key, address)]:
            del self.entries[key]

    def within(self, folder: str) -> dict[str, Entry]:
        """What is said of the members of a directory, by their names."""
        found: dict[str, Entry] = {}
        for key, entry in self.entries.items():
            if not below(key, folder):
                continue
            name, _, rest = relative(key, folder).partition("/")
            if not rest:
                if not isinstance(entry, Gone) or name not in found:
                    found[name] = entry
            elif not isinstance(entry, Gone) and isinstance(found.get(name, GONE), Gone):
                found[name] = self.find(posixpath.join(folder, name))
        return found

    def touched(self, folder: str) -> bool:
        """Whether anything at or below it is not as it was in the world."""
        return any(key == folder or below(key, folder) for key in self.entries) or self.find(folder) != Base(
            address=folder
        )


def below(address: str, folder: str) -> bool:
    if folder in (".", ""):
        return not address.startswith("/") and address not in (".", "")
    return address.startswith(folder.rstrip("/") + "/") and address != folder


def relative(address: str, folder: str) -> str:
    return address if folder in (".", "") else address[len(folder.rstrip("/")) + 1 :]


def parents(address: str) -> Iterator[str]:
    """The directories above it, the nearest first."""
    while (above := posixpath.dirname(address) or ".") != address:
        yield above
        address = above

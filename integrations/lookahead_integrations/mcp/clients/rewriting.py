"""Wraps or unwraps the servers of one file, and believes in no edit that it has not read back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from lookahead_integrations.mcp.clients.files import ClientFile, ClientFileError, Entry, parse
from lookahead_integrations.mcp.clients.invocation import invocation
from lookahead_integrations.mcp.clients.tree import Edit, edited
from lookahead_integrations.mcp.clients.wrapping import Left, Start, unwrapping, wrapping

State: TypeAlias = Literal["wrapped", "unwrapped", "already", "left"]
Change: TypeAlias = "Callable[[ClientFile], Rewritten]"
"""What is done to a file."""
_DEEP: Final = 10
"""So often an entry may have been wrapped by hand and still be unwrapped."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of one server."""

    name: str
    project: str
    line: int
    state: State
    said: str = ""

    @property
    def title(self) -> str:
        return f"{self.name} ({self.project})" if self.project else self.name


@dataclass(frozen=True, kw_only=True)
class Rewritten:
    """A file as it is to be."""

    before: ClientFile
    text: str
    results: tuple[Result, ...] = field(default_factory=tuple[Result, ...])

    @property
    def changed(self) -> bool:
        return self.text != self.before.text

    @property
    def content(self) -> bytes:
        return self.text.encode("utf-8")


def wrap(file: ClientFile, servers: Sequence[str], start: Start) -> Rewritten:
    """The proxy in front of these servers, or of all. Raises ClientFileError for a server that is not there."""

    def standing(entry: Entry) -> Result | None:
        found = invocation(entry.node)
        if found is None:
            return None
        how = f", in {found.value('--mode')} mode" if found.value("--mode") else ""
        step = f"; for other options: lookahead unwrap {file.path} --server {entry.name}, then wrap it again"
        return _result(entry, "already", f"the proxy stands in front of it{how}{step}")

    def edits(now: ClientFile, entry: Entry) -> list[Edit]:
        return wrapping(now, entry, start)

    return _rewritten(file, _chosen(file, servers), "wrapped", standing, edits, unwrapping)


def unwrap(file: ClientFile, servers: Sequence[str]) -> Rewritten:
    """These servers, or all, without the proxy in front of them."""

    def standing(entry: Entry) -> Result | None:
        return None if invocation(entry.node) else _result(entry, "already", "no proxy stands in front of it")

    done = _rewritten(file, _chosen(file, servers), "unwrapped", standing, unwrapping)
    results = done.results
    for _ in range(_DEEP):
        now = parse(file.path, done.content)
        names = {(one.name, one.project) for one in results if one.state == "unwrapped"}
        again = [one for one in now.entries if (one.name, one.project) in names and invocation(one.node)]
        if not again:
            break
        done = _rewritten(now, again, "unwrapped", standing, unwrapping)
    return Rewritten(before=file, text=done.text, results=results)


_Edits: TypeAlias = Callable[[ClientFile, Entry], list[Edit]]


def _rewritten(
    file: ClientFile,
    entries: Sequence[Entry],
    state: State,
    standing: Callable[[Entry], Result | None],
    edits: _Edits,
    back: _Edits | None = None,
) -> Rewritten:
    results: dict[int, Result] = {}
    wanted: dict[int, tuple[Entry, list[Edit]]] = {}
    for at, entry in enumerate(entries):
        if (result := standing(entry)) is not None:
            results[at] = result
            continue
        try:
            wanted[at] = (entry, edits(file, entry))
        except Left as why:
            results[at] = _result(entry, "left", str(why))
    text = _held(file, list(wanted.values()), back)
    if text is None:
        # One of them cannot be done; the others need not wait for it.
        good: list[tuple[Entry, list[Edit]]] = []
        for at, (entry, made) in wanted.items():
            if _held(file, [*good, (entry, made)], back) is None:
                said = "it is written in a way that could not be restored exactly; lay it out in the usual way"
                results[at] = _result(entry, "left", said)
            else:
                good.append((entry, made))
        text = _held(file, good, back)
        assert text is not None
    done = {at: _result(entry, state) for at, (entry, _) in wanted.items()}
    ordered = {**done, **results}
    return Rewritten(before=file, text=text, results=tuple(ordered[at] for at in sorted(ordered)))


def _held(file: ClientFile, made: Sequence[tuple[Entry, list[Edit]]], back: _Edits | None) -> str | None:
    """The new text; None where it does not say what it should, or could not be turned back."""
    if not made:
        return file.text
    try:
        text = edited(file.text, [edit for _, edits in made for edit in edits])
        new = parse(file.path, text.encode("utf-8"))
        touched = {(entry.name, entry.within) for entry, _ in made}
        for entry in file.entries:
            now = new.named(entry.name, entry.within)
            if now is None:
                return None
            if (entry.name, entry.within) not in touched:
                if now.node.value != entry.node.value:
                    return None
            elif back is not None and invocation(now.node) is None:
                return None
        if back is not None:
            undone = [
                edit for entry in new.entries if (entry.name, entry.within) in touched for edit in back(new, entry)
            ]
            if edited(text, undone) != file.text:
                return None
    except (ClientFileError, Left, ValueError):
        return None
    return text


def _chosen(file: ClientFile, servers: Sequence[str]) -> list[Entry]:
    names = {entry.name for entry in file.entries}
    if unknown := [name for name in servers if name not in names]:
        there = ", ".join(sorted(names)) or "none"
        raise ClientFileError(f"{file.path} has no server {unknown[0]!r}; its servers: {there}")
    return [entry for entry in file.entries if not servers or entry.name in servers]


def _result(entry: Entry, state: State, said: str = "") -> Result:
    return Result(name=entry.name, project=entry.project, line=entry.line, state=state, said=said)

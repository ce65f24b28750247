"""Recognises an entry that starts our proxy, and says what stands behind it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from lookahead_integrations.mcp.clients.tree import Field, Node, texts

EXECUTABLE: Final = "lookahead"
URL: Final = "--url"
HEADER: Final = "--header"
HEADER_ENV: Final = "--header-env"
BEARER_ENV: Final = "--bearer-env"
WRAPPED: Final = "--wrapped"
"""What `unwrap` has to know of the entry as it was, where its new form does not show it."""
NO_ARGS: Final = "no-args"
BARE: Final = "bare"
TYPE: Final = "type="


def ours(word: str) -> bool:
    return PurePath(word).name.removesuffix(".exe") == EXECUTABLE


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """The words by which an entry starts the proxy."""

    words: tuple[Node, ...]
    proxy: int
    """Where `proxy` stands in them."""
    mark: int
    """Where `--` stands; behind the last word where there is none."""

    @property
    def lead(self) -> list[str]:
        """The words that start Lookahead."""
        return [word.value for word in self.words[: self.proxy]]

    @property
    def rest(self) -> tuple[Node, ...]:
        """The command of the upstream."""
        return self.words[self.mark + 1 :]

    def options(self) -> Iterator[tuple[str, Node | None, str]]:
        """Each option with the word that holds its value, and that value."""
        words = self.words[self.proxy + 1 : self.mark]
        at = 0
        while at < len(words):
            name, equals, value = str(words[at].value).partition("=")
            following = words[at + 1] if at + 1 < len(words) else None
            if equals or not name.startswith("--"):
                yield name, None, value
            elif following is not None and not str(following.value).startswith("--"):
                yield name, following, str(following.value)
                at += 1
            else:
                yield name, None, ""
            at += 1

    def values(self, name: str) -> list[str]:
        return [value for found, _, value in self.options() if found == name]

    def value(self, name: str) -> str | None:
        return next(iter(self.values(name)), None)

    def word(self, name: str) -> Node | None:
        return next((word for found, word, _ in self.options() if found == name), None)

    @property
    def hints(self) -> list[str]:
        return self.values(WRAPPED)

    @property
    def within(self) -> "Invocation | None":
        """The proxy behind this proxy, where an entry was wrapped twice."""
        return _invocation(self.rest)


def invocation(entry: Node) -> Invocation | None:
    """How an entry starts the proxy; None where it starts something else."""
    command, args = entry.get("command"), entry.get("args")
    if command is None or command.node.kind != "text" or args is None or texts(args.node) is None:
        return None
    return _invocation((command.node, *args.node.items))


def _invocation(words: Sequence[Node]) -> Invocation | None:
    spelled = [str(word.value) for word in words]
    mark = spelled.index("--") if "--" in spelled else len(words)
    found = [at for at in range(1, mark) if spelled[at] == "proxy" and ours(spelled[at - 1])]
    if not found:
        return None
    return Invocation(words=tuple(words), proxy=found[0], mark=mark)


def strings(field: Field | None) -> dict[str, str] | None:
    """A table of texts, as `env` and `headers` are; None where it is something else."""
    if field is None:
        return {}
    if field.node.kind != "table" or any(inner.node.kind != "text" for inner in field.node.fields):
        return None
    return {inner.key: inner.node.value for inner in field.node.fields}

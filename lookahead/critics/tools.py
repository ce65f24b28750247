"""Tools that are neither shell nor SQL: what their names say that they do."""

from collections.abc import Iterator
from typing import Final

from lookahead.critics.finding import Finding, caution
from lookahead.critics.nameset import nameset
from lookahead.critics.texts import words_of
from lookahead.types import Action, Tool

LOSES: Final = nameset(
    "delete deletes remove drop wipe purge destroy erase truncate clear reset revoke cancel terminate"
    " uninstall unlink overwrite rm kill archive unpublish deactivate disable discard trash"
)
_LEAVES: Final = nameset(
    "send transfer pay publish post upload share forward email mail invite tweet wire refund purchase buy"
    " order book withdraw donate submit reply broadcast notify deploy charge export message dm sms call"
    " reserve checkout"
)
_READS: Final = nameset(
    "get list read search find fetch view show check lookup describe count inspect browse query status info"
    " preview validate verify calculate compute compare summarize retrieve load scan current is has exists"
    " help explain"
)
_BOUND: Final = frozenset(("http", "request"))


def by_name(action: Action, tool: Tool | None) -> Iterator[Finding]:
    """A caution from the name alone, for when nothing better is known."""
    if tool is not None and tool.effect == "reads":
        return
    words = words_of(action.tool)
    if reads_by_name(action.tool):
        return
    if verb := next((word for word in words if word in LOSES), None):
        yield caution(
            "tool.destroys",
            f"{action.tool} sounds as if it would {verb} something",
            "nobody could show what",
            loses=True,
        )
    elif verb := next((word for word in words if word in _LEAVES), None):
        yield caution(
            "tool.leaves",
            f"{action.tool} sounds as if it would {verb} something",
            "what has left cannot be called back",
        )


def reads_by_name(name: str) -> bool:
    """The verb stands first, behind a server's prefix at most: `get_orders` reads, `send_list` does not."""
    tail = name.rpartition("__")[2].rpartition(".")[2]
    words = words_of(tail)
    return (
        bool(words)
        and words[0] in _READS
        and not set(words) & {"delete", "remove", "send", "pay", "transfer"}
        and not set(words) <= _BOUND
    )

"""Addresses inside longer texts, and pages to fetch, that stand in text which gives orders and not in the goal."""

from collections.abc import Iterator

from lookahead.critics.finding import Finding, caution, danger
from lookahead.critics.orders import HIJACK, NOT_USER, hijacked, leaves
from lookahead.critics.provenance import ADDRESS, source_of
from lookahead.critics.tools import reads_by_name
from lookahead.types import Action, State, Tool


def carried(state: State, action: Action, tool: Tool | None) -> Iterator[Finding]:
    if not hijacked(state):
        return
    reads = (tool is not None and tool.effect == "reads") or reads_by_name(action.tool)
    for name, value in leaves(action.arguments):
        found = dict.fromkeys(match.rstrip(".,;:!?)") for match in ADDRESS.findall(value)[:20])
        for address in found:
            if (address == value.strip() and not reads) or source_of(state, address) not in ("prose", "named prose"):
                continue  # An address that is the whole argument is judged as a recipient.
            if reads:
                why = "even to fetch a page tells its owner something"
                yield caution("leaves.injected-page", f"{name} is {address}: {NOT_USER}", why, address)
            else:
                what = f"{name} carries {address}: {NOT_USER}"
                yield danger("leaves.injected-address", what, HIJACK, address, loses=False)

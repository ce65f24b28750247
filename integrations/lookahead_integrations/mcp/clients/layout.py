"""Edits that keep a file's layout: how a member is added, taken out or renamed in JSON and in TOML."""

from collections.abc import Iterable, Sequence
from typing import Final

from lookahead_integrations.mcp.clients.files import ClientFile, Entry
from lookahead_integrations.mcp.clients.tree import Edit, Field, Node

_BLANK: Final = " \t\r\n"


def rewritten(node: Node, new: str) -> Edit:
    return Edit(start=node.start, end=node.end, new=new)


def renamed(file: ClientFile, field: Field, name: str) -> Iterable[Edit]:
    """The key's new name at every place where it is spelled, in the quotes that it had there."""
    for start, end in field.keys:
        quote = file.text[start]
        bare = quote not in "\"'"
        new = name if bare else f"'{name}'" if quote == "'" else file.spelled(name)
        yield Edit(start=start, end=end, new=new)


def in_front(file: ClientFile, node: Node, items: Sequence[str]) -> Edit:
    """Items, spelled, before those that a list has."""
    row = ", ".join(items)
    if not node.items:
        return Edit(start=node.start + 1, end=node.start + 1, new=row)
    first = node.items[0].start
    return Edit(start=first, end=first, new=f"{row},{_before(file.text, first) or ' '}")


def without(node: Node, count: int) -> Edit:
    """The list without its first items."""
    start = node.items[0].start
    if count < len(node.items):
        return Edit(start=start, end=node.items[count].start, new="")
    return Edit(start=start, end=node.items[-1].end, new="")


def after(file: ClientFile, entry: Entry, field: Field, name: str, value: str) -> Edit:
    """A member behind another one, laid out as that one is."""
    text = file.text
    key_end = field.keys[-1][1]
    between = text[key_end : field.node.start]
    if file.syntax == "json":
        new = f",{_parting(text, entry.node.fields, field, between)}{file.spelled(name)}{between}{value}"
        return Edit(start=field.node.end, end=field.node.end, new=new)
    if entry.node.whole:
        return Edit(start=field.node.end, end=field.node.end, new=f", {name}{between}{value}")
    begin = text.rfind("\n", 0, field.keys[-1][0]) + 1
    end = _line_end(text, field.node.end)
    new = f"{_newline(text)}{text[begin : field.keys[-1][0]]}{name}{between}{value}"
    return Edit(start=end, end=end, new=new)


def taken_out(file: ClientFile, entry: Entry, field: Field) -> Edit:
    """The entry without this member, and without what parted it from the one before."""
    text, fields = file.text, entry.node.fields
    at = fields.index(field)
    if file.syntax == "toml" and not entry.node.whole:
        end = _line_end(text, field.node.end)
        begin = text.rfind("\n", 0, field.start)
        if begin < 0:  # the first line of the file
            return Edit(start=0, end=min(end + 1, len(text)), new="")
        begin -= text.startswith("\r", begin - 1)
        return Edit(start=begin, end=end, new="")
    if at:
        return Edit(start=fields[at - 1].node.end, end=field.node.end, new="")
    end = fields[1].start if len(fields) > 1 else field.node.end
    return Edit(start=field.start, end=end, new="")


def _parting(text: str, fields: Sequence[Field], field: Field, between: str) -> str:
    """What stands between two members here: as between others of this table, else as they are usually laid out."""
    at = fields.index(field)
    if at or len(fields) > 1:
        return _before(text, (field if at else fields[1]).start)
    own = _before(text, field.start)
    return own if "\n" in own or not between.endswith(" ") else " "


def _before(text: str, at: int) -> str:
    """The blank between a token and what stands before it."""
    begin = at
    while begin and text[begin - 1] in _BLANK:
        begin -= 1
    return text[begin:at]


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    if end < 0:
        return len(text)
    return end - 1 if end > at and text[end - 1] == "\r" else end


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"

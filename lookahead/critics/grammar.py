"""The grammar of the shell, loaded when it is first needed."""

import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lookahead.critics.nameset import nameset

if TYPE_CHECKING:
    from tree_sitter import Parser, TreeCursor

_INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]"
)
_BEYOND: Final = re.compile(r"[^\x00-\x7f]")
_ODD_HEREDOC: Final = re.compile(r"<<-?[ \t]*\S*[^\x00-\x7f]")
_ENDS: Final = re.compile("[\r\u2028\u2029]")

WITHOUT_PROGRAM: Final = nameset(
    "variable_assignment variable_assignments declaration_command unset_command for_statement c_style_for_statement"
    " function_definition"
)
"""Statements that run no program of their own, and yet may have a redirection."""
BRANCHES: Final = nameset("if_statement while_statement case_statement case_item else_clause elif_clause")
WORDS: Final = nameset(
    "word number string raw_string ansi_c_string translated_string concatenation simple_expansion expansion"
    " command_substitution process_substitution brace_expression arithmetic_expansion variable_name extglob_pattern"
)
"""Nodes that become words."""


_PARSERS: Final = threading.local()
"""One for each thread: a parser may not be used by two at once."""


def _parser() -> "Parser":
    found: Parser | None = getattr(_PARSERS, "shell", None)
    if found is None:
        try:
            import tree_sitter
            import tree_sitter_bash
        except ImportError as missing:  # pragma: no cover
            raise ImportError('reading shell text needs tree-sitter: pip install "lookahead-agents"') from missing
        found = _PARSERS.shell = tree_sitter.Parser(tree_sitter.Language(tree_sitter_bash.language()))
    return found


@dataclass(slots=True, eq=False)
class Node:
    """A node of our own. The library's nodes are let go at once: holding lists of them has crashed interpreters."""

    type: str
    is_named: bool
    start: int
    end: int
    text: str
    field: str | None
    children: "list[Node]"

    @property
    def named_children(self) -> "list[Node]":
        return [child for child in self.children if child.is_named]

    @property
    def child_count(self) -> int:
        return len(self.children)

    def child_by_field_name(self, name: str) -> "Node | None":
        return next((child for child in self.children if child.field == name), None)

    def children_by_field_name(self, name: str) -> "list[Node]":
        return [child for child in self.children if child.field == name]


def tree_of(text: str) -> tuple[Node, bool]:
    """The root, and whether some of the text could not be parsed."""
    # The grammar's own scanner looks letters up in a table of 256 and crashes beyond it, so it gets to see none such.
    # To a shell they are plain parts of words, as the stand-in is; one letter is one byte, so all places stay right.
    tree = _parser().parse(_BEYOND.sub("%", text).encode("ascii"))
    cursor = tree.walk()
    root = _copied(cursor, text)
    above, broken = [root], tree.root_node.has_error
    while True:
        if cursor.goto_first_child():
            child = _copied(cursor, text)
            above[-1].children.append(child)
            above.append(child)
            continue
        while not cursor.goto_next_sibling():
            above.pop()
            if not cursor.goto_parent():
                return root, broken
        above.pop()
        child = _copied(cursor, text)
        above[-1].children.append(child)
        above.append(child)


def _copied(cursor: "TreeCursor", text: str) -> Node:
    node = cursor.node
    assert node is not None
    start, end = node.start_byte, node.end_byte
    return Node(node.type, node.is_named, start, end, text[start:end], cursor.field_name, [])


def cleaned(text: str) -> tuple[str, bool]:
    """The text without what no screen shows, and whether there was any, or anything else that misleads a reader."""
    text = text.replace("\r\n", "\n")
    bare = _ENDS.sub("\n", _INVISIBLE.sub("", text))
    # Two such words look alike to the scanner, so it could not tell where the document ends.
    return bare, bare != text or _ODD_HEREDOC.search(bare) is not None

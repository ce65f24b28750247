"""The grammar of the shell, loaded when it is first needed."""

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from lookahead.critics.nameset import nameset

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

_INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]"
)
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


@lru_cache(maxsize=1)
def _parser() -> "Parser":
    try:
        import tree_sitter
        import tree_sitter_bash
    except ImportError as missing:  # pragma: no cover
        raise ImportError('reading shell text needs tree-sitter: pip install "lookahead-agents"') from missing
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_bash.language()))


def tree_of(text: str) -> "Node":
    return _parser().parse(text.encode("utf-8", errors="replace")).root_node


def cleaned(text: str) -> tuple[str, bool]:
    """The text without what no screen shows, and whether there was any."""
    text = text.replace("\r\n", "\n")
    bare = _ENDS.sub("\n", _INVISIBLE.sub("", text))
    return bare, bare != text

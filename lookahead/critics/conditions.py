"""What a shell text does only if something holds, where that something may come out otherwise in a copy."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final

from lookahead.critics.finding import Finding
from lookahead.critics.grammar import Node, cleaned, tree_of
from lookahead.critics.nameset import nameset
from lookahead.critics.paths import Ground
from lookahead.critics.script import judge_shell
from lookahead.critics.sending import needs_network
from lookahead.critics.shell import read_shell
from lookahead.critics.words import text_of
from lookahead.critics.wrappers import unwrapped
from lookahead.types import Effect

_SURE: Final = nameset(
    "cd pushd popd mkdir rmdir touch echo printf cp mv rm ln cat head tail ls grep sed awk sort uniq tr cut wc tee find"
    " true false : git tar zip unzip gzip gunzip chmod diff cmp patch basename dirname export set shopt cargo"
)
"""Programs that succeed or fail in a copy just as they would outside, with words that are there to be read."""
_TEST: Final = re.compile(r"(?:\[\[?|test)\s+(?:!\s+)?-[efdsLhrnz]\s+(['\"]?)(?!/|~|\.\.)[\w. /@+-]+\1\s*(?:\]\]?)?")
"""Asks for a file inside the folder, which the copy holds too."""
_LEAVES: Final = re.compile(r"\b(exit|return|exec|break|continue|kill)\b")
_STOPS: Final = re.compile(r"\bset\s+-\w*e|\berrexit\b|\btrap\b|\bsh\s+-\w*e\w*\b")
_DEEPEST: Final = 40


def unproven(text: str, findings: Sequence[Finding], effects: Sequence[Effect], ground: Ground) -> Iterator[Finding]:
    """The losses among the findings of a text that hang on a condition, and that the copy did not perform."""
    if not any(_takes(finding) for finding in findings):
        return
    pieces = doubtful(text)
    # A piece alone does not know the variables of the whole, so that it takes something is enough.
    if not any(_takes(replace(one, reach="files")) for piece in pieces for one in judge_shell(piece, ground).findings):
        return
    for finding in findings:
        if _takes(finding) and not _performed(finding, effects):
            why = "it hangs on a condition that may hold here and not in a copy"
            severity = "caution" if finding.severity == "note" else finding.severity
            yield replace(finding, severity=severity, why=why)


def _takes(finding: Finding) -> bool:
    if finding.reach == "beyond":
        return False
    return (finding.loses and finding.severity != "note") or finding.rule == "files.overwritten"


def _performed(finding: Finding, effects: Sequence[Effect]) -> bool:
    targets = [effect.target for effect in effects if effect.happened in ("deleted", "changed", "created")]
    if finding.rule != "files.overwritten":
        targets = [effect.target for effect in effects if effect.happened in ("deleted", "changed")]
    names = {name.removeprefix("./").rstrip("/") for name in (*finding.names, *finding.evidence)}
    if not names or any("$…" in name or name in ("", ".", "*") for name in names):
        return bool(targets)
    return any(_hits(target, name) for target in targets for name in names)


def _hits(target: str, name: str) -> bool:
    inside = name.removesuffix("/*")
    return (
        target == name
        or target.endswith(f"/{name}")
        or f"/{target}".find(f"/{inside}/") >= 0
        or fnmatchcase(target, name)
        or fnmatchcase(target, f"*/{name}")
    )


@lru_cache(maxsize=1024)
def doubtful(text: str) -> tuple[str, ...]:
    """The pieces of a text that run or do not run for reasons that a copy may not share."""
    text, _ = cleaned(text)
    try:
        pieces = [*_pieces(tree_of(text)[0], 0), *_inner(text)]
    except RecursionError:
        return (text,)
    leaves = any(_LEAVES.search(piece) for piece in pieces)
    stops = _STOPS.search(text) and not all(_sure_text(piece) for piece in re.split(r"[;\n]", text) if piece.strip())
    return (text,) if leaves or stops else tuple(pieces)


def _inner(text: str) -> Iterator[str]:
    """The same for shell text that is handed to another shell."""
    for call in read_shell(text).calls:
        for inner in unwrapped(call):
            if inner.text is not None and inner.text != text:
                yield from _pieces(tree_of(inner.text)[0], 0)


def _pieces(node: Node, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        yield text_of(node)
        return
    named = node.named_children
    if node.type == "list" and len(named) > 1:
        if not all(_sure(left, depth) for left in named[:-1]):
            yield text_of(named[-1])
    elif node.type == "redirected_statement" and named and named[0].type == "list":
        # The grammar hangs a redirection on the whole list, the shell on its last program.
        if not all(_sure(left, depth) for left in named[0].named_children[:-1]):
            yield text_of(named[0].named_children[-1]) + text_of(node)[len(text_of(named[0])) :]
    elif node.type in ("if_statement", "while_statement", "case_statement"):
        conditions = [one for one in node.children_by_field_name("condition") if one.is_named]
        if node.type == "case_statement" or not conditions or not all(_sure(one, depth) for one in conditions):
            yield text_of(node)
            return
    for child in named:
        yield from _pieces(child, depth + 1)


def _sure(node: Node, depth: int) -> bool:
    if depth > _DEEPEST:
        return False
    if node.type == "test_command":
        return _TEST.fullmatch(text_of(node).strip()) is not None
    if node.type in ("list", "negated_command", "pipeline", "compound_statement", "subshell"):
        return all(_sure(child, depth + 1) for child in node.named_children)
    return node.type in ("command", "redirected_statement") and _sure_text(text_of(node))


def _sure_text(text: str) -> bool:
    if text.strip().startswith(("[", "test ")):
        return _TEST.fullmatch(text.strip()) is not None
    script = read_shell(text)
    return not script.unread and all(
        call.name in _SURE and call.plain and not needs_network(call) and "/" not in call.path for call in script.calls
    )


__all__ = ["doubtful", "unproven"]

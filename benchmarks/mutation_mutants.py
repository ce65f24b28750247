"""The mutants of a module: one small thing made wrong at a time, in its syntax tree."""

import ast
import copy
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
COUNTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Pow: ast.Mult,
}


@dataclass(frozen=True)
class Mutant:
    """Where, and what is put in its place."""

    name: str
    place: int
    way: int

    def of(self, source: str) -> ast.Module:
        tree = ast.parse(source)
        node, ways = list(_places(tree))[self.place]
        _put(tree, node, ways[self.way][1])
        return ast.fix_missing_locations(tree)


def mutants(source: str) -> Iterator[Mutant]:
    tree = ast.parse(source)
    for place, (node, ways) in enumerate(_places(tree)):
        for way, (what, _) in enumerate(ways):
            yield Mutant(f"{node.lineno}:{node.col_offset} {what}", place, way)


def imported(path: Path, mutant: Mutant) -> None:
    """From now on in this process, importing the module imports the mutant."""
    parts = path.with_suffix("").parts
    name = ".".join(parts[len(parts) - 1 - parts[::-1].index("lookahead") :])
    code = compile(mutant.of(path.read_text()), str(path), "exec")
    sys.meta_path.insert(0, _Finder(name, str(path), code))


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, path: str, code: CodeType) -> None:
        super().__init__(name, path)
        self._code = code

    def get_code(self, fullname: str) -> CodeType:
        return self._code


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, name: str, path: str, code: CodeType) -> None:
        self.name, self.path, self.code = name, path, code

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(
            fullname, self.path, loader=_Loader(fullname, self.path, self.code)
        )


def _places(tree: ast.Module) -> Iterator[tuple[Any, list[tuple[str, ast.AST]]]]:
    """Every node that can be made wrong, with the ways to do it; always in the same order."""
    for node in _code(tree):
        ways = list(_ways(node))
        if ways:
            yield node, ways


def _code(node: ast.AST) -> Iterator[ast.AST]:
    """What runs and decides: no annotations, no docstrings, no text of messages, no imports."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or isinstance(child, ast.JoinedStr | ast.Import | ast.ImportFrom):
                continue
            if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
                continue
            if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
                continue
            if isinstance(child, ast.AnnAssign) and _names_a_type(child):
                continue
            yield child
            yield from _code(child)


def _names_a_type(node: ast.AnnAssign) -> bool:
    return isinstance(node.annotation, ast.Name) and node.annotation.id == "TypeAlias"


def _ways(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARED:
        other = copy.deepcopy(node)
        other.ops[0] = COMPARED[type(node.ops[0])]()
        yield _said(node, other), other
    elif isinstance(node, ast.BoolOp):
        other = copy.deepcopy(node)
        other.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield _said(node, other), other
        for leaving in range(len(node.values)):
            rest = [value for place, value in enumerate(node.values) if place != leaving]
            less = rest[0] if len(rest) == 1 else ast.BoolOp(op=node.op, values=rest)
            yield _said(node, less), copy.deepcopy(less)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield _said(node, node.operand), copy.deepcopy(node.operand)
    elif isinstance(node, ast.Constant):
        yield from _constants(node)
    elif isinstance(node, ast.BinOp) and type(node.op) in COUNTED and not _is_text(node):
        other = copy.deepcopy(node)
        other.op = COUNTED[type(node.op)]()
        yield _said(node, other), other
    elif isinstance(node, ast.If | ast.While | ast.IfExp):
        other = copy.deepcopy(node)
        other.test = ast.UnaryOp(op=ast.Not(), operand=other.test)
        yield f"condition turned round: {ast.unparse(node.test)}", other
    elif isinstance(node, ast.Return) and node.value is not None and not _is_none(node.value):
        yield f"return None for {ast.unparse(node.value)}", ast.Return(value=ast.Constant(value=None))
    elif isinstance(node, ast.Raise) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call | ast.Await)):
        yield f"left out: {ast.unparse(node)}", ast.Pass()
    elif isinstance(node, ast.ExceptHandler) and node.type is not None:
        other = copy.deepcopy(node)
        other.type = ast.Name(id="ZeroDivisionError", ctx=ast.Load())
        yield f"except {ast.unparse(node.type)} catches nothing", other
    elif isinstance(node, ast.For):
        other = copy.deepcopy(node)
        other.iter = ast.List(elts=[], ctx=ast.Load())
        yield f"no turn of: for {ast.unparse(node.target)} in {ast.unparse(node.iter)}", other
    elif isinstance(node, ast.Break | ast.Continue):
        other_one = ast.Continue() if isinstance(node, ast.Break) else ast.Break()
        yield _said(node, other_one), other_one
    elif isinstance(node, ast.comprehension) and node.ifs:
        other = copy.deepcopy(node)
        other.ifs = other.ifs[1:]
        other.lineno, other.col_offset = node.ifs[0].lineno, node.ifs[0].col_offset  # type: ignore[attr-defined]
        node.lineno, node.col_offset = node.ifs[0].lineno, node.ifs[0].col_offset  # type: ignore[attr-defined]
        yield f"without: if {ast.unparse(node.ifs[0])}", other


def _constants(node: ast.Constant) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(node.value, bool):
        yield _said(node, ast.Constant(value=not node.value)), ast.Constant(value=not node.value)
    elif isinstance(node.value, int | float):
        yield f"{node.value!r} -> {node.value + 1!r}", ast.Constant(value=node.value + 1)


def _is_text(node: ast.BinOp) -> bool:
    """Texts that are put together: with a minus they would only crash."""
    return any(isinstance(side, ast.JoinedStr) or _is_string(side) for side in (node.left, node.right))


def _is_string(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _said(old: ast.AST, new: ast.AST) -> str:
    return f"{ast.unparse(old)} -> {ast.unparse(new)}"


def _put(tree: ast.Module, old: ast.AST, new: ast.AST) -> None:
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, field, new)
                return
            if isinstance(value, list):
                for place, child in enumerate(value):
                    if child is old:
                        value[place] = new
                        return
    raise LookupError("the node is not in the tree")

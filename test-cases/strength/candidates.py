# SPDX-License-Identifier: Apache-2.0
"""Small changes of a tree's functions, each found again in another tree of the same code that has moved meanwhile.

A candidate's name is what stays when code moves: its function's qualified name, its statement without places, with
local names numbered (a renamed local is the same statement), the operator and which of its kind in the statement.
"""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_NEGATED = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_BOUNDARY = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
_TESTED = (ast.If, ast.While, ast.IfExp)
_NAMELESS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef  # statements whose bodies have names of their own


@dataclass(frozen=True)
class Name:
    """What a candidate is called in every tree; `module` is the file's name alone."""

    module: str
    function: str
    statement: str
    operator: str
    index: int

    @property
    def anywhere(self) -> tuple[str, str, str, int]:
        """The name without the module, for functions that have moved to a module of another name."""
        return self.function, self.statement, self.operator, self.index


@dataclass(frozen=True)
class Candidate:
    """One change: bytes `start` to `end` of a tree's `path` become `replacement`; they begin in `line`."""

    name: Name
    path: str
    line: int
    start: int
    end: int
    replacement: str

    @property
    def package(self) -> str:
        parts = Path(self.path).parts
        if parts[0] == "tools":
            return "tools"
        return f"model_profiling/{parts[1]}" if len(parts) > 2 else "model_profiling (base)"

    def mutated(self, source: bytes) -> bytes:
        return source[: self.start] + self.replacement.encode() + source[self.end :]


def mutations(node: ast.AST, parent: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield each (operator, new source) of one node."""
    match node:
        case ast.Compare(ops=[operator]):
            for name, table in (("comparison negated", _NEGATED), ("boundary moved", _BOUNDARY)):
                if other := table.get(type(operator)):
                    yield name, f"({ast.unparse(ast.Compare(node.left, [other()], node.comparators))})"
        case ast.BinOp(op=ast.Add() | ast.Sub()) if not (_is_text(node.left) or _is_text(node.right)):
            swapped = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
            yield "plus and minus", f"({ast.unparse(ast.BinOp(node.left, swapped, node.right))})"
        case ast.BoolOp():
            turned = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield "and and or", f"({ast.unparse(ast.BoolOp(turned, node.values))})"
        case ast.UnaryOp(op=ast.Not()):
            yield "not removed", f"({ast.unparse(node.operand)})"
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            yield "constant plus one", f"({value + 1!r})"
        case ast.Return(value=ast.expr() as returned) if (
            not isinstance(returned, ast.Constant) or returned.value is not None
        ):
            yield "nothing returned", "return None"
        case ast.Expr(value=ast.Call()):
            yield "call removed", "pass"
    in_test = isinstance(parent, _TESTED) and node is parent.test
    in_filter = isinstance(parent, ast.comprehension) and node in parent.ifs
    has_own = isinstance(node, ast.Compare | ast.BoolOp) or (
        isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
    )
    if (in_test or in_filter) and not has_own:
        yield "condition negated", f"(not ({ast.unparse(node)}))"


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def in_file(root: Path, path: str) -> Iterator[Candidate]:
    """Yield what can be changed in the functions of one file, `path` relative to `root`."""
    source = (root / path).read_bytes()
    lines = [0]
    for line in source.splitlines(keepends=True):
        lines.append(lines[-1] + len(line))
    for function, statement, bound in _statements(ast.parse(source), (), frozenset()):
        seen: Counter[str] = Counter()
        text = _without_places(statement, bound)
        for node, parent in _header(statement):
            for operator, replacement in mutations(node, parent):
                name = Name(Path(path).name, function, text, operator, seen[operator])
                seen[operator] += 1
                assert node.end_lineno is not None and node.end_col_offset is not None  # parsed from text
                start, end = lines[node.lineno - 1] + node.col_offset, lines[node.end_lineno - 1] + node.end_col_offset
                yield Candidate(name, path, node.lineno, start, end, replacement)


def _statements(
    node: ast.AST, names: tuple[str, ...], bound: frozenset[str], inside: bool = False
) -> Iterator[tuple[str, ast.stmt, frozenset[str]]]:
    """Yield each statement of a function with the function's qualified name and the local names."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _NAMELESS):
            is_function = not isinstance(child, ast.ClassDef)
            locals_ = bound | _bound(child) if is_function else bound
            yield from _statements(child, (*names, child.name), locals_, inside or is_function)
        elif isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
            if inside and isinstance(child, ast.stmt):
                yield ".".join(names), child, bound
            yield from _statements(child, names, bound, inside)


def _bound(function: ast.AST) -> frozenset[str]:
    """Return the names that a function binds: parameters, what is assigned, what its handlers call an error."""
    names = set()
    for node in ast.walk(function):
        if isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            names.add(node.name)
    return frozenset(names)


def _header(statement: ast.stmt) -> Iterator[tuple[ast.stmt | ast.expr, ast.AST]]:
    """Yield a statement and its expressions, each with its parent: no inner statements, types, parts of f-strings."""
    yield statement, statement
    waiting: list[ast.AST] = [statement]
    while waiting:
        parent = waiting.pop()
        for child in ast.iter_child_nodes(parent):
            if isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case | ast.JoinedStr):
                continue
            if isinstance(parent, ast.AnnAssign) and child is parent.annotation:
                continue
            waiting.append(child)
            if isinstance(child, ast.expr):
                yield child, parent


def _without_places(statement: ast.stmt, bound: frozenset[str]) -> str:
    """Return a statement's text with numbers for local names, without its body and without types."""
    node = copy.deepcopy(statement)
    for field in ("body", "orelse", "finalbody", "handlers", "cases"):
        if isinstance(getattr(node, field, None), list):
            setattr(node, field, [ast.Pass()] if field == "body" else [])
    if isinstance(node, ast.AnnAssign) and node.value:
        node = ast.Assign([node.target], node.value, lineno=0)
    numbers: dict[str, str] = {}
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and part.id in bound:
            part.id = numbers.setdefault(part.id, f"v{len(numbers)}")
        elif isinstance(part, ast.arg) and part.arg in bound:
            part.arg = numbers.setdefault(part.arg, f"v{len(numbers)}")
    if isinstance(node, ast.Try | ast.Match):
        return type(node).__name__
    return ast.unparse(node)


def in_tree(root: Path) -> list[Candidate]:
    """Return everything that can be changed in the functions of `model_profiling/` and `tools/`."""
    paths = sorted(
        path.relative_to(root) for top in ("model_profiling", "tools") for path in (root / top).rglob("*.py")
    )
    left_out = ("template", "build", "vendor")  # not the kit's code
    return [one for path in paths if not set(left_out) & set(path.parts) for one in in_file(root, path.as_posix())]


def in_both(before: Iterable[Candidate], after: Iterable[Candidate]) -> dict[Candidate, Candidate]:
    """Return the candidates of the first tree that are in the other exactly once, each with its counterpart there.

    First by the whole name, then, for functions that have changed their module, by the name without it.
    """
    before, after = list(before), list(after)
    pairs: dict[Candidate, Candidate] = {}
    keys: tuple[Callable[[Candidate], object], ...] = (lambda one: one.name, lambda one: one.name.anywhere)
    for key in keys:
        taken = set(pairs.values())
        ours, theirs = ([one for one in side if one not in pairs and one not in taken] for side in (before, after))
        counts, others = Counter(map(key, ours)), Counter(map(key, theirs))
        there = {key(one): one for one in theirs}
        pairs |= {one: there[key(one)] for one in ours if counts[key(one)] == 1 and others[key(one)] == 1}
    return pairs

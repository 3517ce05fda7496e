"""The mutants of a module: comparisons, arithmetic, numbers, conditions, returned values, removed statements.

Left alone are docstrings, annotations, and the constants and defaults at a module's or a class's top: they are tuned
by measuring, and tests use them by their names.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any, NamedTuple

_COMPARISONS: dict[type[ast.cmpop], list[type[ast.cmpop]]] = {
    ast.Lt: [ast.LtE, ast.GtE],
    ast.LtE: [ast.Lt, ast.Gt],
    ast.Gt: [ast.GtE, ast.LtE],
    ast.GtE: [ast.Gt, ast.Lt],
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
    ast.Is: [ast.IsNot],
    ast.IsNot: [ast.Is],
    ast.In: [ast.NotIn],
    ast.NotIn: [ast.In],
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_CALLS = {"min": "max", "max": "min", "any": "all", "all": "any"}
_REMOVABLE = (ast.Expr, ast.AugAssign, ast.Raise, ast.Continue, ast.Break, ast.Delete, ast.Assert)


class Mutant(NamedTuple):
    """One change: `new` in place of `old` at `parent.field`, or at its `index` where that is a list."""

    line: int
    parent: ast.AST
    field: str
    index: int | None
    old: Any
    new: Any

    def __str__(self) -> str:
        """`line: old -> new`, each in one line of Python."""
        whole = self.parent if isinstance(self.old, ast.cmpop | ast.operator | ast.boolop) else self.old
        before = _text(whole)
        self.put(self.new)
        after = _text(self.parent if whole is self.parent else self.new)
        self.put(self.old)
        return f"{self.line}: {before}  ->  {after}"

    def put(self, node: Any) -> None:
        """Place `node`, which is `new` or `old`, in the tree."""
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node


def mutants(tree: ast.Module) -> list[Mutant]:
    """Every mutant of a module. Applying one changes `tree` in place."""
    return [mutant for function in _functions(tree) for mutant in _within(function)]


def _functions(tree: ast.AST) -> Iterator[ast.AST]:
    """The outermost functions, methods too."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef):
            yield node
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node)


def _within(node: ast.AST) -> Iterator[Mutant]:
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list"):
            continue
        places = enumerate(value) if isinstance(value, list) else [(None, value)]
        for index, child in places:
            if not isinstance(child, ast.AST) or _is_docstring(child, field, index):
                continue
            for new in _changes(child, node, field):
                line = getattr(child, "lineno", getattr(node, "lineno", 0))
                yield Mutant(line, node, field, index, child, new)
            yield from _within(child)


def _is_docstring(node: ast.AST, field: str, index: int | None) -> bool:
    return field == "body" and index == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _changes(node: ast.AST, parent: ast.AST, field: str) -> Iterator[ast.AST]:
    """What may stand in the place of `node`, which is `parent.field` or one of it."""
    if isinstance(node, ast.cmpop):
        yield from (other() for other in _COMPARISONS[type(node)])
    elif isinstance(node, ast.operator):
        if type(node) in _ARITHMETIC:
            yield _ARITHMETIC[type(node)]()
    elif isinstance(node, ast.boolop):
        yield ast.Or() if isinstance(node, ast.And) else ast.And()
    elif isinstance(node, ast.Constant):
        yield from _other_constants(node)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield node.operand
    elif isinstance(node, ast.Name) and field == "func" and node.id in _CALLS:
        yield ast.Name(_CALLS[node.id], ast.Load())
    elif isinstance(node, ast.Return):
        if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
            yield ast.Return(ast.Constant(None))
    elif _may_go(node):
        yield ast.Pass()
    if isinstance(node, ast.expr) and _is_condition(parent, field):
        if not isinstance(parent, ast.While):  # a loop for ever says nothing
            yield ast.Constant(True)
        yield ast.Constant(False)


def _other_constants(node: ast.Constant) -> Iterator[ast.AST]:
    if isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node.value, int | float):
        yield from (ast.Constant(node.value + d) for d in (1, -1))


def _may_go(node: ast.AST) -> bool:
    if isinstance(node, ast.Assign):  # of a local variable, it would only be a NameError
        return all(isinstance(target, ast.Attribute | ast.Subscript) for target in node.targets)
    return isinstance(node, _REMOVABLE)


def _is_condition(parent: ast.AST, field: str) -> bool:
    if isinstance(parent, ast.comprehension):
        return field == "ifs"
    return field == "test" and isinstance(parent, ast.If | ast.IfExp | ast.While)


def _text(node: ast.AST) -> str:
    return " ".join(ast.unparse(ast.fix_missing_locations(node)).split())[:100]

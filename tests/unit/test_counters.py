"""The table of counters: every count in the product is a line of it, and every line of it is counted somewhere."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import mountnd
from mountnd.stats import COUNTERS

ROOT = Path(mountnd.__file__).parent
# What a counter's name looks like.
NAME = re.compile(r"[a-z]+(\.[a-z]+)+")


def counts(tree: ast.AST) -> Iterator[ast.expr]:
    """First arguments of all `stats.add(...)`, `self._stats.add(...)`, `stats.of(source).add(...)`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add":
            receiver = ast.unparse(node.func.value)
            if re.search(r"\bstats$|_stats$|\bstats\.of\(.*\)$|_stats\.of\(.*\)$", receiver):
                yield node.args[0]


def names(argument: ast.expr, module: ModuleType, tree: ast.AST) -> list[str]:
    """The names that a first argument may be."""
    if isinstance(argument, ast.IfExp):
        return [*names(argument.body, module, tree), *names(argument.orelse, module, tree)]
    try:
        value = eval(ast.unparse(argument), dict(vars(module)))
    except NameError:  # a local variable: one of the names that the module holds
        constants = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
        return [text for text in constants if isinstance(text, str) and NAME.fullmatch(text)]
    assert isinstance(value, str)
    return [value]


@pytest.fixture(scope="module")
def counted() -> dict[str, str]:
    """Every name that the product counts by, and a file that does."""
    found: dict[str, str] = {}
    for path in sorted(ROOT.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        dotted = ".".join(["mountnd", *path.relative_to(ROOT).with_suffix("").parts]).removesuffix(".__init__")
        for argument in counts(tree):
            for name in names(argument, importlib.import_module(dotted), tree):
                found[name] = dotted
    return found


def test_the_product_counts_only_what_the_table_names(counted: dict[str, str]) -> None:
    assert len(counted) > 20  # else this test does not see the calls
    assert {name: where for name, where in counted.items() if name not in COUNTERS} == {}


def test_every_line_of_the_table_is_counted_somewhere(counted: dict[str, str]) -> None:
    assert set(COUNTERS) - set(counted) == set()


def test_a_name_holds_its_unit() -> None:
    for name, counter in COUNTERS.items():
        assert counter.name == name
        assert NAME.fullmatch(name)
        assert counter.meaning
        assert counter.unit in name.split(".")

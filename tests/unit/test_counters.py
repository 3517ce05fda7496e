"""The table of counters: every count in the product is a line of it, and every line of it is counted somewhere."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import mountnd
from mountnd import stats
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


def product() -> Iterator[tuple[str, ast.AST]]:
    for path in sorted(ROOT.rglob("*.py")):
        if path.name != "stats.py" or path.parent != ROOT:
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def test_counts_are_made_by_the_names_of_the_table() -> None:
    arguments = [(file, node) for file, tree in product() for node in counts(tree)]
    assert len(arguments) > 20  # else this test does not see the calls
    literal = [(file, ast.unparse(node)) for file, node in arguments if isinstance(node, ast.Constant)]
    assert literal == [], "count by a constant of stats.py"


def test_every_line_of_the_table_is_used_somewhere() -> None:
    constants = {
        constant: name for constant, name in vars(stats).items() if constant.isupper() and isinstance(name, str)
    }
    assert set(constants.values()) == set(COUNTERS)
    used = {
        alias.name
        for _, tree in product()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").rpartition(".")[2] == "stats"
        for alias in node.names
    }
    assert set(constants) - used == set()


def test_a_name_holds_its_unit() -> None:
    for name, counter in COUNTERS.items():
        assert counter.name == name
        assert NAME.fullmatch(name)
        assert counter.meaning
        assert counter.unit in name.split(".")

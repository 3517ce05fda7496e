"""What holds for every test file: no test module is imported, and no private name of the product is used."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
FILES = {str(path.relative_to(TESTS)): ast.parse(path.read_text()) for path in sorted(TESTS.rglob("*.py"))}
# Underscored by their documentation, and public nonetheless: NamedTuple's methods, os._exit, and of fsspec's file
# systems the coroutines and what paths are made of.
COROUTINES = (
    "cat",
    "cat_file",
    "cat_ranges",
    "du",
    "exists",
    "find",
    "glob",
    "info",
    "isdir",
    "ls",
    "pipe_file",
    "size",
)
PUBLIC = {"_replace", "_asdict", "_fields", "_make", "_exit", "_walk", "_parent", "_strip_protocol"}
PUBLIC |= {f"_{name}" for name in COROUTINES}


def imported(tree: ast.Module) -> Iterator[str]:
    """The last parts of all module names that are imported, and of all names imported from them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.rpartition(".")[2] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").rpartition(".")[2]
            if not (node.module or "").startswith("mountnd"):
                yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("file", FILES)
def test_no_test_module_is_imported(file: str) -> None:
    modules = {Path(name).stem for name in FILES if Path(name).name.startswith("test_")}
    assert not modules & set(imported(FILES[file])), "what two test modules share belongs into a plain module"


def private_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, name) of each private attribute that is used of something else than `self` or `cls`."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute) or not node.attr.startswith("_") or node.attr.startswith("__"):
            continue
        if not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")):
            yield node.lineno, node.attr


@pytest.mark.parametrize("file", [file for file in FILES if not file.startswith(("unit/", "benchmarks/"))])
def test_no_private_attribute_is_used(file: str) -> None:
    assert not [use for use in private_names(FILES[file]) if use[1] not in PUBLIC]

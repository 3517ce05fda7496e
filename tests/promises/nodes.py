"""From the name of a test, as a page gives it, to the test."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parents[1]


@cache
def _files(tests: Path) -> tuple[str, ...]:
    return tuple(str(path.relative_to(tests)) for path in sorted(tests.rglob("test_*.py")))


def node_id(name: str, tests: Path = TESTS) -> str:
    """The full id (`tests/.../test_x.py::...`) of what is called `name`. Raises LookupError, which says why."""
    file, _, rest = name.partition("::")
    if not rest:
        raise LookupError(f"{name} names a file; FILE::TEST is wanted")
    found = [path for path in _files(tests) if path == file or path.endswith("/" + file)]
    if len(found) != 1:
        raise LookupError(f"{name}: {'several files are' if found else 'no file is'} called {file}")
    return f"{tests.name}/{found[0]}::{rest}"


def find(name: str) -> str:
    """As `node_id`, of a test of this project that is there. Raises LookupError."""
    node = node_id(name)
    path, _, rest = node.partition("::")
    at: object = importlib.import_module(path.removesuffix(".py").replace("/", "."))
    for part in rest.split("::"):
        if not part.startswith(("test_", "Test")) or not hasattr(at, part):
            raise LookupError(f"{name}: there is no such test")
        at = getattr(at, part)
    return node

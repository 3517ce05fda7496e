"""Runs tests once for each mutant of a module, each in a process of its own, as many side by side as asked for."""

from __future__ import annotations

import ast
import contextlib
import importlib.abc
import importlib.util
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

from .mutations import Mutant, mutants

# Third-party modules that the tests import: once here instead of once in each process.
_PRELOADED = ("cachetools", "xxhash", "concurrent.futures", "asyncio")


class Result(NamedTuple):
    """What became of a module's mutants; `timeouts` are counted in `killed`."""

    module: str
    killed: int
    timeouts: int
    survivors: list[str]

    @property
    def total(self) -> int:
        return self.killed + len(self.survivors)


class _Importer(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports a syntax tree as module `name`."""

    def __init__(self, name: str, path: Path, tree: ast.Module) -> None:
        self._name, self._path, self._tree = name, path, tree

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        return importlib.util.spec_from_file_location(name, self._path, loader=self) if name == self._name else None

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(ast.fix_missing_locations(self._tree), str(self._path), "exec"), module.__dict__)


def run(path: Path, tests: Sequence[str], jobs: int) -> Result:
    """Try every mutant of the module at `path` (relative to the checkout).

    A mutant is killed when `tests` fail, or take more than ten times as long as without it (and 20 s).
    Raises RuntimeError when the tests fail without any mutant, or do not use the module.
    """
    for name in _PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    name, tree = ".".join(path.with_suffix("").parts), ast.parse(path.read_text())
    start = time.monotonic()
    if _wait(_start(name, path, tree, None, tests), 600) != 0:
        raise RuntimeError(f"{path}: the tests fail without any mutant: pytest {' '.join(tests)}")
    limit = 20 + 10 * (time.monotonic() - start)
    if _wait(_start(name, path, ast.parse("raise SyntaxError('a mutant')"), None, tests), limit) == 0:
        raise RuntimeError(f"{path}: the tests do not import this module: pytest {' '.join(tests)}")
    killed = timeouts = 0
    survivors: list[str] = []
    for mutant, code in _codes(name, path, tree, tests, jobs, limit):
        killed += code != 0
        timeouts += code is None
        if code == 0:
            survivors.append(f"{path}:{mutant}")
        print(f"\r{path}: {killed} killed, {len(survivors)} survived", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return Result(str(path), killed, timeouts, sorted(survivors, key=_line))


def _line(survivor: str) -> int:
    return int(survivor.split(":")[1])


def _codes(
    name: str, path: Path, tree: ast.Module, tests: Sequence[str], jobs: int, limit: float
) -> Iterator[tuple[Mutant, int | None]]:
    """Each mutant with pytest's exit code, None where it took too long, in the order of their ends."""
    todo, running = mutants(tree)[::-1], dict[int, tuple[Mutant, float]]()
    try:
        while todo or running:
            while todo and len(running) < jobs:
                mutant = todo.pop()
                running[_start(name, path, tree, mutant, tests)] = mutant, time.monotonic() + limit
            time.sleep(0.005)
            for pid, (mutant, end) in list(running.items()):
                code = _poll(pid)
                if code is None and time.monotonic() > end:
                    _kill(pid)
                elif code is None:
                    continue
                del running[pid]
                yield mutant, code
    finally:
        for pid in running:
            _kill(pid)


def _start(name: str, path: Path, tree: ast.Module, mutant: Mutant | None, tests: Sequence[str]) -> int:
    """The process, in a group of its own, that runs the tests with a mutant (None: with `tree` as it is)."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # their import takes longer than most tests
        if mutant is not None:
            mutant.put(mutant.new)
        sys.meta_path.insert(0, _Importer(name, path, tree))
        os._exit(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests]))
    except BaseException:
        traceback.print_exc()
        os._exit(99)


def _poll(pid: int) -> int | None:
    done, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if done else None


def _wait(pid: int, seconds: float) -> int | None:
    end = time.monotonic() + seconds
    while (code := _poll(pid)) is None:
        if time.monotonic() > end:
            _kill(pid)
            break
        time.sleep(0.01)
    return code


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)  # it may not have made its group yet
    os.waitpid(pid, 0)

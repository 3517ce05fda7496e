"""The first hour: whatever a newcomer types, the next step is on the screen. The rows are in `first_hour/`."""

from __future__ import annotations

import importlib
import pkgutil
import shlex
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli import mountpoint, run_mountnd
from tests.support.quirky import Quirky, quirky_server

from . import first_hour
from .first_hour.row import Row

ROWS: list[Row] = [
    row
    for module in pkgutil.iter_modules(first_hour.__path__)
    if module.name != "row"
    for row in importlib.import_module(f"{first_hour.__name__}.{module.name}").ROWS
]
FILES = {"ds000001/a.nii": b"a" * 100, "ds000002/b": b"b", "top.txt": b"top"}


@pytest.fixture(scope="module")
def server() -> Iterator[Quirky]:
    with quirky_server() as server:
        server.hold(FILES)
        yield server


@pytest.fixture(scope="module")
def dead() -> Iterator[str]:
    """A server's URL where nobody listens: a port that is bound and not listened at."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


@pytest.mark.parametrize("row", ROWS, ids=[f"{at}-{row.command}" for at, row in enumerate(ROWS)])
def test_row(row: Row, server: Quirky, dead: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with mountpoint(tmp_path / "mnt") as where:
        places = {"mnt": where, "tmp": tmp_path, "server": server.url, "dead": dead}
        done = run_mountnd(*shlex.split(row.command.format(**places)), cwd=tmp_path, env=row.env)
    said = done.stdout + done.stderr
    assert done.returncode == row.code, said
    for text in row.says:
        assert text.format(**places) in said
    for text in ("Traceback", "internal error", *row.never):
        assert text not in said
    assert len(said.splitlines()) <= row.lines, said


def test_there_are_enough_rows() -> None:
    assert len(ROWS) >= 90
    assert len({row.command for row in ROWS}) >= len(ROWS) - 1, "one is there with another environment"

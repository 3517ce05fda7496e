"""The first hour: whatever a newcomer types, the next step is on the screen. The rows are in `first_hour/`."""

from __future__ import annotations

import importlib
import pkgutil
import re
import shlex
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.certificates import PrivateCA
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


@pytest.fixture(scope="module")
def tls(private_ca: PrivateCA) -> Iterator[Quirky]:
    with quirky_server((private_ca.certificate, private_ca.key)) as server:
        server.hold(FILES)
        yield server


@pytest.fixture
def places(
    server: Quirky, tls: Quirky, dead: str, private_ca: PrivateCA, tmp_path: Path
) -> Iterator[dict[str, object]]:
    """What stands in braces in the rows."""
    (tmp_path / "data").mkdir()
    with mountpoint(tmp_path / "mnt") as where:
        yield {
            "mnt": where, "tmp": tmp_path, "server": server.url, "dead": dead, "tls": tls.url,
            "ca": private_ca.authority, "port": urlsplit(server.url).port, "tls_port": urlsplit(tls.url).port,
        }  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=[f"{at}-{row.command}" for at, row in enumerate(ROWS)])
def test_row(row: Row, server: Quirky, places: dict[str, object], tmp_path: Path) -> None:
    for name, text in row.files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text.format(**places) if "{" in text else text)
    if row.switches:
        server.hold(FILES, **row.switches)
    try:
        env = {name: text and text.format(**places) for name, text in row.env.items()}
        command = shlex.split(row.command.format(**places))
        done = run_mountnd(*command, cwd=tmp_path, env=env, within=row.within)
    finally:
        if row.switches:
            server.hold(FILES)
    said = done.stdout + done.stderr
    assert done.returncode == row.code, said
    for text in row.says:
        wanted = text.format(**places)
        there = wanted in said or wanted in " ".join(said.split())
        assert there, f"{wanted!r} is not in: {said}"
    for text in ("Traceback", "internal error", "Errno", "botocore", *row.never):
        assert text not in said
    assert not re.search(r"\w+(Error|Exception)\b(?! \()", said.replace("InternalError", "")), said
    assert len(said.splitlines()) <= row.lines, said


def test_there_are_enough_rows() -> None:
    assert len(ROWS) >= 180
    assert len(set(map(repr, ROWS))) == len(ROWS), "each is another one"

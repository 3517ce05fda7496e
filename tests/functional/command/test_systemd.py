"""A service manager is told when the mount can be read, and that it ends: the test plays systemd."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support import cli, tree
from tests.support.cli import COMMAND_S, MOUNTND, environment, run_mountnd

pytestmark = pytest.mark.kernel

BODY = b'{"Name": "units"}\n'


@pytest.fixture(scope="module")
def source(server: str) -> list[str]:
    """What a user types to name the source."""
    tree.Bucket(server, "units").put("dataset_description.json", BODY)
    return ["s3://units", "--endpoint-url", server, "--region", "us-east-1", "--anonymous"]


@pytest.fixture
def where(tmp_path: Path) -> Iterator[Path]:
    with cli.mountpoint(tmp_path.resolve() / "my brains") as path:
        yield path


class Manager:
    """The socket that a service manager listens on. `address`: as it stands in NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self._socket.settimeout(COMMAND_S)

    def told(self) -> str:
        """The next message."""
        return self._socket.recv(4096).decode()

    def told_no_more(self) -> bool:
        self._socket.setblocking(False)
        try:
            return not self._socket.recv(4096)
        except BlockingIOError:
            return True

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    address = str(tmp_path / "notify") if request.param == "path" else f"@mountnd-test-{secrets.token_hex(8)}"
    with contextlib.closing(Manager(address)) as manager:
        yield manager


@contextlib.contextmanager
def started(argv: list[str], env: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        argv, env={**environment(), **env}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=COMMAND_S)


@pytest.mark.parametrize("by", ["SIGTERM", "SIGINT", "umount"])
def test_ready_when_it_can_be_read_and_stopping_when_it_ends(
    source: list[str], where: Path, manager: Manager, by: str
) -> None:
    argv = [*MOUNTND, *source, str(where), "--foreground"]
    with started(argv, {"NOTIFY_SOCKET": manager.address}) as process:
        assert manager.told() == "READY=1"
        assert (where / "dataset_description.json").read_bytes() == BODY
        if by == "umount":
            assert run_mountnd("umount", where).returncode == 0
        else:
            process.send_signal(getattr(signal, by))
        assert manager.told() == "STOPPING=1"
        assert process.wait(COMMAND_S) == 0
    assert manager.told_no_more()
    assert not where.exists()


def test_a_mount_that_fails_is_never_ready(source: list[str], where: Path, manager: Manager) -> None:
    argv = [*MOUNTND, "s3://no-such-bucket", *source[1:], str(where), "--foreground"]
    with started(argv, {"NOTIFY_SOCKET": manager.address}) as process:
        assert process.wait(COMMAND_S) == 1
    assert manager.told_no_more()


@pytest.mark.parametrize("address", ["/no/such/socket", "@mountnd-test-nobody-listens", "nonsense", ""])
def test_a_manager_that_is_not_there_is_told_nothing(source: list[str], where: Path, address: str) -> None:
    with started([*MOUNTND, *source, str(where), "--foreground"], {"NOTIFY_SOCKET": address}) as process:
        cli.wait_mounted(where)
        assert (where / "dataset_description.json").read_bytes() == BODY
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=COMMAND_S)
        assert process.returncode == 0, out
        assert ("cannot be told READY=1" in out) == address.startswith(("/", "@"))


def test_a_printed_unit_does_what_it_says(source: list[str], where: Path, tmp_path: Path) -> None:
    """Its commands, with a space in the path, as systemd runs them: with a bare environment."""
    done = run_mountnd("systemd", *source, where, "--cache-dir", tmp_path / "cache")
    assert done.returncode == 0, done.stderr
    lines = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line and not line.startswith("#"))
    assert lines["Type"] == "notify"
    start, stop = (
        [word.strip('"') for word in re.findall(r'"[^"]*"|[^ ]+', lines[name].removeprefix("-"))]
        for name in ("ExecStart", "ExecStop")
    )
    bare = {"PATH": os.defpath, "HOME": str(tmp_path), **dict([lines["Environment"].split("=", 1)])}
    with contextlib.closing(Manager(str(tmp_path / "notify"))) as manager:
        process = subprocess.Popen(start, env={**bare, "NOTIFY_SOCKET": manager.address}, cwd="/")
        try:
            assert manager.told() == "READY=1"
            assert (where / "dataset_description.json").read_bytes() == BODY
            assert subprocess.run(stop, env=bare, cwd="/", timeout=COMMAND_S, check=False).returncode == 0
            assert manager.told() == "STOPPING=1"
            assert process.wait(COMMAND_S) == 0
        finally:
            process.kill()
            process.wait()
    assert not where.exists()

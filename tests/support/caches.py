"""Caching proxies for tests: nodes by the real `mountnd cache-server`, and what may be asked of one directly."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from .children import killed_after
from .cli import MOUNTND, environment
from .servers import START_S, free_port
from .waiting import wait_until

# nginx lies where an ordinary PATH does not lead.
PLACES = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
STOP_S = 30.0


def needs(program: str) -> str:
    """Its path; skips the test, by name, where it is not installed."""
    found = shutil.which(program, path=PLACES)
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


class Node:
    """A running cache-server. `url`: what mounts are given; `log`: what it says on standard error."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, directory: Path, log: Path) -> None:
        self.process, self.url, self.directory, self._log = process, url, directory, log

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def master(self) -> int:
        """The process of nginx's that has the others."""
        return int((self.directory / "nginx.pid").read_text())

    def processes(self) -> list[int]:
        """All processes of nginx's that were started for it."""
        return processes_with(str(self.directory))

    def kill(self) -> None:
        """End it at once, as a node that loses its power: nothing is told to anybody."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def stop(self, number: signal.Signals = signal.SIGSTOP) -> None:
        """Have it hang; with SIGCONT it goes on."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def cached(self) -> int:
        """Bytes in its cache."""
        return sum(path.stat().st_size for path in (self.directory / "cache").rglob("*") if path.is_file())


def processes_with(directory: str) -> list[int]:
    """The nginx masters whose command line names a directory, and their children."""
    masters = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes()
            if words.startswith(b"nginx: master") and directory.encode() in words:
                masters.append(int(entry.name))
    found = list(masters)
    for master in masters:
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
            found += [int(child) for child in children]
    return found


@contextlib.contextmanager
def cache_server(
    where: Path, source: str, endpoint: str, *options: str, env: Mapping[str, str] | None = None
) -> Iterator[Node]:
    """A node for one bucket; yields it when it is ready. Skips the test where nginx is not installed."""
    needs("nginx")
    where.mkdir(parents=True, exist_ok=True)
    port, log = free_port(), where / "log"
    words = [*MOUNTND, "cache-server", source, "--endpoint-url", endpoint, "--region", "us-east-1"]
    words += ["--listen", str(port), "--dir", str(where / "node"), "--size", "256M", *options]
    with log.open("wb") as err:
        process = subprocess.Popen(
            words, env={**environment(), **(env or {})}, stdin=subprocess.DEVNULL, stdout=err, stderr=err, cwd="/"
        )
    node = Node(process, f"http://127.0.0.1:{port}", where / "node", log)

    def is_ready() -> bool:
        if process.poll() is not None:
            raise RuntimeError(f"cache-server ended with {process.returncode}: {node.log}")
        return "--via" in node.log

    try:
        wait_until(is_ready, "the cache-server is ready", START_S)
        yield node
    finally:
        if process.poll() is None:
            node.stop(signal.SIGCONT)
            process.send_signal(signal.SIGTERM)
            with killed_after(STOP_S, process):
                process.wait()
        node.kill()


def ask(url: str, head: str, seconds: float = 20.0) -> tuple[int, dict[str, str], bytes]:
    """Send a request as it is written (without its last, empty line): status, headers in lower case, body."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), seconds) as connection:
        lines = head.strip("\n").replace("\r", "").split("\n")
        connection.sendall(("\r\n".join([*lines, "Connection: close"]) + "\r\n\r\n").encode("latin-1"))
        received = b""
        while piece := connection.recv(65536):
            received += piece
    said, _, body = received.partition(b"\r\n\r\n")
    first, *rest = said.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
    found = re.match(r"HTTP/1\.[01] (\d+)", first)
    assert found, first
    return int(found[1]), headers, body

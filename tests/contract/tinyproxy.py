"""A real HTTP proxy, in a process of its own."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..support.servers import executable, free_port
from ..support.waiting import wait_until


class Tinyproxy:
    """A running tinyproxy.

    Attributes:
        port: where it listens on 127.0.0.1.
    """

    def __init__(self, port: int, log: Path) -> None:
        self.port, self._log = port, log

    def url(self, credentials: str = "") -> str:
        return f"http://{credentials}{'@' if credentials else ''}127.0.0.1:{self.port}"

    def requests(self) -> list[str]:
        """The request line of everything that came so far: `GET http://...` or `CONNECT host:port`."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        return [line.partition("): ")[2] for line in lines if "Request (file descriptor" in line]


@contextmanager
def tinyproxy(where: Path, *, user: str = "", password: str = "") -> Iterator[Tinyproxy]:
    """Run tinyproxy with its files in `where`; it asks for `user` and `password` if there are any."""
    port, log, settings = free_port(), where / "tinyproxy.log", where / "tinyproxy.conf"
    lines = [f"Port {port}", "Listen 127.0.0.1", "Timeout 60", f'LogFile "{log}"', "LogLevel Connect"]
    if user:
        lines.append(f"BasicAuth {user} {password}")
    settings.write_text("\n".join(lines) + "\n")
    process = subprocess.Popen(
        [executable("tinyproxy"), "-d", "-c", str(settings)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: process.poll() is not None or _listens(port), "tinyproxy listens")
        assert process.poll() is None, "tinyproxy ended at once"
        yield Tinyproxy(port, log)
    finally:
        process.terminate()
        process.wait(10)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True

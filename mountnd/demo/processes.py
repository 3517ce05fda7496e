"""The demo's server, mount and reader. An `ExitStack` ends what was started, in reverse order."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ..daemon import mounts, signals
from ..errors import MountError

# The server makes the images and puts them into the bucket before it answers: some seconds on two cores.
_SERVER_S = 60
# The command itself waits at most 20 s for the tree, and 10 s for the daemon's end.
_COMMAND_S = 40
_READER_S = 60
# A command that is terminated undoes its mount first.
_END_S = 20


def command(*args: str) -> list[str]:
    """The mountnd command of this installation, whatever PATH says."""
    return [sys.executable, "-m", "mountnd", *args]


def _environment() -> dict[str, str]:
    """Without the user's settings, keys and proxies; one variable keeps boto from asking EC2 for credentials."""
    foreign = ("AWS_", "MOUNTND_")
    proxies = ("http_proxy", "https_proxy", "all_proxy")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(foreign) and k.lower() not in proxies}
    if own := os.environ.get("MOUNTND_RUN_DIR"):  # where the mount is recorded; this process looks there, too
        kept["MOUNTND_RUN_DIR"] = own
    # The children import the mountnd that started them, also from a checkout that is not installed.
    path = [str(Path(__file__).parents[2]), kept.get("PYTHONPATH", "")]
    fixed = {"AWS_EC2_METADATA_DISABLED": "true", "MOUNTND_CACHE_SIZE": "0"}  # nor does it leave a cache behind
    return {**kept, **fixed, "PYTHONPATH": os.pathsep.join(filter(None, path))}


class Server:
    """The embedded S3 server. After `wait_ready`: its `url`; `objects` and `bytes` in its bucket."""

    url: str
    objects: int
    bytes: int

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def wait_ready(self) -> None:
        """Wait until it is filled and listens."""
        hello = self._reply()
        self.url = f"http://127.0.0.1:{hello['port']}"
        self.objects, self.bytes = hello["objects"], hello["bytes"]

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _reply(self) -> dict[str, int]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise MountError(f"The demo's S3 server ended early (exit {self._process.wait(_SERVER_S)}).")
        reply: dict[str, int] = json.loads(line)
        return reply

    def counts(self) -> tuple[int, int]:
        """Requests that it got since it was filled, and bytes of the bodies that it sent."""
        self._send("counts")
        reply = self._reply()
        return reply["requests"], reply["bytes"]

    def outlive(self, pid: int, directory: Path) -> None:
        """Let it run without us until process `pid` ends; then it also removes `directory`, which is empty by then."""
        self._send(f"until {pid} {directory}")

    def end(self) -> None:
        """End it and wait for it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.close()
        except BrokenPipeError:
            pass
        self._process.terminate()  # it has nothing to lose, and may still be making images
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


def start_server(stack: ExitStack) -> Server:
    """The server, ended when `stack` is left. In a session of its own: Ctrl-C is for us; we end it then."""
    with signals.deferred():
        process = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=_environment(),
            start_new_session=True,
        )
        server = Server(process)
        stack.callback(server.end)
    server.wait_ready()
    return server


def _run(args: list[str], seconds: int) -> str:
    """Run a program; return what it printed. Raises MountError with its last line when it fails."""
    with ExitStack() as stack:
        with signals.deferred():
            process = subprocess.Popen(
                args,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            stack.callback(_end, process)
        out, err = process.communicate(timeout=seconds)
    if process.returncode:
        printed = (err or out).strip().splitlines() or [f"exit {process.returncode}"]
        raise MountError(f"{' '.join(args[2:4])}: {printed[-1].removeprefix('mountnd: ')}")
    return out


def _end(process: subprocess.Popen[str]) -> None:
    """End a program that still runs; a command that is mounting undoes what it did."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.communicate(timeout=_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def mount(stack: ExitStack, source: str, directory: Path, url: str) -> list[str]:
    """Mount through the real command; unmounted when `stack` is left. Returns what was typed, for the screen."""
    typed = [source, str(directory), "--endpoint-url", url, "--anonymous"]
    stack.callback(unmount, directory)  # first: a signal may come while the command is at work
    # With a region, not even a request for the bucket's region goes out.
    _run(command(*typed, "--region", "us-east-1"), _COMMAND_S)
    return ["mountnd", *typed]


def unmount(directory: Path) -> None:
    """`mountnd umount`; lazily when a program still holds it. Nothing when it is not mounted."""
    if mounts.mount_at(mounts.resolve(directory)) is not None:
        try:
            _run(command("umount", str(directory)), _COMMAND_S)
        except MountError:
            _run(command("umount", "--lazy", str(directory)), _COMMAND_S)


def read(directory: Path, picture: Path) -> dict[str, Any]:
    """Have the reader read below `directory` and draw `picture`. Returns its report."""
    args = [sys.executable, "-m", f"{__package__}.reader", str(directory), str(picture)]
    done: dict[str, Any] = json.loads(_run(args, _READER_S))
    return done


def scratch(stack: ExitStack) -> Path:
    """A directory that is removed when `stack` is left, if it is empty by then."""
    path = Path(tempfile.gettempdir(), f"mountnd-demo-{secrets.token_hex(4)}")

    def remove() -> None:
        try:
            path.rmdir()
        except OSError:
            pass  # kept: the mount stands in it

    stack.callback(remove)  # before it is made: a signal may come in between
    path.mkdir(mode=0o700)
    return path

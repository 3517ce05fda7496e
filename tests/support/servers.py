"""Servers that tests talk to, each in a process of its own and ended by its own pid.

A process that touches a mount must never run the server behind it: a page fault on a mapped file
holds the reader's GIL. So nothing here listens inside the test's process.

Every server script prints its port on one line when it listens, and ends when its stdin closes: so
it also ends when the test run is killed.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .children import killed_after
from .waiting import wait_until

START_S = 60.0  # moto imports for some seconds, more of them on a busy machine
ROOT = Path(__file__).parents[2]
SCRIPTS = Path(__file__).parent / "server_scripts"


@contextmanager
def script_server(script: Path, *args: str) -> Iterator[str]:
    """Run a Python `script` in a process; yield the first line that it prints, without the line's end.

    Raises RuntimeError when it ends, or is silent for START_S seconds, before it has printed one.
    """
    with _first_line([sys.executable, str(script), *args], script.name) as line:
        yield line


@contextmanager
def module_server(module: str, *args: str) -> Iterator[str]:
    """The same of a module of this checkout, `python -m MODULE`."""
    with _first_line([sys.executable, "-m", module, *args], module) as line:
        yield line


@contextmanager
def _first_line(argv: list[str], name: str) -> Iterator[str]:
    process = subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        with killed_after(START_S, process):
            line = process.stdout.readline().strip()
        if not line:
            raise RuntimeError(f"{name} ended at its start with {process.wait(START_S)}")
        yield line
    finally:
        process.stdin.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


@contextmanager
def moto_server() -> Iterator[str]:
    """An S3 server of moto's in a process of its own; yields its endpoint URL. Objects are in its memory."""
    with script_server(SCRIPTS / "moto_s3.py") as port:
        yield f"http://127.0.0.1:{port}"


def s3_client(url: str, region: str = "us-east-1") -> Any:
    """A boto client with dummy keys for a local server."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name=region,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
    )


@contextmanager
def silent_server() -> Iterator[str]:
    """A server that accepts connections and never says a word; yields its URL."""
    with script_server(SCRIPTS / "silent_server.py") as port:
        yield f"http://127.0.0.1:{port}"


@dataclass(frozen=True)
class Answer:
    """What a scripted server says: these headers and no others (`Content-Length` too is the script's).

    `then`: "keep" the connection, "close" it, "hang" without another byte, or "trickle": one every 0.1 s.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    then: str = "keep"


Answers = Mapping[str, Answer | Sequence[Answer]]


class Scripted:
    """A running scripted server: its URL, what it says, and the requests it got."""

    def __init__(self, url: str, control: str) -> None:
        self.url, self._control = url, control

    def play(self, answers: Answers) -> None:
        """Say this from now on, and forget the requests so far.

        Args:
            answers: "GET /path?query" or "GET *" -> one answer, or a sequence used up one by one (the last stays).
                Anything else gets a 404.
        """
        table = {
            what: [
                {**asdict(answer), "body": base64.b64encode(answer.body).decode()}
                for answer in ([given] if isinstance(given, Answer) else given)
            ]
            for what, given in answers.items()
        }
        request = urllib.request.Request(self._control, json.dumps(table).encode(), method="PUT")
        urllib.request.urlopen(request, timeout=START_S).close()

    def log(self) -> list[tuple[str, str, dict[str, str]]]:
        """(method, raw target, headers with lower-case names) of every request since the last `play`."""
        with urllib.request.urlopen(self._control, timeout=START_S) as answer:
            return [(method, target, headers) for method, target, headers in json.load(answer)]


@contextmanager
def scripted_server(answers: Answers | None = None, *, tls: tuple[Path, Path] | None = None) -> Iterator[Scripted]:
    """A HTTP server that answers by a table (see `Scripted.play`); yields it.

    Args:
        tls: (certificate, key) files.
    """
    with script_server(SCRIPTS / "scripted_server.py", *(str(path) for path in tls or ())) as line:
        port, control = line.split()
        server = Scripted(f"{'https' if tls else 'http'}://127.0.0.1:{port}", f"http://127.0.0.1:{control}/")
        server.play(answers or {})
        yield server


@contextmanager
def file_server(directory: Path) -> Iterator[str]:
    """A web server of files with indexes, ranges, ETags and If-Match; yields its URL (no final slash)."""
    with script_server(SCRIPTS / "file_server.py", str(directory)) as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def dandi_server(directory: Path, published: str = "") -> Iterator[str]:
    """A DANDI archive with one dandiset, 000026: the files of `directory`; yields its URL (no final slash)."""
    with script_server(SCRIPTS / "dandi_archive.py", str(directory), published) as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def rclone_server(directory: Path) -> Iterator[str]:
    """`rclone serve s3` over a directory (its directories are the buckets); yields its endpoint URL.

    It answers ranges with 200 and ignores If-Match.
    """
    port = free_port()
    command = [
        executable("rclone"),
        "serve",
        "s3",
        "--addr",
        f"127.0.0.1:{port}",
        "--read-only",
        "--config",
        os.devnull,
    ]
    with _running([*command, str(directory)], f"http://127.0.0.1:{port}"):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def weed_server() -> Iterator[str]:
    """SeaweedFS's S3 server on temporary files; yields its endpoint URL. Writable by anybody."""
    ports = _ports_with_twins(4)
    options = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-admin.ui=false", "-webdav=false", "-master.telemetry=false"]
    options += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-metricsPort=0"]
    options += [f"-{name}.port={port}" for name, port in zip(("s3", "master", "volume", "filer"), ports, strict=False)]
    with tempfile.TemporaryDirectory() as where:
        url = f"http://127.0.0.1:{ports[0]}"
        with _running([executable("weed"), "mini", f"-dir={where}", *options], url):
            client = s3_client(url)
            wait_until(lambda: _can_write(client), "weed takes an object", START_S)
            yield url


def _ports_with_twins(count: int) -> list[int]:
    """Free ports, for SeaweedFS: port + 10000 is free beside each, for gRPC, and none of the others."""
    candidates = [port for port in (free_port() for _ in range(50)) if port < 50_000]
    candidates += range(23_000 + os.getpid() % 10_000, 33_900)
    found: list[int] = []
    for port in dict.fromkeys(candidates):
        taken = {twin for other in found for twin in (other - 10_000, other + 10_000)}
        if len(found) < count and port not in taken and is_free(port) and is_free(port + 10_000):
            found.append(port)
    return found


def _can_write(client: Any) -> bool:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        try:
            client.create_bucket(Bucket="is-it-ready")
        except ClientError as error:
            if "BucketAlready" not in str(error):
                raise
        client.put_object(Bucket="is-it-ready", Key="k", Body=b"x")
    except (BotoCoreError, ClientError):
        return False
    return True


def executable(name: str) -> str:
    """The path of a program, in the venv's directory or on the PATH. Skips the test when it is nowhere."""
    found = shutil.which(name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if found is None:
        import pytest

        pytest.skip(f"{name} is not installed")
    return found


def free_port() -> int:
    """A port that was free a moment ago, for servers that cannot say which they took."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Whether a server could take a port just now."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


@contextmanager
def _running(command: list[str], url: str) -> Iterator[subprocess.Popen[bytes]]:
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)

        def answers() -> bool:
            if process.poll() is not None:
                output.seek(0)
                raise RuntimeError(f"{command[0]} ended with {process.returncode}: {output.read()[-2000:]!r}")
            try:
                urllib.request.urlopen(url, timeout=1).close()
            except urllib.error.HTTPError as error:
                error.close()
            except OSError:
                return False
            return True

        try:
            wait_until(answers, f"{command[0]} answers at {url}", START_S)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

"""Servers that tests talk to, each in a process of its own and ended by its own pid.

A process that touches a mount must never run the server behind it: a page fault on a mapped file
holds the reader's GIL. So nothing here listens inside the test's process.

Every server script prints its port on one line when it listens, and ends when its stdin closes: so
it also ends when the test run is killed.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

START_S = 30  # moto imports for some seconds on a busy machine

_MOTO = """
import logging, sys
logging.getLogger("werkzeug").setLevel(logging.ERROR)
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
server.stop()
"""


@contextmanager
def script_server(code: str, *args: str) -> Iterator[str]:
    """Run Python `code` in a process; yield what it prints as its first line (a port)."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        line = process.stdout.readline().strip()
        if not line:
            raise RuntimeError(f"the server ended at once with {process.wait(START_S)}")
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
    with script_server(_MOTO) as port:
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

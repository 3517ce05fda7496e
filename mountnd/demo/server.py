"""The demo's S3 server: moto's, on a free port of this machine only, filled with the dataset, counting its requests.

Run as `python -m mountnd.demo.server`. It prints one JSON line when it is ready (`port`, `objects`, `bytes`),
then obeys lines on its standard input:

    counts       print {"requests": n, "bytes": n} of what was requested since it was filled
    until PID DIRECTORY
                 outlive its parent, end with process PID, and remove DIRECTORY, which is empty then

and ends when that input closes.
"""

from __future__ import annotations

import json
import logging
import os
import select
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from . import dataset


class Counting:
    """A WSGI application around another: counts requests, and bytes of the bodies answered."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app, self._lock = app, threading.Lock()
        self.requests = self.bytes = 0

    def reset(self) -> None:
        with self._lock:
            self.requests = self.bytes = 0

    def counts(self) -> dict[str, int]:
        with self._lock:
            return {"requests": self.requests, "bytes": self.bytes}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        with self._lock:
            self.requests += 1
        for chunk in self._app(environ, start_response):
            with self._lock:
                self.bytes += len(chunk) if environ["REQUEST_METHOD"] != "HEAD" else 0
            yield chunk


def _fill(port: int) -> tuple[int, int]:
    """Put the dataset into the bucket. Returns how many objects and bytes that are."""
    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="demo",
        aws_secret_access_key="demo",
    )
    client.create_bucket(Bucket=dataset.BUCKET)
    objects = size = 0
    for key, body in dataset.files():
        client.put_object(Bucket=dataset.BUCKET, Key=key, Body=body, ACL="public-read")
        objects, size = objects + 1, size + len(body)
    client.close()
    return objects, size


def _print(message: dict[str, int]) -> None:
    print(json.dumps(message), flush=True)


def _wait_for_end(pid: int) -> None:
    """Wait until process `pid` has ended."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    select.select([fd], [], [])


def main() -> None:
    """Serve until told to end."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app = Counting(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    objects, size = _fill(server.server_port)
    app.reset()
    _print({"port": server.server_port, "objects": objects, "bytes": size})
    for line in sys.stdin:
        word, _, rest = line.strip().partition(" ")
        if word == "counts":
            _print(app.counts())
        elif word == "until":
            pid, _, directory = rest.partition(" ")
            _wait_for_end(int(pid))
            try:
                os.rmdir(directory)
            except OSError:
                pass  # somebody put something there
            break
    server.shutdown()


if __name__ == "__main__":
    main()

"""An S3 server whose quirks are switches, in a process of its own (`server_scripts/quirky_s3.py` lists them)."""

from __future__ import annotations

import base64
import json
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from .servers import SCRIPTS, START_S, script_server

# Of objects whose tests do not say when they were modified: 2020-09-13T12:26:40Z.
WHEN = 1_600_000_000


class Request(NamedTuple):
    """One request that the server got. `headers` with lower-case names; `at`: seconds since the epoch."""

    method: str
    target: str
    headers: dict[str, str]
    at: float


def thing(body: bytes, **more: Any) -> dict[str, Any]:
    """An object with these bytes; `more` as `buckets` of `quirky_s3.World` names it (mtime, etag, row, ...)."""
    return {"body": base64.b64encode(body).decode(), **more}


class Quirky:
    """A running server. `url`: its endpoint."""

    def __init__(self, url: str, control: str) -> None:
        self.url, self._control = url, control
        self._direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def switch(self, **switches: Any) -> None:
        """Set these switches, leave the others, and forget the requests so far. Raises HTTPError for an unknown one."""
        request = urllib.request.Request(self._control, json.dumps(switches).encode(), method="PUT")
        self._direct.open(request, timeout=START_S).close()

    def hold(self, objects: Mapping[str, bytes | dict[str, Any]], bucket: str = "bkt", **switches: Any) -> None:
        """Hold these objects (bytes, or a `thing`) in one bucket, all switches at their defaults but those given."""
        things = {key: thing(what) if isinstance(what, bytes) else what for key, what in objects.items()}
        self.switch(reset=True, buckets={bucket: things}, **switches)

    def log(self) -> list[Request]:
        """Every request since the last `hold` or `switch`."""
        with self._direct.open(self._control, timeout=START_S) as answer:
            return [Request(*row) for row in json.load(answer)]


@contextmanager
def quirky_server(tls: tuple[Path, Path] | None = None) -> Iterator[Quirky]:
    """A server that holds nothing yet; yields it. `tls`: (certificate, key) files."""
    with script_server(SCRIPTS / "quirky_s3.py", *(str(path) for path in tls or ())) as line:
        port, control = line.split()
        yield Quirky(f"{'https' if tls else 'http'}://127.0.0.1:{port}", f"http://127.0.0.1:{control}/")

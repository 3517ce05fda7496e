"""A proxy process between a mount and its S3 server, which counts what passes and can be told to misbehave.

    with proxied(moto_url) as proxy:
        proxy.rule("hold", path="/bucket/key")      # take the request, never answer
        proxy.requests()                            # what came, in order

It stands in a process of its own, like every server here: a page fault on a mapped file holds the
reader's GIL, and a proxy that lived in the reader's process could then never answer it.

The actions are told in proxy_server.py.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from . import proxy_server
from .children import killed_after
from .proxy_server import Request
from .waiting import PATIENCE_S, holds_within


class Proxy:
    """Steers a proxy process. `url` is what mounts are given."""

    def __init__(self, url: str, control: int) -> None:
        self.url, self._control = url, control

    def _ask(self, verb: str, **what: Any) -> Any:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self._control, timeout=20)) as c:
            c.request("POST", "/" + verb, json.dumps(what))
            return json.loads(c.getresponse().read())

    def rule(self, action: str, **conditions: Any) -> None:
        self._ask("rule", action=action, **conditions)

    def behave(self) -> None:
        """Withdraw every rule; what was held goes on."""
        self._ask("behave")

    def down(self) -> None:
        """Stop listening and cut every connection: the server is gone."""
        self._ask("down")

    def up(self) -> None:
        self._ask("up")

    def clear(self) -> None:
        self._ask("clear")

    def requests(self) -> list[Request]:
        return [Request(**r) for r in self._ask("requests")]

    def settled(self, quiet: float = 0.3) -> list[Request]:
        """The requests, once none is open and none came for `quiet` seconds: what is fetched ahead comes late.

        That nothing more comes cannot be awaited. A request that comes later still is missed, never invented.
        """
        end, before, since = time.monotonic() + PATIENCE_S, -1, time.monotonic()
        while time.monotonic() < end:
            now = self.requests()
            if len(now) != before or any(r.open for r in now):
                before, since = len(now), time.monotonic()
            elif time.monotonic() - since >= quiet:
                return now
            time.sleep(0.02)
        raise AssertionError(f"requests do not end: {self.requests()[-5:]}")

    def lists(self) -> list[Request]:
        return [r for r in self.requests() if r.is_list]

    def gets(self, path: str = "") -> list[Request]:
        """Requests for an object's bytes."""
        return [r for r in self.requests() if r.method == "GET" and not r.is_list and path in ("", r.path)]

    def await_request(self, fits: Callable[[Request], bool], seconds: float = PATIENCE_S) -> Request:
        """The first request that fits, as soon as it came. Raises AssertionError after `seconds`."""
        found: list[Request] = []

        def came() -> bool:
            found[:] = [r for r in self.requests() if fits(r)]
            return bool(found)

        assert holds_within(came, seconds, pause=0.02), f"no such request in {seconds} s; there were {self.requests()}"
        return found[0]


@contextlib.contextmanager
def proxied(upstream: str) -> Iterator[Proxy]:
    """A proxy process in front of the server at `upstream` (an http:// URL)."""
    parts = urlsplit(upstream)
    process = subprocess.Popen(
        [sys.executable, proxy_server.__file__, str(parts.hostname), str(parts.port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        with killed_after(PATIENCE_S, process):
            ports = json.loads(process.stdout.readline())
        yield Proxy(f"http://127.0.0.1:{ports['port']}", ports["control"])
    finally:
        process.kill()
        process.wait(10)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

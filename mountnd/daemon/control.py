"""The control socket: how `mountnd stats` and other verbs talk to a running mount. Its daemon's end; `ask` is theirs.

One request and one answer a connection, each a line of JSON: {"verb": "stats", ...} -> {"ok": ANYTHING}
or {"error": LINE}. The socket lies in the run directory, which nobody but its user (and root) may enter;
that is all the protection it has and needs.

While it is served, the socket and the mount's record are made anew when the run directory is removed.
"""

from __future__ import annotations

import json
import logging
import os
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import MountError, MountndError
from ..few_at_once import FewAtOnceMixIn
from ..threads import start
from . import mounts, rundir
from .ask import address_of, receive, request

__all__ = ["Handler", "request", "serving"]

log = logging.getLogger(__name__)

Handler = Callable[[dict[str, Any]], Any]

# A request is a verb and a path or two; anything longer is not ours.
_REQUEST_BYTES = 64 << 10
# Requests served at once; a thread and a descriptor each.
_AT_ONCE = 32
# A client has its request ready when it connects; one that is silent, or trickles, must not keep a thread for ever.
_REQUEST_S = 5.0
# How often a daemon looks whether its socket and its record are still there: two calls of stat(2).
CHECK_S = 0.5
# How soon the end of a mount is noticed.
_POLL_S = 0.2


class _RequestHandler(socketserver.StreamRequestHandler):
    timeout = _REQUEST_S
    server: _Server

    def handle(self) -> None:
        try:
            request = _parse(receive(self.connection, _REQUEST_BYTES, _REQUEST_S))
            handler = self.server.handlers.get(request["verb"])
            if handler is None:
                raise MountError(f"unknown request: there is no verb {request['verb'][:40]!r}")
        except MountndError as e:
            self._reply({"error": str(e)})
            return
        except OSError as e:
            self._reply({"error": f"unknown request: it did not come ({type(e).__name__})"})
            return
        try:
            self._reply({"ok": handler(request)})
        except MountndError as e:
            self._reply({"error": str(e)})
        except Exception as e:
            log.exception("control request %s", request["verb"])
            self._reply({"error": f"internal error: {type(e).__name__}: {e}"})

    def _reply(self, answer: Mapping[str, Any]) -> None:
        try:
            self.wfile.write(json.dumps(answer).encode() + b"\n")
        except OSError:
            pass  # the client did not wait


class _Server(FewAtOnceMixIn, socketserver.UnixStreamServer):
    request_queue_size = 128  # a full queue refuses at once; the default is 5
    timeout = _POLL_S
    at_once = _AT_ONCE

    def __init__(self, address: str, handlers: Mapping[str, Handler]) -> None:
        self.handlers = handlers
        super().__init__(address, _RequestHandler)

    def refuse(self, request: Any) -> None:
        with suppress(OSError):
            request.setblocking(False)
            request.send(b'{"error": "too many requests at once; try again"}\n')

    def get_request(self) -> tuple[Any, Any]:
        try:
            return super().get_request()
        except OSError:
            time.sleep(_POLL_S)  # no descriptor is free: the request waits, and asking at once again would be a loop
            raise

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("a control connection broke: %s", sys.exc_info()[1])


def _parse(line: bytes) -> dict[str, Any]:
    """A request: an object with a verb. Raises MountError."""
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        raise MountError("unknown request: it is not a line of JSON") from None
    if not isinstance(request, dict) or not isinstance(request.get("verb"), str):
        raise MountError("unknown request: it is not an object with a verb")
    return request


@contextmanager
def serving(
    mountpoint: Path, handlers: Mapping[str, Handler], tick: Callable[[], object] = lambda: None
) -> Iterator[None]:
    """Answer requests about the mount at `mountpoint` on threads of their own, until the end of the block.

    Args:
        handlers: by verb; each gets the request and returns what JSON can hold, or raises a MountndError
            whose text is for a person. Called from any thread, several at once.
        tick: called every CHECK_S, on a thread of its own; quick.
    """
    door, ended = _Door(mountpoint, handlers), threading.Event()
    door.open()

    def work() -> None:
        checked = time.monotonic()
        while not ended.is_set():
            try:
                door.answer()
                if time.monotonic() - checked >= CHECK_S:
                    checked = time.monotonic()
                    door.restore()
                    tick()
            except Exception:  # the mount must stay controllable
                log.exception("control")
                time.sleep(_POLL_S)

    thread = threading.Thread(target=work, name="control", daemon=True)
    start(thread)
    try:
        yield
    finally:
        ended.set()
        thread.join()
        door.close()


class _Door:
    """A mount's socket and record in the run directory; used by one thread at a time."""

    def __init__(self, mountpoint: Path, handlers: Mapping[str, Handler]) -> None:
        self._mountpoint, self._handlers = mountpoint, handlers
        self._record = rundir.find(mountpoint)  # claimed before it is served
        self._server: _Server | None = None
        self._path, self._inode = Path("/"), -1
        self._said = False

    def open(self) -> None:
        """Make the socket. Raises MountError, OSError."""
        place = rundir.run_dir()
        with address_of(self._mountpoint, place) as address:
            # Only a dead daemon's socket can be in the way: the mountpoint is claimed (rundir) before it is served.
            Path(address).unlink(missing_ok=True)
            self._server = _Server(address, self._handlers)
            self._path = place / os.path.basename(address)
            self._inode = os.stat(self._path).st_ino

    def answer(self) -> None:
        """Answer a request, or wait a moment for one."""
        if self._server is not None:
            self._server.handle_request()
        else:
            time.sleep(_POLL_S)

    def restore(self) -> None:
        """Write the record and make the socket again where they were removed, as long as the mount stands there."""
        record = self._record
        if record is None or (record.device and self._is_there() and rundir.is_recorded(self._mountpoint)):
            return
        try:
            if not record.device:
                mounted = mounts.mount_at(self._mountpoint)
                if mounted is None or mounted.fstype != mounts.FSTYPE:
                    return  # not yet
                self._record = record = replace(record, device=mounted.device)
                if self._is_there() and rundir.is_recorded(self._mountpoint):
                    return
            if not mounts.is_mounted(self._mountpoint, record.device):
                return  # no longer mounted: `umount --lazy` has removed the record, and there may be a new one
            recorded = rundir.find(self._mountpoint)
            if recorded is None or not recorded.alive():
                rundir.claim(record)
            elif recorded.pid != record.pid:
                return
            self.close()
            self.open()
        except (MountError, OSError) as e:
            if not self._said:
                log.warning("%s cannot be controlled until this is fixed: %s", self._mountpoint, e)
            self._said = True
        else:
            log.warning("the run directory was removed; this mount is in %s again", self._path.parent)
            self._said = False

    def close(self) -> None:
        """Remove the socket."""
        server, self._server = self._server, None
        if server is not None:
            server.server_close()
        if self._is_there():  # after a lazy unmount another daemon's may stand there
            with suppress(OSError):
                os.unlink(self._path)

    def _is_there(self) -> bool:
        try:
            return os.stat(self._path).st_ino == self._inode
        except OSError:
            return False

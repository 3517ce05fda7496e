"""The control socket: how `mountnd stats` and other verbs talk to a running mount.

One request and one answer a connection, each a line of JSON: {"verb": "stats", ...} -> {"ok": ANYTHING}
or {"error": LINE}. The socket lies in the run directory, which nobody but its user (and root) may enter;
that is all the protection it has and needs.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import socketserver
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import MountError, MountndError
from . import rundir

log = logging.getLogger(__name__)

Handler = Callable[[dict[str, Any]], Any]

# A request is a verb and a path or two; anything longer is not ours.
_REQUEST_BYTES = 64 << 10
# A client has its request ready when it connects; a silent one must not keep a thread for ever.
_REQUEST_S = 5.0


class _RequestHandler(socketserver.StreamRequestHandler):
    timeout = _REQUEST_S
    server: _Server

    def handle(self) -> None:
        try:
            line = self.rfile.readline(_REQUEST_BYTES)
            request = json.loads(line)
            handler = self.server.handlers[request["verb"]]
        except (OSError, ValueError, KeyError, TypeError) as e:
            self._reply({"error": f"unknown request ({type(e).__name__}: {e})"})
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


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 128  # a full queue refuses at once; the default is 5
    block_on_close = False  # a handler that waits for the network must not hold up the unmount

    def __init__(self, address: str, handlers: Mapping[str, Handler]) -> None:
        self.handlers = handlers
        super().__init__(address, _RequestHandler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("a control connection broke: %s", sys.exc_info()[1])


@contextmanager
def _address(mountpoint: Path, place: Path) -> Iterator[str]:
    """An address of the mount's socket in the run directory `place`; by a descriptor, for a path may have 107 bytes."""
    fd = os.open(place, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}/{rundir.stem(mountpoint)[-8:]}.sock"
    finally:
        os.close(fd)


@contextmanager
def serving(mountpoint: Path, handlers: Mapping[str, Handler]) -> Iterator[None]:
    """Answer requests about the mount at `mountpoint` on threads of their own, until the end of the block.

    Args:
        handlers: by verb; each gets the request and returns what JSON can hold, or raises a MountndError
            whose text is for a person. Called from any thread, several at once.
    """
    with _address(mountpoint, rundir.run_dir()) as address:
        # Only a dead daemon's socket can be in the way: the mountpoint is claimed (rundir) before it is served.
        Path(address).unlink(missing_ok=True)
        server = _Server(address, handlers)
        inode = os.stat(address).st_ino
        thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.2}, name="control", daemon=True
        )
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            try:
                if os.stat(address).st_ino == inode:  # after a lazy unmount another daemon's may stand there
                    os.unlink(address)
            except FileNotFoundError:
                pass


def request(mountpoint: Path, verb: str, *, seconds: float = 60.0, **arguments: Any) -> Any:
    """Send a request to the daemon of the mount at `mountpoint` (resolved) and return its answer.

    Raises MountError: no mount of this user there, no answer within `seconds`, or the daemon's own refusal.
    """
    record = rundir.find(mountpoint)
    if record is None or not record.alive():
        raise MountError(f"{mountpoint} is not a mount of yours (mountnd doctor lists them).")
    for place in rundir.candidates(os.environ, os.getuid()):
        if not place.is_dir():
            continue
        try:
            with _address(mountpoint, place) as address, socket.socket(socket.AF_UNIX) as s:
                s.settimeout(seconds)
                s.connect(address)
                with s.makefile("rwb") as stream:
                    stream.write(json.dumps({**arguments, "verb": verb}).encode() + b"\n")
                    stream.flush()
                    return _parse_reply(mountpoint, stream.readline())
        except (FileNotFoundError, ConnectionRefusedError):
            continue
        except TimeoutError:
            raise MountError(f"{mountpoint}: its daemon (pid {record.pid}) does not answer.") from None
        except OSError as e:
            raise MountError(f"{mountpoint}: its daemon (pid {record.pid}) cannot be reached: {e.strerror}.") from e
    raise MountError(f"{mountpoint}: its daemon (pid {record.pid}) has no control socket.")


def _parse_reply(mountpoint: Path, line: bytes) -> Any:
    if not line:
        raise MountError(f"{mountpoint}: its daemon ended without an answer.")
    answer = json.loads(line)
    if "error" in answer:
        raise MountError(f"{mountpoint}: {answer['error']}")
    return answer["ok"]

"""Who uses a mount that several processes share: it ends with the last of them, however that one ended.

The daemon counts, since it alone sees all of them: each process says through the control socket that it holds the
mount, and that it leaves. One that is killed says nothing: its pidfd tells. `api/sharing.py` is the other side.
"""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, NamedTuple

from ..config.options import MountConfig
from ..errors import MountError
from ..redaction import redacted
from . import control, record

log = logging.getLogger(__name__)

# Verbs of the control socket.
HOLD, LEAVE = "hold", "leave"
# What the answer to HOLD says: it is held; others hold it, and it shows something else; it is about to end. And of a
# mount that nobody counts for: it shows what is wanted, and may be used; it shows something else.
HELD, OTHER, ENDING, UNSHARED, TAKEN = "held", "other", "ending", "unshared", "taken"
# How long the last one, who unmounts, may take for that.
_UNMOUNTING_S = 30.0


class Holder(NamedTuple):
    """A process that uses a mount.

    Attributes:
        pid, started: as in `record.Record`.
        name: tells holds of one process from each other.
    """

    pid: int
    started: int
    name: str


def identity(config: MountConfig) -> str:
    """The sources of a configuration and how they are asked, as text: mounts of the same are interchangeable. Pure."""
    return json.dumps([asdict(source) for source in config.sources], default=str, sort_keys=True)


def shown(config: MountConfig) -> str:
    """The sources of a configuration, for a person. Pure."""
    return ", ".join(redacted(source.url) or str(source.urls) for source in config.sources)


class NoHolders:
    """Of a mount that whoever made it will end. `config`: what is mounted."""

    def __init__(self, config: MountConfig) -> None:
        self._identity, self._shown = identity(config), shown(config)

    @property
    def handlers(self) -> Mapping[str, control.Handler]:
        """For `control.serving`."""
        return {HOLD: self.hold}

    def hold(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """A process wants to hold the mount: it may be used, and stays or goes as its maker wants."""
        return {"is": UNSHARED if request.get("identity") == self._identity else TAKEN, "shown": self._shown}

    def look(self) -> None:
        """There is nobody to look at."""


class Holders(NoHolders):
    """Those of one mount; the first one is given. Thread-safe.

    Args:
        config: what is mounted.
        end: ends the mount; called once, when no holder is left, on the thread that calls `look`.

    Raises MountError where the first one is gone already.
    """

    def __init__(self, config: MountConfig, first: Holder, end: Callable[[], object] | None = None) -> None:
        super().__init__(config)
        self._end = end or _terminate
        self._lock = threading.Lock()  # leaf lock
        self._names: dict[int, set[str]] = {}  # by pidfd
        self._pidfds: dict[tuple[int, int], int] = {}
        self._poll = select.poll()
        self._ending_by = 0.0
        self._ended = False
        self._add(first)

    @property
    def handlers(self) -> Mapping[str, control.Handler]:
        return {HOLD: self.hold, LEAVE: self.leave}

    def hold(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """A process wants to hold the mount. Raises MountError."""
        holder = _holder(request)
        with self._lock:
            if self._ending_by:
                return {"is": ENDING}
            if request.get("identity") != self._identity:
                return {"is": OTHER, "shown": self._shown}
            self._add(holder)
            return {"is": HELD}

    def leave(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """A process leaves. "left": how many still hold it; the last one has to unmount, and nobody can hold it from
        then on. Raises MountError."""
        holder = _holder(request)
        with self._lock:
            pidfd = self._pidfds.get((holder.pid, holder.started))
            if pidfd is None or holder.name not in self._names[pidfd]:
                return {"left": self._count()}
            self._names[pidfd].remove(holder.name)
            left = self._count()
            if not left:
                # It is watched on: where it ends without having unmounted, the daemon does.
                self._ending_by = time.monotonic() + _UNMOUNTING_S
            elif not self._names[pidfd]:
                self._forget(pidfd)
            return {"left": left}

    def look(self) -> None:
        """See who has ended, and end the mount when nobody is left. To be called now and then; does not wait."""
        with self._lock:
            for pidfd, _ in self._poll.poll(0):
                self._forget(pidfd)
            late = self._ending_by and time.monotonic() > self._ending_by
            if self._ended or (self._pidfds and not late):
                return
            self._ended, self._ending_by = True, self._ending_by or time.monotonic()
        log.info("no process holds this mount any more")
        self._end()

    def _count(self) -> int:
        return sum(map(len, self._names.values()))

    def _add(self, holder: Holder) -> None:
        key = holder.pid, holder.started
        if (pidfd := self._pidfds.get(key)) is None:
            try:
                pidfd = os.pidfd_open(holder.pid)
            except OSError as e:
                raise MountError(f"process {holder.pid}, which wants to use it, cannot be seen: {e.strerror}") from e
            if record.started(holder.pid) != holder.started:  # asked when the pidfd is there: it is of that process
                os.close(pidfd)
                raise MountError(
                    f"process {holder.pid}, which wants to use it, is another one here; does it run in a container?"
                )
            self._pidfds[key], self._names[pidfd] = pidfd, set()
            self._poll.register(pidfd, select.POLLIN)
        self._names[pidfd].add(holder.name)

    def _forget(self, pidfd: int) -> None:
        self._poll.unregister(pidfd)
        os.close(pidfd)
        del self._names[pidfd]
        self._pidfds = {key: value for key, value in self._pidfds.items() if value != pidfd}


def _holder(request: Mapping[str, Any]) -> Holder:
    """The holder that a request names. Raises MountError."""
    try:
        pid, started, name = request["holder"]
    except (KeyError, TypeError, ValueError):
        raise MountError("unknown request: it names no holder") from None
    if not (type(pid) is type(started) is int and 0 < pid < 1 << 31 and isinstance(name, str)):
        raise MountError("unknown request: it names no holder")
    return Holder(pid, started, name[:100])


def _terminate() -> None:
    """The end of this process's mount, as by `kill`: gone at once, what is open can be read on for some seconds."""
    os.kill(os.getpid(), signal.SIGTERM)

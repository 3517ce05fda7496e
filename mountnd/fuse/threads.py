"""The threads that serve the kernel: whoever waits for the network is stood in for, so that some always listen.

A request of the kernel occupies a thread until it is answered. With all of them waiting nobody would read the next one:
no name that is known, no byte that is cached, and no word that a waiting program was killed. So `BASE` threads run
libfuse's loop for the whole life of a mount, and a thread that is about to wait makes another one where fewer than
`SPARE` would be left. Those extra ones run the same loop from Python, which costs each request some microseconds, and
end when there are more than enough.

All threads are made before the mount is: a limit of threads or processes then ends a start without a dead mount.

Lock order: `LoopThreads._lock` is a leaf.
"""

from __future__ import annotations

import ctypes
import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from types import TracebackType

from ..errors import MountError
from ..threads import start
from . import binding, kernel

log = logging.getLogger(__name__)

# As many as wait in a busy hour without that any need be made; an idle one costs a stack that is never touched.
BASE = 64
# Threads that must be left to listen; between it and the second number extra ones stay, so that none is made and ended
# for each read.
SPARE, SPARE_MAX = 16, 32
# More than the kernel sends of readahead, so that look-ups and signals always come through. Some 60 KB each.
MOST = kernel.MAX_BACKGROUND + 1_024


class LoopThreads:
    """A mount's threads, as a context for the time that one of them waits (`with threads.waiting():`).

    Args:
        base, spare, spare_max, most: see the constants.
    """

    def __init__(self, *, base: int = BASE, spare: int = SPARE, spare_max: int = SPARE_MAX, most: int = MOST) -> None:
        self._base, self._spare, self._spare_max, self._most = base, spare, spare_max, most
        self._lock = threading.Lock()
        self._threads = self._waiting = self._made = 0
        self._go, self._ended = threading.Event(), threading.Event()
        self._session: ctypes.c_void_p | None = None
        self._told = False
        self._context = _Waiting(self)

    def make(self) -> None:
        """Make the threads; they do nothing until `serve`. Raises MountError where the system does not grant them."""
        for _ in range(self._base):
            try:
                with self._lock:
                    name = self._count_in()
                self._start(name, self._run_base)
            except MountError:
                self.serve(None)
                raise

    def serve(self, session: ctypes.c_void_p | None) -> None:
        """Let them serve a session; None: they end."""
        self._session = session
        self._go.set()

    def join(self, seconds: float) -> bool:
        """Wait so long for all to end; whether they have."""
        return self._ended.wait(seconds)

    def waiting(self) -> AbstractContextManager[None]:
        """A context in which this thread waits for the network. On a thread that serves nobody it does nothing."""
        return self._context if binding.is_serving() else nullcontext()

    def poll(self) -> None:
        """Make those that are missing: a limit that was reached may have passed. Cheap when none are."""
        if self._threads - self._waiting < self._spare:
            self._stand_in()

    def began_to_wait(self) -> None:
        with self._lock:
            self._waiting += 1
            enough = self._threads - self._waiting >= self._spare
        if not enough:
            self._stand_in()

    def ended_to_wait(self) -> None:
        with self._lock:
            self._waiting -= 1

    def _stand_in(self) -> None:
        with self._lock:
            session = self._session
            if self._threads - self._waiting >= self._spare or self._threads >= self._most or session is None:
                return
            name = self._count_in()  # in the same breath: who joins must not miss it, and free the session
        try:
            self._start(name, partial(self._run_extra, session))
        except MountError as e:
            if not self._told:
                self._told = True
                log.warning("programs that wait for the network hold up others: %s", e)

    def _count_in(self) -> str:
        self._threads += 1
        self._made += 1
        return f"fuse-{self._made}"

    def _start(self, name: str, run: Callable[[], None]) -> None:
        try:
            start(threading.Thread(target=run, name=name, daemon=True))
        except MountError:
            self._gone()
            raise

    def _gone(self) -> None:
        with self._lock:
            self._count_out()

    def _count_out(self) -> None:
        self._threads -= 1
        if not self._threads:
            self._session = None  # whoever joins frees it
            self._ended.set()

    def _run_base(self) -> None:
        self._go.wait()
        session = self._session
        try:
            if session is not None:
                binding.serve_requests(session)
        finally:
            self._gone()

    def _run_extra(self, session: ctypes.c_void_p) -> None:
        counted = True

        def wanted() -> bool:
            nonlocal counted
            with self._lock:
                if self._threads - self._waiting <= self._spare_max:
                    return True
                counted = False  # at once: else several would leave for one that is too many
                self._count_out()
                return False

        try:
            binding.serve_requests_while(session, wanted)
        finally:
            if counted:
                self._gone()


class _Waiting:
    """See `LoopThreads.waiting`; one for all threads."""

    def __init__(self, threads: LoopThreads) -> None:
        self._threads = threads

    def __enter__(self) -> None:
        self._threads.began_to_wait()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._threads.ended_to_wait()

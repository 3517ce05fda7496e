"""One mount's life: fuse_new, mount, threads, unmount.

Python threads each run libfuse's single-threaded loop (`threads.py`): three times the rate of small reads of libfuse's
own pool, whose threads make a new Python thread state for each call; and any number of them on any libfuse 3.
The main thread stays in Python, so that signals are handled at once.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import struct
import threading
import time
from collections.abc import Callable

import mfusepy

from .. import descriptors, fusermount
from ..errors import MountError
from ..vfs.tree import Vfs
from . import binding, kernel
from .checked_operations import CheckedOperations
from .operations import Operations
from .threads import LoopThreads

log = logging.getLogger(__name__)

# After a signal the mount goes at once for new look-ups; programs that still have files open get this long.
GRACE_S = 5.0
# Sessions whose loops are still inside libfuse, and call back: what those use must live as long as the process.
_abandoned: list[Session] = []
_INIT = 26  # FUSE_INIT in linux/fuse.h


def mount_options(*, fsname: str, allow_other: bool) -> str:
    """The `-o` options of every mount; a comma or backslash in the name is escaped as libfuse wants."""
    name = fsname.replace("\\", "\\\\").replace(",", "\\,")
    options = ["ro", "nosuid", "nodev", "default_permissions", "subtype=mountnd", f"fsname={name}"]
    return ",".join(options + ["allow_other"] * allow_other)


class Session:
    """A vfs on a mountpoint.

    Args:
        mountpoint: an existing empty directory, absolute.
        fsname: what df and /proc/mounts show as the device.
        timeout: seconds the kernel may keep entries, attributes and absences. Long ones are for kernels that can be
            told to forget them (`kernel.forgets_names`).
        threads: what serves it; whoever waits for the network on one of them says so there.
        is_there: whether it is this mount that stands at the mountpoint, and not a later one.
        busy: says that programs still use the mount, after the first SIGINT; only a second one then takes it away.
            None: the first does.
        make_room: ends threads and the like that are not needed to unmount, where a limit stands in the way.
        handed_over: the mountpoint is `/dev/fd/N`, a FUSE device that somebody else has mounted, and will unmount.
        stopping: told when the end begins.
    """

    def __init__(
        self,
        vfs: Vfs,
        mountpoint: str,
        *,
        fsname: str,
        allow_other: bool,
        timeout: float,
        threads: LoopThreads,
        is_there: Callable[[], bool] = lambda: True,
        busy: Callable[[], object] | None = None,
        make_room: Callable[[], object] = lambda: None,
        handed_over: bool = False,
        stopping: Callable[[], object] = lambda: None,
    ) -> None:
        self._mountpoint, self._timeout, self._is_there = mountpoint, timeout, is_there
        self._threads, self._make_room, self._busy = threads, make_room, busy
        self._handed_over, self._stopping = handed_over, stopping
        self._invalidator = kernel.Invalidator()
        self._ready = threading.Event()
        self._stop_by, self._unmounted = float("inf"), False
        operations = (CheckedOperations if handed_over else Operations)(vfs, self._invalidator)
        self.refresh = operations.refresh
        self._callbacks = binding.callbacks({**operations.table(), "init": self._init})
        self._fuse = binding.fuse_new(mount_options(fsname=fsname, allow_other=allow_other), self._callbacks)

    def run(self, ready: Callable[[], None]) -> None:
        """Mount, call `ready` once the kernel has been answered, and return when it is unmounted.

        SIGTERM, SIGINT and SIGHUP unmount when this runs in the main thread. Raises MountError.
        """
        self._make_threads()
        if binding.lib.fuse_mount(self._fuse, os.fsencode(self._mountpoint)):
            self._threads.serve(None)
            binding.lib.fuse_destroy(self._fuse)
            raise MountError(f"cannot mount on {self._mountpoint}: see the line above, or run: mountnd doctor")
        try:
            self._serve(ready)
        except BaseException:
            self._unmount()  # not to leave a mount that nobody serves
            raise
        if not (self._threads.join(0) and self._invalidator.stop()):
            _abandoned.append(self)
            return
        binding.lib.fuse_unmount(self._fuse)
        binding.lib.fuse_destroy(self._fuse)

    @property
    def is_left(self) -> bool:
        """Whether `run` has returned, and the mount could not be ended: no process more is granted to do it."""
        return self in _abandoned and not self._unmounted and self._is_ours()

    def stop(self) -> None:
        """Unmount lazily: gone at once for new look-ups, and the loops end with the last open file.

        Not fuse_session_exit(): libfuse then drops the request that a blocked read(2) returns next, and its
        reader hangs in D state. After GRACE_S `run` returns all the same, for the caller to
        clean up and end the process; the kernel then aborts what is left. Of a mount that somebody else has made only
        that is done, and at once.
        """
        if self._stop_by == float("inf"):
            log.info("unmounting %s", self._mountpoint)
            self._stopping()
            self._stop_by = time.monotonic() + (0.0 if self._handed_over else GRACE_S)
            self._unmount()

    def _interrupt(self) -> None:
        """Unmount as `umount` does. A busy mount refuses that: `busy` says so, and the next time it goes lazily."""
        busy, self._busy = self._busy, None
        if busy is None or self._stop_by != float("inf"):
            self.stop()
            return
        try:
            complaint = descriptors.opening(lambda: fusermount.unmount(self._mountpoint))
        except OSError:
            self.stop()
            return
        if complaint and self._is_ours():
            busy()
        else:
            self._stopping()
            self._unmounted, self._stop_by = True, time.monotonic() + GRACE_S

    def _make_threads(self) -> None:
        """All of them before there is a mount: where the system grants too few, none is left behind."""
        try:
            self._invalidator.start()
            self._threads.make()
        except MountError:
            binding.lib.fuse_destroy(self._fuse)
            raise

    def _serve(self, ready: Callable[[], None]) -> None:
        session = ctypes.c_void_p(binding.lib.fuse_get_session(self._fuse))
        if self._handed_over:
            kernel.await_mount(binding.lib.fuse_session_fd(session))
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, lambda *_: self.stop())
            signal.signal(signal.SIGINT, lambda *_: self._interrupt())
        self._invalidator.serve(self._fuse, binding.lib.fuse_session_fd(session))
        if binding.MINOR < 17:
            _answer_init(session)
        self._threads.serve(session)
        if self._ready.wait(10):
            if not self._handed_over:
                kernel.read_ahead(self._mountpoint)
            ready()
        while not self._threads.join(0.2):
            if time.monotonic() > self._stop_by:
                return
            if self._stop_by != float("inf"):
                self._unmount()

    def _unmount(self) -> None:
        """Unmount, if that is not done; where descriptors, threads or processes have run out, without them."""
        self._unmounted = self._unmounted or self._handed_over or not self._is_ours()
        if self._unmounted:
            return
        try:
            complaint = descriptors.opening(lambda: fusermount.unmount(self._mountpoint, lazy=True))
            if complaint:  # it may be gone already
                log.debug("fusermount3: %s", complaint)
            self._unmounted = not complaint or not self._is_ours()
        except OSError as e:
            log.debug("fusermount3 cannot be run: %s", e)
            self._make_room()
            self._unmounted = fusermount.detach(self._mountpoint)

    def _is_ours(self) -> bool:
        try:
            return self._is_there()
        except OSError:
            return True

    def _init(self, conn: int, config: int) -> None:
        kernel.tune(conn, config, self._timeout)
        self._ready.set()


def _answer_init(session: ctypes.c_void_p) -> None:
    """Let the kernel send look-ups and readdirs of one directory side by side (FUSE_PARALLEL_DIROPS).

    libfuse before 3.17 never passes that flag on, so a slow listing would hold up every look-up beside it.
    Before any loop runs, libfuse answers INIT into a pipe, the flag is added, and the answer goes to the kernel.
    """
    fd = binding.lib.fuse_session_fd(session)
    request = bytearray(1 << 17)
    length = os.readv(fd, [request])
    opcode = struct.unpack_from("<I", request, 4)[0]
    offered = struct.unpack_from("<I", request, 52)[0]
    memory = (ctypes.c_char * len(request)).from_buffer(request)
    buf = mfusepy.fuse_buf()
    buf.size, buf.mem = length, ctypes.addressof(memory)
    if opcode != _INIT:
        binding.lib.fuse_session_process_buf(session, ctypes.byref(buf))
        return
    real = os.dup(fd)
    out, into = os.pipe()
    try:
        os.dup2(into, fd, inheritable=False)
        binding.lib.fuse_session_process_buf(session, ctypes.byref(buf))
        reply = bytearray(os.read(out, 4096))
    finally:
        os.dup2(real, fd, inheritable=False)
    if len(reply) >= 32 and struct.unpack_from("<i", reply, 4)[0] == 0:
        flags = struct.unpack_from("<I", reply, 28)[0] | (offered & binding.CAP_PARALLEL_DIROPS)
        struct.pack_into("<I", reply, 28, flags)
    os.write(fd, reply)
    for end in (real, out, into):
        os.close(end)

"""One mount's life: fuse_new, mount, threads, unmount.

N Python threads each run libfuse's single-threaded loop: three times the rate of small reads of libfuse's own
pool, whose threads make a new Python thread state for each call; and any number of them on any libfuse 3.
The main thread stays in Python, so that signals are handled at once.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import struct
import threading
from collections.abc import Callable

import mfusepy

from .. import fusermount
from ..errors import MountError
from ..vfs.tree import Vfs
from . import binding, kernel
from .operations import Operations

log = logging.getLogger(__name__)

# More than MAX_BACKGROUND (see kernel.py); an idle one costs a stack that is never touched.
THREADS = kernel.MAX_BACKGROUND + 16
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
        is_there: whether it is this mount that stands at the mountpoint, and not a later one.
    """

    def __init__(
        self,
        vfs: Vfs,
        mountpoint: str,
        *,
        fsname: str,
        allow_other: bool,
        timeout: float,
        is_there: Callable[[], bool] = lambda: True,
    ) -> None:
        self._mountpoint, self._timeout, self._is_there = mountpoint, timeout, is_there
        self._invalidator = kernel.Invalidator()
        self._ready, self._given_up = threading.Event(), threading.Event()
        operations = Operations(vfs, self._invalidator)
        self.refresh = operations.refresh
        self._callbacks = binding.callbacks({**operations.table(), "init": self._init})
        self._fuse = binding.fuse_new(mount_options(fsname=fsname, allow_other=allow_other), self._callbacks)
        self._session: ctypes.c_void_p | None = None

    def run(self, ready: Callable[[], None]) -> None:
        """Mount, call `ready` once the kernel has been answered, and return when it is unmounted.

        SIGTERM, SIGINT and SIGHUP unmount when this runs in the main thread. Raises MountError.
        """
        if binding.lib.fuse_mount(self._fuse, os.fsencode(self._mountpoint)):
            binding.lib.fuse_destroy(self._fuse)
            raise MountError(f"cannot mount on {self._mountpoint}: see the line above, or run: mountnd doctor")
        self._session = ctypes.c_void_p(binding.lib.fuse_get_session(self._fuse))
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, lambda *_: self.stop())
        self._invalidator.start(self._fuse, binding.lib.fuse_session_fd(self._session))
        if binding.MINOR < 17:
            _answer_init(self._session)
        threads = [
            threading.Thread(target=binding.serve_requests, args=(self._session,), name=f"fuse-{i}", daemon=True)
            for i in range(THREADS)
        ]
        for thread in threads:
            thread.start()
        if self._ready.wait(10):
            kernel.read_ahead(self._mountpoint)
            ready()
        for thread in threads:
            while thread.is_alive() and not self._given_up.is_set():
                thread.join(0.5)
        if self._given_up.is_set():
            _abandoned.append(self)
            return
        self._invalidator.stop()
        binding.lib.fuse_unmount(self._fuse)
        binding.lib.fuse_destroy(self._fuse)

    def stop(self) -> None:
        """Unmount lazily: gone at once for new look-ups, and the loops end with the last open file.

        Not fuse_session_exit(): libfuse then drops the request that a blocked read(2) returns next, and its
        reader hangs in D state. After GRACE_S `run` returns all the same, for the caller to
        clean up and end the process; the kernel then aborts what is left.
        """
        log.info("unmounting %s", self._mountpoint)
        if self._is_there() and (complaint := fusermount.unmount(self._mountpoint, lazy=True)):
            log.debug("fusermount3: %s", complaint)  # it may be gone already
        timer = threading.Timer(GRACE_S, self._given_up.set)
        timer.daemon = True
        timer.start()

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

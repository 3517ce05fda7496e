"""What the kernel is asked to cache, and how it is told to forget."""

from __future__ import annotations

import ctypes
import logging
import os
import queue
import re
import select
import signal
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

from ..errors import MountError
from ..threads import start
from ..vfs.inodes import Attributes
from . import binding

log = logging.getLogger(__name__)

# Background (readahead) requests the kernel may have under way; the others of all programs wait behind them. No signal
# is told for these, so a thousand programs that wait for a silent server must leave room. (Without privileges the
# kernel grants as many as /proc/sys/fs/fuse/max_user_bgreq says: 700 where there are 2 GB of memory.)
MAX_BACKGROUND = 3_072
# 1 MiB windows: 3.4 GB/s from memory against 2.3 with the kernel's 128 KiB (measured). Only root may set it.
READ_AHEAD_KB = 1024
# FUSE_NOTIFY_INC_EPOCH of linux/fuse.h, in kernels from 6.16 on.
_NOTIFY_INC_EPOCH, _EPOCH_SINCE = 8, (6, 16)
# How long whoever has opened the device may take to mount it.
_MOUNTED_S = 10.0
# An absence is kept no longer than so many seconds, whatever the time-out: it ends when other keys see more, and then
# nobody tells the kernel. To be asked again costs microseconds: the daemon knows what it has been told.
ABSENT_S = 1.0
# Inodes in a generation of `AttributesTold`, some 200 bytes each.
TOLD = 16_384


def tune(conn_address: int, config_address: int, timeout: float) -> None:
    """Answer INIT: time-outs of entries and attributes in seconds, inode numbers of our own.

    They are one number for the whole mount in high-level libfuse and come on top of a listing's age.
    Layouts move between minor versions of libfuse 3; the fields set here lie before the first that moved.
    """
    conn = binding.ConnInfo.from_address(conn_address)
    config = binding.FuseConfig.from_address(config_address)
    config.attr_timeout = config.entry_timeout = timeout
    config.negative_timeout = min(timeout, ABSENT_S)
    config.use_ino = 1
    config.nullpath_ok = 1
    config.kernel_cache = 0  # whether pages are kept is said at each open
    conn.max_background = conn.congestion_threshold = MAX_BACKGROUND
    conn.max_readahead = 1 << 30
    # Requests of a read-only tree are short, so libfuse would take them out of its pipe again; and it would hold a
    # pipe for each thread, twice as many descriptors as `ulimit -n 64` allows.
    conn.want &= ~binding.CAP_SPLICE_READ
    if binding.MINOR >= 17:
        conn.want |= binding.CAP_PARALLEL_DIROPS  # older ones never pass it on: session.py answers by hand
        # There libfuse drops FUSE_INTERRUPT unless this is set; it installs a handler for the signal itself.
        config.intr, config.intr_signal = 1, signal.SIGRTMIN + 3


def read_ahead(mountpoint: str) -> None:
    """Let the kernel read 1 MiB ahead instead of 128 KiB, where we are root."""
    try:
        device = os.stat(mountpoint).st_dev
        with open(f"/sys/class/bdi/{os.major(device)}:{os.minor(device)}/read_ahead_kb", "w") as f:
            f.write(str(READ_AHEAD_KB))
    except OSError as e:
        log.debug("read_ahead_kb stays as it is: %s", e)


def await_mount(device: int) -> None:
    """Wait until the FUSE device that somebody else has opened is mounted. Raises MountError after some seconds."""
    poll, end = select.poll(), time.monotonic() + _MOUNTED_S
    poll.register(device, select.POLLOUT)
    while any(event & select.POLLERR for _, event in poll.poll(0)):  # it belongs to no mount
        if time.monotonic() > end:
            raise MountError(f"/dev/fd/{device}: nothing is mounted with it; its opener has to call mount(2)")
        time.sleep(0.05)


def forgets_names(release: str) -> bool:
    """Whether a kernel (`release` as in uname) drops all names of a mount when it is told to
    (`Invalidator.drop_all_names`).

    High-level libfuse offers nothing of the kind, so elsewhere names must not be given for long.
    """
    numbers = re.match(r"(\d+)\.(\d+)", release)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) >= _EPOCH_SINCE


class AttributesTold:
    """The attributes the kernel was told of inodes lately, which it believes until their time-out.

    A file that is opened at another size than the kernel believes would be cut off or padded there. Entries are
    forgotten a generation at a time; what is forgotten counts as unknown.
    """

    def __init__(self) -> None:
        self._new: dict[int, Attributes] = {}
        self._old: dict[int, Attributes] = {}

    def put(self, attributes: Attributes) -> None:
        if len(self._new) >= TOLD:
            self._old, self._new = self._new, {}
        self._new[attributes.ino] = attributes

    def knows(self, attributes: Attributes) -> bool:
        """Whether exactly this is what the kernel was told last."""
        ino = attributes.ino
        return (self._new.get(ino) or self._old.get(ino)) == attributes


# How long the end of a session waits for a call into libfuse that is under way.
STOP_S = 5.0


class Invalidator:
    """Tells the kernel to drop pages and attributes of a path, from a thread of its own: doing it inside a
    callback can deadlock against a read of the same inode."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[tuple[bytes, threading.Event] | None] = queue.SimpleQueue()
        self._call: Callable[[bytes], Any] | None = None
        self._device = -1
        self._thread = threading.Thread(target=self._work, name="invalidate", daemon=True)

    def start(self) -> None:
        """Make the thread. Raises MountError where the system grants none."""
        start(self._thread)

    def serve(self, fuse: ctypes.c_void_p, device: int) -> None:
        """Before anything is to be dropped. `device`: the session's descriptor of /dev/fuse."""
        self._call, self._device = lambda path: binding.lib.fuse_invalidate_path(fuse, path), device

    def drop(self, path: bytes, *, wait: float = 0.0) -> None:
        """Soon: drop what the kernel keeps of `path`. A path it does not know is no error.

        `wait`: seconds to wait at most until it is done.
        """
        done = threading.Event()
        self._queue.put((path, done))
        if wait:
            done.wait(wait)

    def drop_all_names(self) -> None:
        """At once: have the kernel look every name up anew, present or absent, where it `forgets_names`."""
        if forgets_names(os.uname().release):
            try:
                os.write(self._device, struct.pack("<IiQ", 16, _NOTIFY_INC_EPOCH, 0))
            except OSError as e:
                log.debug("the kernel keeps its names: %s", e)

    def stop(self) -> bool:
        """End. Whether no call into libfuse is under way when it returns: only then may the session be freed."""
        self._device = -1  # the number may be another file's soon
        self._queue.put(None)
        if self._thread.is_alive():
            self._thread.join(STOP_S)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while (asked := self._queue.get()) is not None:
            assert self._call is not None
            path, done = asked
            self._call(path)
            done.set()

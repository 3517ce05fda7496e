"""mfusepy's libfuse 3 as this room uses it: prototypes, struct layouts, the callback table.

mfusepy loads the library and knows its structs by version; its `FUSE` class is not used, because it sits
in C's own loop, never sends attributes with directory entries, and copies each read once more. What was
measured for that, and the traps, are in the comments below.
"""

from __future__ import annotations

import ctypes
import errno
import logging
import os
import struct
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import MountError
from .errnos import errno_of, expected

# find_library("fuse") would take libfuse 2 where both are installed.
os.environ.setdefault("FUSE_LIBRARY_NAME", "fuse3")
try:
    import mfusepy
except (ImportError, OSError, AttributeError) as e:
    raise MountError("libfuse 3 is not installed. Install it: sudo apt-get install fuse3 libfuse3-3") from e
if mfusepy.fuse_version_major != 3:
    raise MountError("libfuse 3 is needed, and an older one was found. Install it: sudo apt-get install fuse3")

log = logging.getLogger(__name__)
lib: Any = mfusepy._libfuse
MINOR: int = mfusepy.fuse_version_minor

lib.fuse_get_session.restype = ctypes.c_void_p
lib.fuse_get_session.argtypes = [ctypes.c_void_p]
lib.fuse_mount.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
for _name in ("fuse_unmount", "fuse_destroy", "fuse_session_loop", "fuse_session_fd"):
    getattr(lib, _name).argtypes = [ctypes.c_void_p]
lib.fuse_invalidate_path.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
lib.fuse_session_process_buf.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
lib.fuse_session_receive_buf.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
lib.fuse_get_context.restype = ctypes.POINTER(mfusepy.fuse_context)
# Without releasing the interpreter: they take less time than that, and a thousand are asked for in a row.
_quick = ctypes.PyDLL(lib._name, handle=lib._handle)
_is_interrupted, _context = _quick.fuse_req_interrupted, _quick.fuse_get_context
_is_interrupted.argtypes, _context.restype = [ctypes.c_void_p], ctypes.c_void_p
_PID_OFFSET: int = mfusepy.fuse_context.pid.offset
_free = ctypes.CDLL(None).free
_free.argtypes = [ctypes.c_void_p]

_serving = threading.local()

CAP_SPLICE_READ = 1 << 9
CAP_PARALLEL_DIROPS = 1 << 18
FILL_DIR_PLUS = 2
READDIR_PLUS = 1

FileInfo = mfusepy.fuse_file_info
FH_OFFSET: int = FileInfo.fh.offset
fh_at = ctypes.c_uint64.from_address

# struct stat on x86-64 Linux, 144 bytes of which the first 120 carry what we set; see fill_stat.
_STAT = struct.Struct("=QQQIIIiQqqqqqqqqq")
_X86_64: bool = mfusepy._machine == "x86_64"


def version() -> str:
    """libfuse's version, such as "3.14.0"."""
    lib.fuse_pkgversion.restype = ctypes.c_char_p
    return str(lib.fuse_pkgversion().decode())


def is_serving() -> bool:
    """Whether this thread serves the kernel's requests."""
    return hasattr(_serving, "session")


def request() -> tuple[int, int]:
    """The request that this thread serves, for `is_interrupted`, and the thread that it is made for, as the system
    numbers that. Zeros on a thread that serves none: before the first session libfuse would crash there.
    """
    if not is_serving():
        return 0, 0
    context = lib.fuse_get_context()
    # High-level libfuse keeps the request right behind the context that it gives (struct fuse_context_i in lib/fuse.c,
    # the same in all of libfuse 3).
    request = ctypes.c_void_p.from_address(ctypes.addressof(context.contents) + ctypes.sizeof(mfusepy.fuse_context))
    return request.value or 0, int(context.contents.pid)


def reader() -> int:
    """The thread that the request is made for which this thread serves; inside of a callback only."""
    return ctypes.c_int.from_address(_context() + _PID_OFFSET).value


def caller() -> tuple[int, int, int]:
    """User, group and thread that the request is made for which this thread serves; inside of a callback only."""
    context = mfusepy.fuse_context.from_address(_context())
    return context.uid, context.gid, context.pid


def is_interrupted(request: int) -> bool:
    """Whether the reader of a request got a signal. Only until that is answered; on any thread."""
    return bool(_is_interrupted(request))


def serve_requests(session: ctypes.c_void_p) -> None:
    """Run libfuse's single-threaded loop on this thread, until the mount is gone."""
    _serving.session = session
    while lib.fuse_session_loop(session) == -errno.ENOMEM:
        time.sleep(0.1)  # no memory for its buffer: that may pass


def serve_requests_while(session: ctypes.c_void_p, wanted: Callable[[], bool]) -> None:
    """The same, but only as long as `wanted()`, which is asked after each request."""
    _serving.session = session
    buf = mfusepy.fuse_buf()
    at = ctypes.byref(buf)
    try:
        while (got := lib.fuse_session_receive_buf(session, at)) > 0 or got == -errno.EINTR:
            if got > 0:
                lib.fuse_session_process_buf(session, at)
            if not wanted():
                return
    finally:
        _free(buf.mem)  # libfuse's malloc made it


def fill_stat(st: Any, ino: int, mode: int, nlink: int, uid: int, gid: int, size: int, mtime_ns: int) -> None:
    """Fill a `Stat`. One pack is 5 times as fast as 15 ctypes fields, and `ls -lR` is made of it.

    st_blksize stays 4096: Python reads that much for a header. st_blocks is ceil(size / 512): 0 makes
    `tar -S` write zeros.
    """
    s, ns = divmod(mtime_ns, 1_000_000_000)
    blocks = (size + 511) >> 9
    if _X86_64:
        _STAT.pack_into(st, 0, 0, ino, nlink, mode, uid, gid, 0, 0, size, 4096, blocks, s, ns, s, ns, s, ns)
        return
    st.st_ino, st.st_mode, st.st_nlink, st.st_uid, st.st_gid = ino, mode, nlink, uid, gid
    st.st_size, st.st_blksize, st.st_blocks = size, 4096, blocks
    for name in ("st_atimespec", "st_mtimespec", "st_ctimespec"):
        t = getattr(st, name)
        t.tv_sec, t.tv_nsec = s, ns


def put_stat(address: int, *attributes: int) -> None:
    """The same for a struct stat at `address`."""
    fill_stat(mfusepy.c_stat.from_address(address), *attributes)


Stat = mfusepy.c_stat
StatVfs = mfusepy.c_statvfs
ConnInfo = mfusepy.fuse_conn_info
FuseConfig = mfusepy.fuse_config

_v, _p, _i = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
# Our own prototypes for the hot callbacks: plain addresses instead of pointer objects made for each call.
_PROTOTYPES: dict[str, Any] = {
    "read_buf": ctypes.CFUNCTYPE(_i, _v, _v, ctypes.c_size_t, ctypes.c_longlong, _v),
    "getattr": ctypes.CFUNCTYPE(_i, _p, _v, _v),
    "open": ctypes.CFUNCTYPE(_i, _p, _v),
    "flush": ctypes.CFUNCTYPE(_i, _v, _v),
    "release": ctypes.CFUNCTYPE(_i, _v, _v),
    "opendir": ctypes.CFUNCTYPE(_i, _p, _v),
    "releasedir": ctypes.CFUNCTYPE(_i, _v, _v),
    "readdir": ctypes.CFUNCTYPE(_i, _v, _v, _v, ctypes.c_longlong, _v, _i),
    "statfs": ctypes.CFUNCTYPE(_i, _p, _v),
    "init": ctypes.CFUNCTYPE(_v, _v, _v),
}
# Keeps the GIL (PYFUNCTYPE): it copies a name into a buffer, and handing the GIL over for each took 3 % of a walk.
Filler = ctypes.PYFUNCTYPE(_i, _v, _p, _v, ctypes.c_longlong, _i)


def _guarded(call: Callable[..., int | None]) -> Callable[..., int]:
    """`call` with whatever it raises turned into an errno: an exception must never reach libfuse."""

    def guarded(*args: Any) -> int:
        try:
            return call(*args) or 0
        except BaseException as e:
            if not expected(e):
                log.exception("unexpected error in %s", getattr(call, "__name__", call))
            return -errno_of(e)

    return guarded


def callbacks(table: Mapping[str, Callable[..., int | None]]) -> Any:
    """libfuse's struct fuse_operations with these callbacks by name; keep it alive as long as the session."""
    operations = mfusepy.fuse_operations()
    keep = []
    for field in mfusepy.fuse_operations._fields_:
        name, prototype = field[0], field[1]
        if name not in table:
            continue
        callback = _PROTOTYPES.get(name, prototype)(_guarded(table[name]))
        keep.append(callback)
        setattr(operations, name, ctypes.cast(callback, prototype))
    operations.keep = keep
    return operations


class _Args(ctypes.Structure):
    _fields_ = [("argc", ctypes.c_int), ("argv", ctypes.c_void_p), ("allocated", ctypes.c_int)]


def fuse_new(options: str, operations: Any) -> ctypes.c_void_p:
    """libfuse's handle for a mount with these `-o` options. Raises MountError."""
    argv = (ctypes.c_char_p * 4)(b"mountnd", b"-o", os.fsencode(options), None)
    args = _Args(3, ctypes.cast(argv, ctypes.c_void_p), 0)
    size = ctypes.c_size_t(ctypes.sizeof(operations))
    try:
        new = lib.fuse_new  # libfuse 3.0 to 3.16
        tail: tuple[Any, ...] = (None,)
    except AttributeError:  # 3.17 hides it behind an old symbol version, which dlsym cannot see
        new = lib._fuse_new_31
        tail = ((ctypes.c_uint32 * 4)(3, MINOR, 0, 0), None)
    new.restype = ctypes.c_void_p
    handle = ctypes.c_void_p(new(ctypes.byref(args), ctypes.byref(operations), size, *tail))
    if not handle.value:
        raise MountError(f"libfuse {version()} refused the mount options {options!r}")
    return handle

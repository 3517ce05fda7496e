"""System calls that programs make on data, on a mount of the real kernel."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import socket
import stat
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import tree
from tests.children import python
from tests.doors import KernelDoor, errno_from
from tests.mounted import shown
from tests.tree import BIG, BIG_SIZE

pytestmark = pytest.mark.kernel
SOURCE = tree.content(BIG, BIG_SIZE)
SMALL = "participants.tsv"


@pytest.fixture
def fd(kernel: KernelDoor) -> Iterator[int]:
    fd = os.open(kernel.path(BIG), os.O_RDONLY)
    yield fd
    os.close(fd)


def test_mount_flags(kernel: KernelDoor) -> None:
    line = shown(kernel.mount.path)
    assert line is not None
    left, _, right = line.partition(" - ")
    assert {"ro", "nosuid", "nodev"} <= set(left.split(" ")[5].split(","))
    kind, _, options = right.split(" ")[:3]
    assert kind == "fuse.mountnd"
    assert {"ro", "default_permissions"} <= set(options.split(","))


def test_mount_says_what_it_shows(kernel: KernelDoor, dataset: tree.Bucket) -> None:
    line = shown(kernel.mount.path)
    assert line is not None
    assert f"s3://{dataset.name}" in line.partition(" - ")[2].split(" ")[1]


def test_statfs(kernel: KernelDoor) -> None:
    found = os.statvfs(kernel.path())
    assert found.f_bsize > 0
    assert found.f_blocks > 0
    assert found.f_bavail == 0
    assert found.f_namemax == 255
    assert found.f_flag & os.ST_RDONLY
    assert os.statvfs(kernel.path(BIG)) == found
    fd = os.open(kernel.path(BIG), os.O_RDONLY)
    try:
        assert os.fstatvfs(fd) == found
    finally:
        os.close(fd)


@pytest.mark.parametrize("path", tree.FILES)
def test_blocks(kernel: KernelDoor, path: str) -> None:
    found = os.stat(kernel.path(path))
    assert found.st_blocks == -(-tree.FILES[path] // 512)
    assert found.st_blksize >= 4096
    assert found.st_nlink >= 1


def test_times_agree(kernel: KernelDoor) -> None:
    found = os.stat(kernel.path(SMALL))
    assert found.st_mtime_ns > 0
    assert found.st_ctime_ns > 0
    assert found.st_atime_ns > 0


def test_fstat_is_stat(kernel: KernelDoor, fd: int) -> None:
    by_path, by_fd = os.stat(kernel.path(BIG)), os.fstat(fd)
    for name in ("st_ino", "st_mode", "st_size", "st_mtime_ns", "st_dev", "st_blocks", "st_nlink"):
        assert getattr(by_path, name) == getattr(by_fd, name), name


def test_one_device(kernel: KernelDoor) -> None:
    """`du -x`, `find -xdev` and tar --one-file-system stay inside."""
    assert len({os.stat(kernel.path(p)).st_dev for p in ("", "sub-01", SMALL, "hollow")}) == 1


def getdents(fd: int) -> list[tuple[bytes, int, int]]:
    """Raw directory entries (name, inode, type) of directory `fd`, as getdents64(2) gives them."""
    number = {"x86_64": 217, "aarch64": 61}.get(platform.machine())
    if number is None:
        pytest.skip(f"the number of getdents64 on {platform.machine()} is not known here")
    libc = ctypes.CDLL(None, use_errno=True)
    buffer, rows = ctypes.create_string_buffer(32 << 10), []
    while (count := libc.syscall(number, fd, buffer, len(buffer))) > 0:
        at, raw = 0, buffer.raw
        while at < count:
            ino, _, length, kind = struct.unpack_from("<QqHB", raw, at)
            rows.append((raw[at + 19 : at + length].partition(b"\0")[0], ino, kind))
            at += length
    assert count == 0, os.strerror(ctypes.get_errno())
    return rows


@pytest.mark.parametrize("path", ["", "sub-01", "sub-01/anat", "hollow", "nested", "sizes"])
def test_raw_entries(kernel: KernelDoor, path: str) -> None:
    fd = os.open(kernel.path(path), os.O_RDONLY | os.O_DIRECTORY)
    try:
        rows = getdents(fd)
        os.lseek(fd, 0, os.SEEK_SET)
        assert getdents(fd) == rows, "rewinddir gives the same again"
    finally:
        os.close(fd)
    names = [name for name, _, _ in rows]
    assert len(set(names)) == len(names)
    assert set(names) == {b".", b".."} | {os.fsencode(n) for n in tree.DIRECTORIES[path]}
    for name, ino, kind in rows:
        directory = name in (b".", b"..") or os.path.join(path, os.fsdecode(name)) in tree.DIRECTORIES
        assert kind == (4 if directory else 8), name  # DT_DIR, DT_REG
        if name != b"..":
            below = path if name == b"." else os.path.join(path, os.fsdecode(name))
            assert ino == os.stat(kernel.path(below)).st_ino, name


def test_telldir_and_seekdir(kernel: KernelDoor) -> None:
    """A directory continues where a reader says it was, as glibc's seekdir and NFS servers ask it to."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.opendir.restype = libc.readdir.restype = ctypes.c_void_p
    libc.telldir.restype = ctypes.c_long
    libc.telldir.argtypes = libc.readdir.argtypes = libc.closedir.argtypes = [ctypes.c_void_p]
    libc.seekdir.argtypes = [ctypes.c_void_p, ctypes.c_long]
    directory = libc.opendir(kernel.path("sizes"))
    assert directory
    try:
        places, names = [], []
        while True:
            places.append(libc.telldir(directory))
            entry = libc.readdir(directory)
            if not entry:
                break
            names.append(ctypes.string_at(entry + 19))
        for i in (0, 1, 5, len(names) - 1, 3):
            libc.seekdir(directory, places[i])
            assert ctypes.string_at(libc.readdir(directory) + 19) == names[i]
    finally:
        libc.closedir(directory)


def test_access(kernel: KernelDoor) -> None:
    assert os.access(kernel.path(SMALL), os.R_OK)
    assert os.access(kernel.path("sub-01"), os.R_OK | os.X_OK)
    assert os.access(kernel.path(SMALL), os.F_OK)
    assert not os.access(kernel.path(SMALL), os.W_OK)
    assert not os.access(kernel.path(SMALL), os.X_OK)
    assert not os.access(kernel.path("missing"), os.F_OK)


def test_readlink(kernel: KernelDoor) -> None:
    assert errno_from(os.readlink, kernel.path(SMALL)) == errno.EINVAL
    assert errno_from(os.readlink, kernel.path("sub-01")) == errno.EINVAL
    assert errno_from(os.readlink, kernel.path("missing")) == errno.ENOENT
    assert os.path.realpath(kernel.path("sub-01/../sub-02")) == kernel.path("sub-02")


def test_extended_attributes_are_none(kernel: KernelDoor) -> None:
    for _ in range(2):  # the second is answered from the kernel's memory
        assert errno_from(os.getxattr, kernel.path(SMALL), b"user.any") == errno.ENOTSUP
        assert errno_from(os.getxattr, kernel.path(SMALL), b"security.capability") == errno.ENOTSUP
        assert errno_from(os.listxattr, kernel.path(SMALL)) in (0, errno.ENOTSUP)


MAPPED = """
import hashlib, mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
with mmap.mmap(fd, 0, flags=getattr(mmap, sys.argv[2]), prot=mmap.PROT_READ) as view:
    print(len(view), hashlib.sha256(view).hexdigest(), view[-17:].hex(), view[1000003:1000013].hex())
"""


@pytest.mark.parametrize("how", ["MAP_PRIVATE", "MAP_SHARED"])
def test_mapped(kernel: KernelDoor, how: str) -> None:
    import hashlib

    size, digest, tail, middle = python(MAPPED, kernel.path(BIG), how).split()
    assert int(size) == BIG_SIZE
    assert digest == hashlib.sha256(SOURCE).hexdigest()
    assert bytes.fromhex(tail) == SOURCE[-17:]
    assert bytes.fromhex(middle) == SOURCE[1000003:1000013]


COPY_ON_WRITE = """
import mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
view = mmap.mmap(fd, 0, access=mmap.ACCESS_COPY)
view[5:9] = b"mine"
print(view[:12].hex(), os.pread(fd, 12, 0).hex())
"""


def test_a_private_map_may_be_written(kernel: KernelDoor) -> None:
    """nibabel and numpy do with mode "c": the pages are the program's own, the file stays."""
    mine, file = python(COPY_ON_WRITE, kernel.path(BIG)).split()
    assert bytes.fromhex(mine) == SOURCE[:5] + b"mine" + SOURCE[9:12]
    assert bytes.fromhex(file) == SOURCE[:12]


def test_a_shared_map_may_not_be_written(kernel: KernelDoor) -> None:
    code = "import mmap,os,sys; mmap.mmap(os.open(sys.argv[1], os.O_RDONLY), 0, prot=mmap.PROT_READ|mmap.PROT_WRITE)"
    with pytest.raises(AssertionError, match="PermissionError"):
        python(code, kernel.path(BIG))


def test_sendfile(fd: int) -> None:
    left, right = socket.socketpair()
    got = bytearray()

    def receive() -> None:
        while part := right.recv(1 << 20):
            got.extend(part)

    with left, right:
        thread = threading.Thread(target=receive)
        thread.start()
        at = 0
        while count := os.sendfile(left.fileno(), fd, at, 1 << 20):
            at += count
        left.close()
        thread.join(30)
    assert bytes(got) == SOURCE


def test_copy_out(fd: int, tmp_path: Path) -> None:
    """What cp does: copy_file_range, which the kernel may refuse between file systems, then plain reads."""
    with (tmp_path / "copy").open("wb") as out:
        try:
            copied = os.copy_file_range(fd, out.fileno(), BIG_SIZE, 0, 0)
        except OSError as e:
            if e.errno not in (errno.EXDEV, errno.EOPNOTSUPP, errno.EINVAL):
                raise
            return
    assert (tmp_path / "copy").read_bytes() == SOURCE[:copied]


def test_splice_into_a_pipe(fd: int) -> None:
    source, sink = os.pipe()
    try:
        count = os.splice(fd, sink, 32 << 10, offset_src=4096)
        assert os.read(source, count) == SOURCE[4096 : 4096 + count]
    finally:
        os.close(source)
        os.close(sink)


def test_holes(fd: int) -> None:
    assert os.lseek(fd, 0, os.SEEK_DATA) == 0
    assert os.lseek(fd, 5000, os.SEEK_DATA) == 5000
    assert os.lseek(fd, 0, os.SEEK_HOLE) == BIG_SIZE
    assert errno_from(os.lseek, fd, BIG_SIZE, os.SEEK_DATA) == errno.ENXIO
    assert os.lseek(fd, -5, os.SEEK_END) == BIG_SIZE - 5
    assert os.read(fd, 100) == SOURCE[-5:]


def test_vectors(fd: int) -> None:
    parts = [bytearray(100), bytearray(5000), bytearray(1)]
    assert os.preadv(fd, parts, 131_000) == 5101
    assert b"".join(parts) == SOURCE[131_000 : 131_000 + 5101]


@pytest.mark.parametrize(
    "advice", [os.POSIX_FADV_SEQUENTIAL, os.POSIX_FADV_RANDOM, os.POSIX_FADV_WILLNEED, os.POSIX_FADV_DONTNEED]
)
def test_advice(fd: int, advice: int) -> None:
    os.posix_fadvise(fd, 0, 0, advice)
    assert os.pread(fd, 1000, 70_000) == SOURCE[70_000:71_000]


def test_sync(fd: int) -> None:
    os.fsync(fd)
    os.fdatasync(fd)


def test_locks(kernel: KernelDoor, fd: int) -> None:
    """HDF5 locks each file that it opens, shared or exclusive, and gives up when it cannot."""
    for how in (fcntl.LOCK_SH, fcntl.LOCK_EX):
        fcntl.flock(fd, how | fcntl.LOCK_NB)
        fcntl.flock(fd, fcntl.LOCK_UN)
    fcntl.lockf(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    fcntl.lockf(fd, fcntl.LOCK_UN)
    fcntl.flock(fd, fcntl.LOCK_EX)
    other = os.open(kernel.path(BIG), os.O_RDONLY)
    try:
        assert errno_from(fcntl.flock, other, fcntl.LOCK_SH | fcntl.LOCK_NB) == errno.EWOULDBLOCK
        fcntl.flock(fd, fcntl.LOCK_UN)
        fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)
    finally:
        os.close(other)


def test_closing_a_duplicate_leaves_the_other_open(fd: int) -> None:
    """As each child process does with what it inherited."""
    os.close(os.dup(fd))
    assert os.pread(fd, 1000, 2_000_000) == SOURCE[2_000_000:2_001_000]


def test_relative_to_an_open_directory(kernel: KernelDoor) -> None:
    where = os.open(kernel.path("sub-01"), os.O_RDONLY | os.O_DIRECTORY)
    try:
        assert os.stat("anat/sub-01_T1w.json", dir_fd=where).st_size == tree.FILES["sub-01/anat/sub-01_T1w.json"]
        fd = os.open("anat/sub-01_T1w.json", os.O_RDONLY, dir_fd=where)
        os.close(fd)
        assert errno_from(os.open, "anat", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW) == errno.ENOENT
    finally:
        os.close(where)


def test_a_path_only_handle(kernel: KernelDoor) -> None:
    fd = os.open(kernel.path(SMALL), os.O_PATH)
    try:
        assert os.fstat(fd).st_size == tree.FILES[SMALL]
        assert stat.S_ISREG(os.fstat(fd).st_mode)
    finally:
        os.close(fd)


def test_the_working_directory(kernel: KernelDoor) -> None:
    code = "import os,sys; os.chdir(sys.argv[1]); print(os.getcwd(), os.path.getsize('anat/sub-01_T1w.json'))"
    where, size = python(code, kernel.path("sub-01")).split()
    assert where == os.fsdecode(kernel.path("sub-01"))
    assert int(size) == tree.FILES["sub-01/anat/sub-01_T1w.json"]

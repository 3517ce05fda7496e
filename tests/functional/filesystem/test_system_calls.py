"""System calls that programs make on data, on a mount of the real kernel."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import tree
from tests.support.children import run_python
from tests.support.doors import KernelDoor, errno_from
from tests.support.tree import BIG, BIG_SIZE

pytestmark = pytest.mark.kernel
SOURCE = tree.content(BIG, BIG_SIZE)
SMALL = "participants.tsv"


@pytest.fixture
def fd(kernel: KernelDoor) -> Iterator[int]:
    fd = os.open(kernel.path(BIG), os.O_RDONLY)
    yield fd
    os.close(fd)


MAPPED = """
import hashlib, mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
with mmap.mmap(fd, 0, flags=getattr(mmap, sys.argv[2]), prot=mmap.PROT_READ) as view:
    print(len(view), hashlib.sha256(view).hexdigest(), view[-17:].hex(), view[1000003:1000013].hex())
"""


@pytest.mark.parametrize("how", ["MAP_PRIVATE", "MAP_SHARED"])
def test_mmap_shows_the_file(kernel: KernelDoor, how: str) -> None:
    import hashlib

    size, digest, tail, middle = run_python(MAPPED, kernel.path(BIG), how).split()
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


def test_a_private_mapping_may_be_written(kernel: KernelDoor) -> None:
    """nibabel and numpy do with mode "c": the pages are the program's own, the file stays."""
    mine, file = run_python(COPY_ON_WRITE, kernel.path(BIG)).split()
    assert bytes.fromhex(mine) == SOURCE[:5] + b"mine" + SOURCE[9:12]
    assert bytes.fromhex(file) == SOURCE[:12]


def test_a_shared_mapping_may_not_be_written(kernel: KernelDoor) -> None:
    code = "import mmap,os,sys; mmap.mmap(os.open(sys.argv[1], os.O_RDONLY), 0, prot=mmap.PROT_READ|mmap.PROT_WRITE)"
    with pytest.raises(AssertionError, match="PermissionError"):
        run_python(code, kernel.path(BIG))


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


def test_copy_file_range(fd: int, tmp_path: Path) -> None:
    """What cp does: copy_file_range, which the kernel may refuse between file systems, then plain reads."""
    with (tmp_path / "copy").open("wb") as out:
        try:
            copied = os.copy_file_range(fd, out.fileno(), BIG_SIZE, 0, 0)
        except OSError as e:
            if e.errno not in (errno.EXDEV, errno.EOPNOTSUPP, errno.EINVAL):
                raise
            copied = out.write(os.pread(fd, BIG_SIZE, 0))
    assert copied > 0
    assert (tmp_path / "copy").read_bytes() == SOURCE[:copied]


def test_splice_into_a_pipe(fd: int) -> None:
    source, sink = os.pipe()
    try:
        count = os.splice(fd, sink, 32 << 10, offset_src=4096)
        assert count > 0
        assert os.read(source, count) == SOURCE[4096 : 4096 + count]
    finally:
        os.close(source)
        os.close(sink)


def test_seek_data_and_seek_hole(fd: int) -> None:
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
def test_posix_fadvise(fd: int, advice: int) -> None:
    os.posix_fadvise(fd, 0, 0, advice)
    assert os.pread(fd, 1000, 70_000) == SOURCE[70_000:71_000]


def test_fsync_and_fdatasync(fd: int) -> None:
    os.fsync(fd)
    os.fdatasync(fd)


def test_flock_and_lockf(kernel: KernelDoor, fd: int) -> None:
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


def test_paths_relative_to_an_open_directory(kernel: KernelDoor) -> None:
    where = os.open(kernel.path("sub-01"), os.O_RDONLY | os.O_DIRECTORY)
    try:
        assert os.stat("anat/sub-01_T1w.json", dir_fd=where).st_size == tree.FILES["sub-01/anat/sub-01_T1w.json"]
        fd = os.open("anat/sub-01_T1w.json", os.O_RDONLY, dir_fd=where)
        os.close(fd)
        assert errno_from(os.open, "anat", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW) == errno.ENOENT
    finally:
        os.close(where)


def test_a_descriptor_opened_with_o_path(kernel: KernelDoor) -> None:
    fd = os.open(kernel.path(SMALL), os.O_PATH)
    try:
        assert os.fstat(fd).st_size == tree.FILES[SMALL]
        assert stat.S_ISREG(os.fstat(fd).st_mode)
    finally:
        os.close(fd)


def test_a_directory_of_the_mount_as_working_directory(kernel: KernelDoor) -> None:
    code = "import os,sys; os.chdir(sys.argv[1]); print(os.getcwd(), os.path.getsize('anat/sub-01_T1w.json'))"
    where, size = run_python(code, kernel.path("sub-01")).split()
    assert where == os.fsdecode(kernel.path("sub-01"))
    assert int(size) == tree.FILES["sub-01/anat/sub-01_T1w.json"]

"""What a mount, its directories and its attributes say to system calls, on a mount of the real kernel."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

import pytest

from tests.support import tree
from tests.support.doors import KernelDoor, errno_from
from tests.support.mounts import mountinfo
from tests.support.tree import BIG

pytestmark = pytest.mark.kernel
SMALL = "participants.tsv"


def test_mount_flags(kernel: KernelDoor) -> None:
    line = mountinfo(kernel.mount.path)
    assert line is not None
    left, _, right = line.partition(" - ")
    assert {"ro", "nosuid", "nodev"} <= set(left.split(" ")[5].split(","))
    kind, _, options = right.split(" ")[:3]
    assert kind == "fuse.mountnd"
    assert {"ro", "default_permissions"} <= set(options.split(","))


def test_mountinfo_names_the_source(kernel: KernelDoor, dataset: tree.Bucket) -> None:
    line = mountinfo(kernel.mount.path)
    assert line is not None
    assert f"s3://{dataset.name}" in line.partition(" - ")[2].split(" ")[1]


def test_statfs(kernel: KernelDoor) -> None:
    found = os.statvfs(kernel.path())
    assert found.f_bsize > 0
    assert found.f_blocks > 0
    assert found.f_bavail == found.f_bfree == found.f_blocks, "df shows 0 % used"
    assert found.f_namemax == 255
    assert found.f_flag & os.ST_RDONLY
    assert os.statvfs(kernel.path(BIG)) == found
    fd = os.open(kernel.path(BIG), os.O_RDONLY)
    try:
        assert os.fstatvfs(fd) == found
    finally:
        os.close(fd)


@pytest.mark.parametrize("path", tree.FILES)
def test_stat_has_blocks_of_512_bytes(kernel: KernelDoor, path: str) -> None:
    found = os.stat(kernel.path(path))
    assert found.st_blocks == -(-tree.FILES[path] // 512)
    assert found.st_blksize >= 4096
    assert found.st_nlink >= 1


def test_all_three_times_are_set(kernel: KernelDoor) -> None:
    found = os.stat(kernel.path(SMALL))
    assert found.st_mtime_ns > 0
    assert found.st_ctime_ns > 0
    assert found.st_atime_ns > 0


def test_fstat_agrees_with_stat(kernel: KernelDoor) -> None:
    fd = os.open(kernel.path(BIG), os.O_RDONLY)
    try:
        by_path, by_fd = os.stat(kernel.path(BIG)), os.fstat(fd)
    finally:
        os.close(fd)
    for name in ("st_ino", "st_mode", "st_size", "st_mtime_ns", "st_dev", "st_blocks", "st_nlink"):
        assert getattr(by_path, name) == getattr(by_fd, name), name


def test_the_whole_tree_is_one_device(kernel: KernelDoor) -> None:
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
def test_getdents_gives_names_inodes_and_types(kernel: KernelDoor, path: str) -> None:
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
        if errno_from(os.listxattr, kernel.path(SMALL)) != errno.ENOTSUP:
            assert os.listxattr(kernel.path(SMALL)) == []

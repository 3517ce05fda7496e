"""No call changes the tree: each is refused with EROFS, where the kernel has not refused it earlier on its own."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.doors import KernelDoor, errno_from

pytestmark = pytest.mark.kernel

FILE, DIRECTORY, HOLLOW, NEW = "participants.tsv", "sub-01", "hollow", "sub-01/new"
Call = Callable[[Callable[[str], bytes], Path], object]


def opens(path: str, flags: int) -> Call:
    return lambda at, out: os.close(os.open(at(path), flags, 0o600))


def with_file(do: Callable[[int], object]) -> Call:
    def call(at: Callable[[str], bytes], out: Path) -> None:
        fd = os.open(at(FILE), os.O_RDONLY)
        try:
            do(fd)
        finally:
            os.close(fd)

    return call


CALLS: dict[str, tuple[Call, int]] = {
    "open O_WRONLY": (opens(FILE, os.O_WRONLY), errno.EROFS),
    "open O_RDWR": (opens(FILE, os.O_RDWR), errno.EROFS),
    "open O_APPEND": (opens(FILE, os.O_WRONLY | os.O_APPEND), errno.EROFS),
    "open O_TRUNC": (opens(FILE, os.O_WRONLY | os.O_TRUNC), errno.EROFS),
    "open O_RDONLY|O_TRUNC": (opens(FILE, os.O_RDONLY | os.O_TRUNC), errno.EROFS),
    "open O_CREAT, new": (opens(NEW, os.O_WRONLY | os.O_CREAT), errno.EROFS),
    "open O_CREAT|O_RDONLY, new": (opens(NEW, os.O_RDONLY | os.O_CREAT), errno.EROFS),
    "open O_CREAT, there": (opens(FILE, os.O_WRONLY | os.O_CREAT), errno.EROFS),
    "open O_CREAT|O_EXCL, there": (opens(FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL), errno.EEXIST),  # the kernel's
    "open O_TMPFILE": (opens(DIRECTORY, os.O_WRONLY | os.O_TMPFILE), errno.EROFS),
    "open directory O_WRONLY": (opens(DIRECTORY, os.O_WRONLY), errno.EISDIR),  # the kernel's
    "mkdir": (lambda at, out: os.mkdir(at(NEW)), errno.EROFS),
    "mkdir, there": (lambda at, out: os.mkdir(at(DIRECTORY)), errno.EEXIST),  # the kernel's
    "rmdir": (lambda at, out: os.rmdir(at(HOLLOW)), errno.EROFS),
    "unlink": (lambda at, out: os.unlink(at(FILE)), errno.EROFS),
    "rename": (lambda at, out: os.rename(at(FILE), at(NEW)), errno.EROFS),
    "rename over": (lambda at, out: os.replace(at(FILE), at("dataset_description.json")), errno.EROFS),
    "rename in": (lambda at, out: os.rename(out, at(NEW)), errno.EXDEV),  # the kernel's
    "rename a directory": (lambda at, out: os.rename(at(HOLLOW), at(NEW)), errno.EROFS),
    "link": (lambda at, out: os.link(at(FILE), at(NEW)), errno.EROFS),
    "symlink": (lambda at, out: os.symlink("x", at(NEW)), errno.EROFS),
    "chmod": (lambda at, out: os.chmod(at(FILE), 0o600), errno.EROFS),
    "chmod directory": (lambda at, out: os.chmod(at(DIRECTORY), 0o700), errno.EROFS),
    "chown": (lambda at, out: os.chown(at(FILE), 1, 1), errno.EROFS),
    "lchown": (lambda at, out: os.lchown(at(FILE), 1, 1), errno.EROFS),
    "utimes": (lambda at, out: os.utime(at(FILE)), errno.EROFS),
    "utimes directory": (lambda at, out: os.utime(at(DIRECTORY), (0, 0)), errno.EROFS),
    "truncate": (lambda at, out: os.truncate(at(FILE), 0), errno.EROFS),
    "setxattr": (lambda at, out: os.setxattr(at(FILE), b"user.a", b"b"), errno.EROFS),
    "removexattr": (lambda at, out: os.removexattr(at(FILE), b"user.a"), errno.EROFS),
    "mknod": (lambda at, out: os.mknod(at(NEW), 0o600 | stat.S_IFREG), errno.EROFS),
    "mkfifo": (lambda at, out: os.mkfifo(at(NEW)), errno.EROFS),
    "access W_OK": (lambda at, out: os.access(at(FILE), os.W_OK) or _raise(errno.EROFS), errno.EROFS),
    "write": (with_file(lambda fd: os.write(fd, b"x")), errno.EBADF),  # the kernel's: not open for writing
    "pwrite": (with_file(lambda fd: os.pwrite(fd, b"x", 0)), errno.EBADF),
    "ftruncate": (with_file(lambda fd: os.ftruncate(fd, 0)), errno.EINVAL),  # the kernel's
    "fchmod": (with_file(lambda fd: os.fchmod(fd, 0o600)), errno.EROFS),
    "fchown": (with_file(lambda fd: os.fchown(fd, 1, 1)), errno.EROFS),
    "futimes": (with_file(os.utime), errno.EROFS),
    "fallocate": (with_file(lambda fd: os.posix_fallocate(fd, 0, 1)), errno.EBADF),  # the kernel's
}


def _raise(number: int) -> object:
    raise OSError(number, "")


@pytest.mark.parametrize("name", CALLS)
def test_a_change_is_refused(kernel: KernelDoor, tmp_path: Path, name: str) -> None:
    call, expected = CALLS[name]
    mine = tmp_path / "mine"
    mine.write_text("mine")
    found = errno_from(lambda: call(kernel.path, mine))
    assert found == expected, f"{errno.errorcode.get(found, found)} instead of {errno.errorcode[expected]}"


@pytest.mark.parametrize("path", [FILE, ""], ids=["a file", "the top"])
def test_nothing_may_be_written_whatever_the_modes_say(kernel: KernelDoor, path: str) -> None:
    """access(2) answers for the mount, not for the mode: editors and installers ask it first."""
    assert not os.access(kernel.path(path), os.W_OK)
    assert os.access(kernel.path(path), os.R_OK)


def test_the_tree_is_unchanged_afterwards(kernel: KernelDoor) -> None:
    assert errno_from(kernel.stat, NEW) == errno.ENOENT
    assert kernel.stat(FILE).size > 0
    assert stat.S_IMODE(kernel.stat(FILE).mode) == 0o644


@pytest.mark.parametrize("flags", [os.O_CREAT, os.O_EXCL, os.O_NOATIME, os.O_SYNC, os.O_DSYNC, os.O_NONBLOCK])
def test_harmless_open_flags_are_accepted(kernel: KernelDoor, flags: int) -> None:
    fd = os.open(kernel.path(FILE), os.O_RDONLY | flags)
    try:
        assert len(os.pread(fd, 200, 0)) == kernel.stat(FILE).size
    finally:
        os.close(fd)

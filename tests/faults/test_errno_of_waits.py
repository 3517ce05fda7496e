"""The exact errno of what is waited for in vain, and its line in the log (the table in help/semantics.md)."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support import tree
from tests.support.children import child, seconds_to_end
from tests.support.doors import Door, Fresh, KernelDoor, errno_from
from tests.support.proxy import Proxy
from tests.support.tree import BIG, KIB

from .conftest import SLACK_S, Victim


def test_no_answer_is_etimedout(bare: Door, proxy: Proxy, dataset: tree.Bucket) -> None:
    handle = bare.open("participants.tsv")
    proxy.rule("hold")
    assert errno_from(bare.pread, handle, 4 * KIB, 0) == errno.ETIMEDOUT
    bare.close(handle)
    assert errno_from(bare.listdir, "sub-02") == errno.ETIMEDOUT
    if isinstance(bare, KernelDoor):
        log = bare.mount.log
        assert len([line for line in log.splitlines() if "participants.tsv cannot be read" in line]) == 1, log
        assert "sub-02" in log


def test_no_connection_is_eio(victim: Victim, bare: Door, proxy: Proxy) -> None:
    handle = bare.open("participants.tsv")
    proxy.down()
    assert errno_from(bare.pread, handle, 4 * KIB, 0) == errno.EIO
    bare.close(handle)
    assert errno_from(bare.listdir, "sub-02") == errno.EIO


# Calls one function of libc with a handler without SA_RESTART for SIGUSR1. Prints what it returned, and the errno.
CALL = """
import ctypes, os, signal, sys
signal.signal(signal.SIGUSR1, lambda *_: None)
signal.siginterrupt(signal.SIGUSR1, True)
libc, buffer, (what, path) = ctypes.CDLL(None, use_errno=True), ctypes.create_string_buffer(4096), sys.argv[1:]
if what == "access":
    print(libc.access(path.encode(), 0), ctypes.get_errno())
elif what == "open":
    print(libc.open(path.encode(), os.O_RDONLY | os.O_DIRECTORY), ctypes.get_errno())
else:
    fd = os.open(path, os.O_RDONLY)
    print(libc.read(fd, buffer, 4096), ctypes.get_errno())
"""


@pytest.fixture
def patient(fresh_kernel: Fresh, proxy: Proxy, dataset: tree.Bucket) -> Iterator[KernelDoor]:
    """A mount whose time-out is long, so that it is the signal that ends a wait."""
    door = fresh_kernel(proxy.url, f"s3://{dataset.name}", timeout=50)
    assert isinstance(door, KernelDoor)
    proxy.clear()
    yield door
    proxy.behave()


@pytest.mark.kernel
@pytest.mark.parametrize(("what", "path"), [("access", "sub-02/anat/missing"), ("open", "sub-02")])
def test_a_signal_that_is_handled_is_eintr(patient: KernelDoor, proxy: Proxy, what: str, path: str) -> None:
    proxy.rule("hold")
    with child([sys.executable, "-c", CALL, what, patient.path(path)]) as process:
        proxy.await_request(lambda r: True)
        process.send_signal(signal.SIGUSR1)
        seconds_to_end(process, 1.0 + SLACK_S)
        assert process.stdout is not None
        assert process.stdout.read().split() == [b"-1", str(errno.EINTR).encode()]


@pytest.mark.kernel
def test_a_read_goes_on_after_a_signal_that_is_handled(patient: KernelDoor, proxy: Proxy, dataset: tree.Bucket) -> None:
    """As on a disk: legacy readers do not expect a short read, nor EINTR, of a file."""
    patient.listdir("big")
    proxy.rule("hold", path=dataset.path(BIG))
    with child([sys.executable, "-c", CALL, "read", patient.path(BIG)]) as process:
        proxy.await_request(lambda r: r.path == dataset.path(BIG))
        process.send_signal(signal.SIGUSR1)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        proxy.behave()
        out, _ = process.communicate(timeout=60)
        assert out.split()[0] == b"4096"

"""Which kernels can be told to forget names, and for how long others are given them."""

from __future__ import annotations

import ctypes
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from mountnd.config.options import INDEFINITE, MountConfig, SourceConfig
from mountnd.fuse import binding, kernel
from mountnd.fuse.kernel import Invalidator, forgets_names
from mountnd.serve import KERNEL_TTL_INDEFINITE_S, KERNEL_TTL_S, kernel_ttl


@pytest.mark.parametrize(
    ("release", "forgets"),
    [("6.16.0", True), ("6.16-rc1", True), ("7.0.3-generic", True), ("6.15.9", False), ("5.19", False), ("odd", False)],
)
def test_names_are_forgotten_from_linux_6_16_on(release: str, forgets: bool) -> None:
    assert forgets_names(release) is forgets


def test_names_are_given_for_long_only_where_nothing_changes_and_all_can_be_taken_back() -> None:
    frozen = SourceConfig(name="hcp", url="s3://hcp", ttl=INDEFINITE)
    living = SourceConfig(name="lab", url="s3://lab")
    one = MountConfig(mountpoint=Path("/mnt"), sources=(frozen,))
    both = MountConfig(mountpoint=Path("/mnt"), sources=(frozen, living))
    assert kernel_ttl(one, forgets=True) == KERNEL_TTL_INDEFINITE_S
    assert kernel_ttl(one, forgets=False) == KERNEL_TTL_S
    assert kernel_ttl(both, forgets=True) == KERNEL_TTL_S


def test_a_session_is_not_freed_under_a_call_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    began, go = threading.Event(), threading.Event()

    def hangs(fuse: object, path: bytes) -> None:
        began.set()
        go.wait(60)

    monkeypatch.setattr(binding, "lib", SimpleNamespace(fuse_invalidate_path=hangs))
    monkeypatch.setattr(kernel, "STOP_S", 0.2)
    invalidator = Invalidator()
    invalidator.start()
    invalidator.serve(ctypes.c_void_p(1), -1)
    invalidator.drop(b"/a")
    assert began.wait(60)
    assert not invalidator.stop()
    go.set()
    monkeypatch.setattr(kernel, "STOP_S", 60)
    assert invalidator.stop()

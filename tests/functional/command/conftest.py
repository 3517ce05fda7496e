"""The machine of an ordinary user, for tests of what root cannot show."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .user_machine import UserMachine, user_machine


@pytest.fixture(scope="module")
def shared() -> Iterator[UserMachine]:
    with user_machine() as machine:
        yield machine


@pytest.fixture
def user(shared: UserMachine) -> Iterator[UserMachine]:
    """The user's machine, with nothing mounted in it before and after."""
    yield shared
    shared.set_device_mode(0o666)
    shared.write_fuse_conf("")
    shared.name_user(True)
    shared.run("sh", "-c", "for m in $(grep -o '[^ ]*/home/[^ ]*' /proc/mounts); do umount -l $m; done", root=True)

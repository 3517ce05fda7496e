"""Who holds a shared mount: counted, seen to die, and the mount ends once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mountnd.config.options import MountConfig, SourceConfig
from mountnd.daemon.holders import (
    ENDING,
    HELD,
    OTHER,
    TAKEN,
    UNSHARED,
    Holder,
    Holders,
    NoHolders,
    identity,
    shown,
)  # fmt: skip
from mountnd.daemon.record import started
from mountnd.errors import MountError
from tests.support.waiting import wait_until

SOURCE = SourceConfig(name="a", url="s3://a/b", endpoint_url="http://localhost:1")
CONFIG = MountConfig(mountpoint=Path("/mnt"), sources=(SOURCE,))


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """A process that does nothing."""
    one = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    try:
        yield one
    finally:
        one.kill()
        one.communicate(timeout=20)


@pytest.fixture
def ends() -> list[str]:
    return []


@pytest.fixture
def holders(ends: list[str]) -> Holders:
    return Holders(CONFIG, me(), lambda: ends.append("end"))


def me(name: str = "me") -> Holder:
    return of(os.getpid(), name)


def of(pid: int, name: str = "it") -> Holder:
    begun = started(pid)
    assert begun is not None
    return Holder(pid, begun, name)


def asked(holder: Any, config: MountConfig = CONFIG) -> dict[str, Any]:
    return {"holder": list(holder), "identity": identity(config)}


def test_the_last_one_who_leaves_is_told_so(holders: Holders, ends: list[str]) -> None:
    assert holders.hold(asked(me("second"))) == {"is": HELD}
    assert holders.leave(asked(me())) == {"left": 1}
    assert holders.leave(asked(me())) == {"left": 1}, "whoever has left leaves no second time"
    holders.look()
    assert ends == []
    assert holders.leave(asked(me("second"))) == {"left": 0}
    holders.look()
    assert ends == [], "the last one unmounts, and is waited for"
    assert holders.hold(asked(me("third"))) == {"is": ENDING}


def test_whoever_is_killed_holds_it_no_longer(ends: list[str], process: subprocess.Popen[bytes]) -> None:
    holders = Holders(CONFIG, of(process.pid), lambda: ends.append("end"))
    holders.hold(asked(of(process.pid, "another")))
    holders.look()
    assert ends == []
    process.kill()

    def looked() -> bool:
        holders.look()
        return bool(ends)

    wait_until(looked, "the end of a mount that nobody holds")
    assert holders.hold(asked(me())) == {"is": ENDING}
    holders.look()
    assert ends == ["end"]


def test_one_that_is_killed_is_no_reason_to_end_it_for_others(
    holders: Holders, ends: list[str], process: subprocess.Popen[bytes]
) -> None:
    holders.hold(asked(of(process.pid)))
    process.kill()
    process.wait(20)
    holders.look()
    assert ends == []
    assert holders.leave(asked(me())) == {"left": 0}


def test_the_last_one_who_dies_before_it_has_unmounted(ends: list[str], process: subprocess.Popen[bytes]) -> None:
    holders = Holders(CONFIG, of(process.pid), lambda: ends.append("end"))
    assert holders.leave(asked(of(process.pid))) == {"left": 0}
    holders.look()
    assert ends == []
    process.kill()
    process.wait(20)
    holders.look()
    assert ends == ["end"]


def test_what_shows_something_else_is_not_held(holders: Holders) -> None:
    for other in (replace(SOURCE, url="s3://a/c"), replace(SOURCE, endpoint_url=None), replace(SOURCE, anonymous=True)):
        config = replace(CONFIG, sources=(other,))
        assert holders.hold(asked(me(), config)) == {"is": OTHER, "shown": "s3://a/b"}
    assert holders.hold(asked(me(), replace(CONFIG, mountpoint=Path("/x"), memory=1))) == {"is": HELD}


def test_a_mount_that_nobody_counts_for() -> None:
    mount = NoHolders(CONFIG)
    assert mount.hold(asked(me())) == {"is": UNSHARED, "shown": "s3://a/b"}
    other = replace(CONFIG, sources=(replace(SOURCE, url="s3://z"),))
    assert mount.hold(asked(me(), other)) == {"is": TAKEN, "shown": "s3://a/b"}
    mount.look()


def test_a_process_that_is_another_one_here(holders: Holders) -> None:
    """A number of another namespace's, or one that is used again."""
    with pytest.raises(MountError, match="is another one here"):
        holders.hold(asked(Holder(os.getppid(), 1, "x")))
    with pytest.raises(MountError, match="cannot be seen"):
        holders.hold(asked(Holder((1 << 31) - 2, 1, "x")))


@pytest.mark.parametrize(
    "holder", [None, [], [1, 2], ["1", 2, "x"], [True, 2, "x"], [0, 2, "x"], [-1, 2, "x"], [1, 2, 3]]
)
def test_requests_that_name_no_holder(holders: Holders, holder: Any) -> None:
    for verb in (holders.hold, holders.leave):
        with pytest.raises(MountError, match="unknown request"):
            verb({"holder": holder, "identity": identity(CONFIG)})


def test_what_is_shown_has_no_password() -> None:
    config = replace(CONFIG, sources=(replace(SOURCE, url="https://me:secret@host/x"), SOURCE))
    assert "secret" not in shown(config) and "s3://a/b" in shown(config)

"""A mount whose keys end, are replaced, or come late; and one on a machine whose clock is wrong."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.doors import errno_from
from tests.support.key_sources import KINDS, KeySource, key_source
from tests.support.mounts import Mounted, kernel_mount
from tests.support.quirky import Quirky
from tests.support.waiting import holds_within

pytestmark = pytest.mark.kernel

# New keys are looked for at most once in three seconds; the rest is for a busy machine.
SOON_S = 3.0 + 17.0
OBJECTS = {"a/x": b"x" * 1000, "a/y": b"y" * 1000, "b/z": b"z" * 1000}


class Place(NamedTuple):
    """A mount that signs with the keys of a source; `path` is the mountpoint."""

    keys: KeySource
    path: Path
    mount: Mounted


Start = Callable[..., contextlib.AbstractContextManager[Place]]


@pytest.fixture
def start(quirky: Quirky, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """`start(kind)`: a mount whose keys come from a source of this kind, "old" at first, and are accepted."""

    @contextlib.contextmanager
    def start(kind: str = "file", **options: object) -> Iterator[Place]:
        where = tmp_path / "home"
        where.mkdir()
        with key_source(where, kind) as keys:
            keys.put("old")
            for name, value in keys.environment.items():
                monkeypatch.setenv(name, value)
            with kernel_mount(tmp_path, quirky.url, ["s3://bkt"], {"anonymous": None, **options}) as mount:
                yield Place(keys, mount.path, mount)

    return start


@pytest.mark.parametrize("kind", KINDS)
def test_keys_that_are_replaced_are_found_wherever_they_come_from(quirky: Quirky, start: Start, kind: str) -> None:
    quirky.hold(OBJECTS, keys=["old"])
    with start(kind) as place:
        assert (place.path / "a" / "x").read_bytes() == OBJECTS["a/x"]
        place.keys.put("new")
        quirky.switch(keys=["new"])
        assert (place.path / "a" / "y").read_bytes() == OBJECTS["a/y"]
        assert os.listdir(place.path / "b") == ["z"]
        assert (place.path / "b" / "z").read_bytes() == OBJECTS["b/z"]


def test_what_was_refused_is_there_soon_after_a_new_login(quirky: Quirky, start: Start) -> None:
    quirky.hold(OBJECTS, keys=["old"])
    with start(ttl="indefinite") as place:
        assert (place.path / "a" / "x").read_bytes() == OBJECTS["a/x"]
        handle = os.open(place.path / "a" / "y", os.O_RDONLY)
        try:
            quirky.switch(keys=["new"])
            assert errno_from(os.pread, handle, 100, 0) == errno.EACCES
            assert errno_from(os.listdir, place.path / "b") == errno.EACCES
            assert errno_from(os.stat, place.path / "b" / "z") == errno.EACCES
            place.keys.put("new")
            assert holds_within(lambda: not errno_from(os.stat, place.path / "b" / "z"), SOON_S)
            assert os.listdir(place.path / "b") == ["z"]
            assert os.pread(handle, 100, 0) == OBJECTS["a/y"][:100]
        finally:
            os.close(handle)


def test_a_name_that_the_old_keys_did_not_show_is_asked_for_again(quirky: Quirky, start: Start) -> None:
    quirky.hold(OBJECTS, keys=["old"])
    with start(ttl="indefinite") as place:
        assert os.listdir(place.path / "b") == ["z"]
        assert errno_from(os.stat, place.path / "b" / "late") == errno.ENOENT
        quirky.hold({**OBJECTS, "b/late": b"late"}, keys=["new"])
        assert errno_from(os.stat, place.path / "b" / "late") == errno.ENOENT
        place.keys.put("new")
        assert (place.path / "a" / "x").read_bytes() == OBJECTS["a/x"]  # refused at first, which tells of the new keys
        assert holds_within(lambda: not errno_from(os.stat, place.path / "b" / "late"), SOON_S)


@pytest.mark.parametrize("skew", [3600, -3600])
def test_a_machine_whose_clock_is_wrong(quirky: Quirky, start: Start, skew: int) -> None:
    quirky.hold(OBJECTS, keys=["old"], skew=skew)
    with start() as place:
        assert os.listdir(place.path) == ["a", "b"]
        assert (place.path / "a" / "x").read_bytes() == OBJECTS["a/x"]
        assert "clock" in place.mount.log
        quirky.switch()
        assert (place.path / "b" / "z").read_bytes() == OBJECTS["b/z"]
        assert len({r.headers["x-amz-date"][:11] for r in quirky.log()}) <= 2, "all by the server's clock"

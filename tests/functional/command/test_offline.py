"""Without the network: the tree stands, what is cached is read, the rest is refused at once."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import cli, tree
from tests.support.cli import run_mountnd
from tests.support.proxy import Proxy

pytestmark = pytest.mark.kernel

READ, UNREAD = "sub-01/anat/read.nii", "sub-01/anat/unread.nii"
BODY = tree.content("offline", 200_000)


@pytest.fixture
def where(tmp_path: Path) -> Iterator[Path]:
    with cli.mountpoint(tmp_path.resolve() / "mnt") as path:
        yield path


@pytest.fixture
def seen(server: str, proxy: Proxy, where: Path, tmp_path: Path) -> list[str | Path]:
    """A bucket whose names, and one of whose files, an earlier mount has seen. The command line that mounts it."""
    bucket = tree.Bucket(server, f"offline-{os.getpid()}-{os.urandom(3).hex()}")
    bucket.put(READ, BODY)
    bucket.put(UNREAD, BODY)
    cache = tmp_path / "cache"
    url = f"s3://{bucket.name}"
    typed: list[str | Path] = [url, where, "--endpoint-url", proxy.url, "--anonymous", "--cache-dir", cache]
    typed += ["--ttl", "1", "--timeout", "5"]
    done = run_mountnd(*typed, "--timeout", "60")
    assert done.returncode == 0, done.stderr
    assert sorted(os.listdir(where / "sub-01/anat")) == ["read.nii", "unread.nii"]
    assert (where / READ).read_bytes() == BODY
    assert run_mountnd("umount", where).returncode == 0
    proxy.down()
    return typed


def as_before(where: Path, *refused_by: int) -> None:
    assert sorted(os.listdir(where)) == ["sub-01"]
    assert sorted(os.listdir(where / "sub-01/anat")) == ["read.nii", "unread.nii"]
    assert (where / READ).read_bytes() == BODY
    assert (where / UNREAD).stat().st_size == len(BODY)
    with pytest.raises(OSError) as refused:
        (where / UNREAD).read_bytes()
    assert refused.value.errno in refused_by


def test_an_unreachable_source_is_mounted_from_its_cache(seen: list[str | Path], where: Path) -> None:
    done = run_mountnd(*seen)
    assert done.returncode == 0, done.stderr
    assert "known from an earlier mount" in done.stdout + done.stderr
    as_before(where, errno.EIO, errno.ETIMEDOUT)


def test_offline_makes_no_request(seen: list[str | Path], where: Path, proxy: Proxy) -> None:
    proxy.up()
    proxy.clear()
    done = run_mountnd(*seen, "--offline")
    assert done.returncode == 0, done.stderr
    # sub-01, anat, and the two files
    assert f"{seen[0]}: offline: 4 names, 195.3 KiB" in done.stderr
    as_before(where, errno.EIO)
    assert proxy.requests() == []


def test_what_was_never_seen_is_not_mounted(seen: list[str | Path], where: Path, tmp_path: Path) -> None:
    done = run_mountnd(*seen, "--cache-dir", tmp_path / "another", "--timeout", "60")
    assert done.returncode == 1
    assert "refused the connection" in done.stderr or "closed the connection" in done.stderr
    assert not cli.is_mounted(where)


def test_offline_with_nothing_cached_says_what_to_do(seen: list[str | Path], where: Path, tmp_path: Path) -> None:
    for more in (["--cache-dir", tmp_path / "another"], ["--cache-size", "0"]):
        done = run_mountnd(*seen, "--offline", *more)
        assert done.returncode == 1
        assert f"{seen[0]}: nothing is cached" in done.stderr
        assert "without --offline" in done.stderr
        assert "ready" not in done.stderr
        assert not cli.is_mounted(where)


@pytest.mark.parametrize("how", ["--offline", "out of reach"])
def test_a_source_that_is_one_object(seen: list[str | Path], where: Path, proxy: Proxy, how: str) -> None:
    proxy.up()
    url, name = f"{seen[0]}/{READ}", READ.rpartition("/")[2]
    assert run_mountnd(url, *seen[1:], "--timeout", "60").returncode == 0
    assert (where / name).read_bytes() == BODY
    assert run_mountnd("umount", where).returncode == 0
    proxy.down()
    done = run_mountnd(url, *seen[1:], *([how] if how == "--offline" else []))
    assert done.returncode == 0, done.stderr
    assert os.listdir(where) == [name]
    assert (where / name).read_bytes() == BODY

"""What can be asked of a running mount: stats, refresh; and of its cache directory, also after a restart."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mountnd.daemon import rundir
from tests.support import cli, tree
from tests.support.cli import run_mountnd
from tests.support.waiting import holds_within

pytestmark = pytest.mark.kernel

BODY = tree.content("running", 300_000)


@pytest.fixture
def bucket(server: str) -> tree.Bucket:
    made = tree.Bucket(server, f"running-{os.getpid()}-{os.urandom(3).hex()}")
    made.put("sub-01/anat/sub-01_T1w.nii", BODY)
    made.put("README", b"one\n")
    return made


@pytest.fixture
def where(tmp_path: Path) -> Iterator[Path]:
    with cli.mountpoint(tmp_path.resolve() / "mnt") as path:
        yield path


def mount(bucket: tree.Bucket, where: Path, cache: Path, *options: str) -> None:
    url = f"s3://{bucket.name}"
    typed = (url, where, "--endpoint-url", bucket.url, "--anonymous", "--cache-dir", cache, "--ttl", "indefinite")
    done = run_mountnd(*typed, *options)
    assert done.returncode == 0, done.stderr


def counters(where: Path) -> dict[str, Any]:
    done = run_mountnd("stats", where, "--json")
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_stats_count_what_was_read_and_what_it_cost(bucket: tree.Bucket, where: Path, tmp_path: Path) -> None:
    mount(bucket, where, tmp_path / "cache")
    assert (where / "sub-01/anat/sub-01_T1w.nii").read_bytes() == BODY
    total = counters(where)["total"]
    assert total["bytes.fetched"] == len(BODY)
    assert total["bytes.asked"] >= len(BODY)
    assert total["get.requests"] >= 1
    (source,) = counters(where)["sources"].values()
    assert source["bytes.fetched"] == total["bytes.fetched"]
    shown = run_mountnd("stats", where)
    assert shown.returncode == 0
    assert "fetched from the source" in shown.stdout
    assert "293.0 KiB" in shown.stdout


def test_the_socket_lies_in_the_private_run_directory_and_not_in_the_tree(
    bucket: tree.Bucket, where: Path, tmp_path: Path
) -> None:
    mount(bucket, where, tmp_path / "cache")
    assert sorted(os.listdir(where)) == ["README", "sub-01"]
    assert rundir.run_dir().stat().st_mode & 0o077 == 0
    assert list(rundir.run_dir().glob("*.sock"))


def test_refresh_shows_what_an_indefinite_listing_hides(bucket: tree.Bucket, where: Path, tmp_path: Path) -> None:
    mount(bucket, where, tmp_path / "cache")
    assert sorted(os.listdir(where)) == ["README", "sub-01"]
    assert sorted(os.listdir(where / "sub-01")) == ["anat"]
    bucket.put("sub-01/func/bold.nii", b"new")
    assert sorted(os.listdir(where / "sub-01")) == ["anat"]
    done = run_mountnd("refresh", where / "sub-01")
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(os.listdir(where / "sub-01")) == ["anat", "func"]


def test_refresh_drops_the_kernels_names_too(bucket: tree.Bucket, where: Path, tmp_path: Path) -> None:
    """On an indefinite mount the kernel keeps names, present and absent, for as long as it likes."""
    mount(bucket, where, tmp_path / "cache")
    gone, new = where / "sub-01/anat/sub-01_T1w.nii", where / "sub-01/new.json"
    assert gone.exists() and not new.exists()
    bucket.delete("sub-01/anat/sub-01_T1w.nii")
    bucket.put("sub-01/new.json", b"{}")
    assert gone.exists() and not new.exists()
    assert run_mountnd("refresh", where).returncode == 0
    # Where the kernel cannot be told, it believes its names for 1 s; the rest is for a busy machine.
    assert holds_within(lambda: not gone.exists() and new.exists(), 1 + 6)
    assert not gone.exists() and new.read_bytes() == b"{}"


def test_refresh_outside_a_mount_is_an_error(tmp_path: Path) -> None:
    done = run_mountnd("refresh", tmp_path)
    assert done.returncode == 1
    assert "is not inside a mountnd mount" in done.stderr


def test_stats_of_what_is_not_mounted_is_an_error(tmp_path: Path) -> None:
    done = run_mountnd("stats", tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_bytes_and_names_outlive_the_mount(bucket: tree.Bucket, where: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    for turn in range(2):
        mount(bucket, where, cache)
        assert sorted(os.listdir(where / "sub-01/anat")) == ["sub-01_T1w.nii"]
        assert (where / "sub-01/anat/sub-01_T1w.nii").read_bytes() == BODY
        total = counters(where)["total"]
        assert run_mountnd("umount", where).returncode == 0
        assert ("bytes.fetched" in total) == (turn == 0)
    assert total["bytes.disk"] == len(BODY)
    assert {p.stat().st_mode & 0o077 for p in cache.rglob("*")} == {0}


def test_the_cache_verb_lists_checks_and_clears(bucket: tree.Bucket, where: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    mount(bucket, where, cache)
    assert (where / "sub-01/anat/sub-01_T1w.nii").read_bytes() == BODY
    assert run_mountnd("umount", where).returncode == 0
    listed = run_mountnd("cache", "ls", "--cache-dir", cache)
    assert [row.split()[:2] for row in listed.stdout.splitlines() if row.startswith(("sub-01", "Total"))] == [
        ["sub-01", "1"],
        ["Total", "1"],
    ]
    listed = run_mountnd("cache", "ls", "T1w", "--cache-dir", cache)
    assert "sub-01_T1w.nii" in "".join(listed.stdout.split())
    assert run_mountnd("cache", "verify", "--cache-dir", cache).returncode == 0
    chunk = max((p for p in (cache / "blocks").rglob("*") if p.is_file()), key=lambda p: p.stat().st_blocks)
    with open(chunk, "r+b") as f:
        f.seek(-1000, os.SEEK_END)
        byte = f.read(1)
        f.seek(-1000, os.SEEK_END)
        f.write(bytes([byte[0] ^ 1]))
    damaged = run_mountnd("cache", "verify", "--cache-dir", cache)
    assert damaged.returncode == 1
    assert "damaged" in damaged.stderr
    assert run_mountnd("cache", "clear", "--cache-dir", cache).returncode == 0
    assert "0 objects" in run_mountnd("cache", "--cache-dir", cache).stdout


def test_no_cache_means_nothing_on_disk(bucket: tree.Bucket, where: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    mount(bucket, where, cache, "--cache-size", "0")
    assert (where / "README").read_bytes() == b"one\n"
    assert run_mountnd("umount", where).returncode == 0
    assert not cache.exists()

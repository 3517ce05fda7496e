"""What a view costs, counted at the server's side: requests and bytes, never seconds."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from mountnd.views.feed import RAMP
from tests.functional.views.conftest import LARGE, LARGE_KEY
from tests.support import tree
from tests.support.children import run_program
from tests.support.doors import Door, Fresh, KernelDoor, errno_from, read
from tests.support.nifti_files import gzipped, image
from tests.support.proxy import Proxy

LARGE_NII = LARGE_KEY.removesuffix(".gz")
MIB = 1 << 20
FILES = 40


@pytest.fixture(scope="module")
def many(server: str) -> tree.Bucket:
    """FILES images of 300 KB in one directory, and a sidecar for each."""
    bucket = tree.Bucket(server, "many-images")
    for n in range(FILES):
        bucket.put(f"d/sub-{n:02d}.nii.gz", gzipped(image((64, 64, 60), seed=n), 1))
        bucket.put(f"d/sub-{n:02d}.json", b"{}")
    return bucket


def test_names_never_wait_for_sizes(fresh: Fresh, proxy: Proxy, many: tree.Bucket) -> None:
    door = fresh(proxy.url, f"s3://{many.name}", view="nii", probe=False)
    proxy.clear()
    if isinstance(door, KernelDoor):
        assert len(run_program(["ls", "-U", "--color=never", door.path("d")]).split()) == 2 * FILES
    else:
        handle = door.vfs.opendir(door.vfs.resolve(b"/d"))  # type: ignore[attr-defined]
        assert len(list(door.vfs.read_names(handle, 0))) == 2 * FILES + 2  # type: ignore[attr-defined]
        door.vfs.releasedir(handle)  # type: ignore[attr-defined]
    proxy.settled()
    assert not proxy.gets()


def test_a_walk_that_stats_costs_one_get_a_file_and_these_go_side_by_side(
    fresh: Fresh, proxy: Proxy, many: tree.Bucket
) -> None:
    door = fresh(proxy.url, f"s3://{many.name}", view="nii")
    names = sorted(door.listdir("d"))
    proxy.clear()
    sizes = [door.stat(b"d/" + name).size for name in names]
    assert set(sizes) == {2, 352 + 64 * 64 * 60 * 2}
    gets = proxy.gets()
    assert len(gets) <= FILES
    assert all(get.sent <= 64 << 10 for get in gets)
    proxy.clear()
    assert [door.stat(b"d/" + name).size for name in names] == sizes
    assert not proxy.requests()


def test_sizes_are_kept_for_the_next_mount(fresh: Fresh, proxy: Proxy, many: tree.Bucket, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    first = fresh(proxy.url, f"s3://{many.name}", view="nii", cache_dir=shared)
    names = [f"sub-{n:02d}.nii" for n in range(FILES)]  # all, since those that come next are asked for ahead
    sizes = [first.stat(f"d/{name}").size for name in names]
    second = fresh(proxy.url, f"s3://{many.name}", view="nii", cache_dir=shared)
    proxy.clear()
    assert [second.stat(f"d/{name}").size for name in names] == sizes
    assert not proxy.gets()


def test_the_last_volume_with_seek_points_is_little(
    fresh: Fresh, proxy: Proxy, images: tree.Bucket, tmp_path: Path
) -> None:
    packed = len(gzipped(LARGE, 1))
    volume = 128 * 128 * 64 * 2
    shared = tmp_path / "shared"
    cold = fresh(proxy.url, f"s3://{images.name}", view="nii", cache_dir=shared / "a")
    proxy.clear()
    assert read(cold, LARGE_NII, len(LARGE) - volume) == LARGE[-volume:]
    assert sum(get.sent for get in proxy.gets()) <= 1.15 * packed, "each compressed byte once"
    close(cold)
    (shared / "b").mkdir(parents=True)
    (shared / "a" / "views").rename(shared / "b" / "views")
    warm = fresh(proxy.url, f"s3://{images.name}", view="nii", cache_dir=shared / "b")
    proxy.clear()
    assert read(warm, LARGE_NII, len(LARGE) - volume) == LARGE[-volume:]
    gets = proxy.gets()
    assert sum(get.sent for get in gets) <= 0.4 * packed, "from the nearest seek point on"
    assert len(gets) <= 12 + RAMP[0][0], "the first pieces are small, as the connections are new"


def test_inflated_blocks_are_cached_and_compressed_ones_are_not(
    fresh: Fresh, proxy: Proxy, images: tree.Bucket, tmp_path: Path
) -> None:
    shared = tmp_path / "shared"
    first = fresh(proxy.url, f"s3://{images.name}", view="nii", cache_dir=shared)
    assert read(first, LARGE_NII, 5 * MIB, 1000) == LARGE[5 * MIB : 5 * MIB + 1000]
    close(first)
    proxy.down()
    try:
        offline = fresh(proxy.url, f"s3://{images.name}", view="nii", cache_dir=shared, offline=True)
        assert offline.stat(LARGE_NII).size == len(LARGE)
        assert read(offline, LARGE_NII, 5 * MIB, 1000) == LARGE[5 * MIB : 5 * MIB + 1000]
        assert errno_from(read, offline, LARGE_NII, 20 * MIB, 1000) == errno.EIO
    finally:
        proxy.up()
    stored = fresh(proxy.url, f"s3://{images.name}", cache_dir=shared)
    proxy.clear()
    assert read(stored, LARGE_KEY, 0, 1000) == gzipped(LARGE, 1)[:1000]
    assert proxy.gets(), "the view's blocks are not those of what is stored"


def close(door: Door) -> None:
    if isinstance(door, KernelDoor):
        door.mount.process.terminate()
        door.mount.process.wait(60)
    else:
        door.mount.close()  # type: ignore[attr-defined]


def test_a_header_of_each_file_is_two_gets(fresh: Fresh, proxy: Proxy, many: tree.Bucket) -> None:
    door = fresh(proxy.url, f"s3://{many.name}", view="nii")
    door.listdir("d")
    proxy.clear()
    handle = door.open("d/sub-07.nii")
    assert door.pread(handle, 348, 0) == image((64, 64, 60), seed=7)[:348]
    door.close(handle)
    gets = [get for get in proxy.settled() if get.method == "GET" and "sub-07" in get.path]
    assert len(gets) <= 2, "its beginning and its end"


@pytest.mark.kernel
def test_ls_l_asks_for_each_size_once(fresh_kernel: Fresh, proxy: Proxy, many: tree.Bucket) -> None:
    door = fresh_kernel(proxy.url, f"s3://{many.name}", view="nii")
    assert isinstance(door, KernelDoor)
    proxy.clear()
    out = run_program(["ls", "-l", door.path("d")])
    assert out.count(f" {352 + 64 * 64 * 60 * 2} ") == FILES
    gets = proxy.settled()
    assert len([get for get in gets if get.method == "GET" and not get.is_list]) <= FILES
    assert os.path.getsize(door.path("d/sub-00.nii")) == 352 + 64 * 64 * 60 * 2

"""What whole walks cost in requests, on a tree shaped as the benchmark's: 2,003 directories, 4,862 objects.

The goals for names, without a clock: seconds are the benchmark's, requests are the same on every machine. What a
mount asks at its start counts too, where not said otherwise.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.model import computed_bucket_mount
from tests.support import tree
from tests.support.children import run_program
from tests.support.cli import run_mountnd
from tests.support.doors import Fresh, KernelDoor, door_opener, read
from tests.support.proxy import Proxy, Request, proxied
from tests.support.study_keys import study_keys

pytestmark = pytest.mark.kernel

HEADER = 348  # bytes of a NIfTI-1 header
SIZE = 400
WALK = 12  # requests granted for the whole tree; five pages hold its keys
FIND = 7  # those of a program that reads every directory on its way: the top, and six ranges side by side
SUBJECTS = 200
START = 3  # what a start asks: where is it, is it there, can it be read?


@pytest.fixture(scope="module")
def study(server: str) -> tree.Bucket:
    bucket = tree.Bucket(server, "neuro")
    bucket.put_all((key, tree.content(key, SIZE)) for key in study_keys())
    return bucket


@pytest.fixture
def cold(fresh_kernel: Fresh, proxy: Proxy, study: tree.Bucket) -> KernelDoor:
    """A mount of the study of which nothing is known but what mounting asked for."""
    return mount(fresh_kernel, proxy, study)


@pytest.fixture
def vast() -> Iterator[Proxy]:
    """In front of buckets too large to hold."""
    with computed_bucket_mount.server() as url, proxied(url) as proxy:
        yield proxy


def mount(fresh: Fresh, proxy: Proxy, bucket: tree.Bucket, **options: object) -> KernelDoor:
    door = fresh(proxy.url, f"s3://{bucket.name}", **options)
    assert isinstance(door, KernelDoor)
    return door


def find(door: KernelDoor, where: str = "") -> list[str]:
    """The files at and below `where` as keys, sorted."""
    out = run_program([b"find", door.path(where), b"-type", b"f"])
    return sorted(os.path.relpath(line, door.mount.path) for line in out.splitlines())


def ls(door: KernelDoor) -> int:
    """How many files `ls -lR` shows."""
    return sum(line.startswith("-") for line in run_program([b"ls", b"-lR", door.path()]).splitlines())


def images() -> list[str]:
    """One in each of 200 directories."""
    return [f"sub-{s:03}/ses-0/anat/sub-{s:03}_ses-0_T1w.nii" for s in range(SUBJECTS)]


def names(requests: list[Request]) -> list[Request]:
    """The requests for names alone."""
    return [r for r in requests if r.is_list or r.method == "HEAD"]


def test_the_first_look_costs_what_mounting_cost(cold: KernelDoor, proxy: Proxy) -> None:
    assert cold.listdir() == {key.split("/")[0].encode() for key in study_keys()}
    requests = proxy.settled()
    assert [r.is_list for r in requests if r.sent != 1] == [True], requests


def test_find_takes_seven_requests_and_again_none(cold: KernelDoor, proxy: Proxy) -> None:
    assert find(cold) == sorted(study_keys())
    requests = [r for r in proxy.settled() if r.sent != 1]  # less the byte that mounting read
    assert len(requests) <= FIND, requests
    assert all(r.is_list for r in requests)
    proxy.clear()
    assert find(cold) == sorted(study_keys())
    assert ls(cold) == len(study_keys())
    assert proxy.settled() == []


def test_ls_takes_no_more_than_find(cold: KernelDoor, proxy: Proxy) -> None:
    assert ls(cold) == len(study_keys())
    requests = [r for r in proxy.settled() if r.sent != 1]  # less the byte that mounting read
    assert len(requests) <= FIND, requests
    assert all(r.is_list for r in requests)
    proxy.clear()
    assert ls(cold) == len(study_keys())
    assert proxy.settled() == []


def test_programs_that_walk_at_once_share_one_walk(cold: KernelDoor, proxy: Proxy) -> None:
    with ThreadPoolExecutor(3) as pool:
        assert [len(found) for found in pool.map(lambda _: find(cold), range(3))] == [len(study_keys())] * 3
    # They may come to a directory each before the walk is noticed.
    assert len(proxy.settled()) <= WALK + 3


def test_find_after_a_restart_takes_what_mounting_takes(
    fresh_kernel: Fresh, proxy: Proxy, study: tree.Bucket, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    with door_opener("kernel", tmp_path) as before:
        assert len(find(mount(before, proxy, study, cache_dir=kept))) == len(study_keys())
    proxy.clear()
    assert find(mount(fresh_kernel, proxy, study, cache_dir=kept)) == sorted(study_keys())
    assert len(proxy.settled()) <= 2


def test_one_path_is_two_requests_side_by_side(cold: KernelDoor, proxy: Proxy) -> None:
    """The top's page, and all that begins with the first name: four levels down, and all absent names on the way."""
    proxy.clear()
    path = images()[100]
    assert cold.stat(path).size == SIZE
    assert len(proxy.settled()) == 2
    for absent in ("sub-100/absent", "sub-100/ses-0/anat/absent", "absent", path + "x"):
        assert not os.path.exists(cold.path(absent))
    assert len(proxy.settled()) == 2


def in_order(paths: list[str]) -> list[str]:
    return paths


def shuffled(paths: list[str]) -> list[str]:
    return random.Random(4).sample(paths, len(paths))


@pytest.mark.parametrize("order", [in_order, shuffled])
def test_one_file_in_each_of_200_directories(
    cold: KernelDoor, proxy: Proxy, order: Callable[[list[str]], list[str]]
) -> None:
    """Their headers: requests for names until the walk is noticed, then none; and one for each file's bytes."""
    paths = order(images())
    for at, path in enumerate(paths):
        assert read(cold, path, 0, HEADER) == tree.content(path, SIZE)[:HEADER]
        if at == SUBJECTS // 4:
            early = names(proxy.settled())
    requests = proxy.settled()
    assert len(names(requests)) <= WALK + 2, names(requests)
    assert names(requests) == early, "once the walk is noticed, names cost nothing"
    fetched = [r.path for r in proxy.gets()]
    assert set(fetched) >= {f"/neuro/{path}" for path in paths}
    assert len(fetched) == len(set(fetched)) <= 1.5 * SUBJECTS


def test_of_fifty_data_sets_only_the_one_walked_is_listed(fresh_kernel: Fresh, vast: Proxy) -> None:
    door = fresh_kernel(vast.url, "s3://studies-1000000")
    assert isinstance(door, KernelDoor)
    assert len(door.listdir()) == 50
    vast.clear()
    assert len(find(door, "ds00020")) == 20_000
    requests = vast.settled()
    assert len(requests) <= 20 * 1.5, "twenty pages hold it"
    assert all(r.query["prefix"].startswith("ds00020/") for r in requests), requests


def test_names_of_a_huge_directory(fresh_kernel: Fresh, vast: Proxy) -> None:
    """Nobody waits for five million names: neither for the first of them nor for one of them."""
    door = fresh_kernel(vast.url, "s3://flat-5000000")
    vast.clear()
    assert door.stat("image/4000321").size > 0
    # For each level a page of it, and beside it what begins with the name.
    assert len(vast.settled()) <= 4
    for name in ("0000007", "3999999", "absent"):
        vast.clear()
        assert os.path.exists(door.path(f"image/{name}")) == (name != "absent")
        assert len(vast.settled()) == 1, "it is known to be large"
    vast.clear()
    with os.scandir(door.path("image")) as entries:
        assert next(entries).name == b"0000000"
    # The page, and the one that a reader of directories is going to want.
    assert len(vast.settled()) <= 2


def prefetch(proxy: Proxy, cache: Path, source: str, *words: str) -> list[Request]:
    """What `mountnd prefetch` of a source asked for."""
    proxy.clear()
    done = run_mountnd("prefetch", source, *words, "--endpoint-url", proxy.url, "--anonymous", "--cache-dir", cache)
    assert done.returncode == 0, done.stderr
    return proxy.settled()


def test_a_prefetch_is_a_walk_and_one_get_a_file(study: tree.Bucket, proxy: Proxy, tmp_path: Path) -> None:
    requests = prefetch(proxy, tmp_path, f"s3://{study.name}", "--sub", "00?")  # whose names are a tenth of all
    names = [r for r in requests if r.is_list]
    fetched = Counter(r.path.removeprefix(f"/{study.name}/") for r in requests if not r.is_list and r.sent == SIZE)
    assert len(names) <= WALK
    assert set(fetched) >= {key for key in study_keys() if key.startswith("sub-00")}
    assert set(fetched.values()) == {1}
    again = prefetch(proxy, tmp_path, f"s3://{study.name}", "--sub", "00?")
    assert len(again) <= START


def test_a_prefetch_of_names_lists_them_once(vast: Proxy, tmp_path: Path) -> None:
    """40,000 keys in 2,000 directories: 40 pages hold them."""
    requests = prefetch(vast, tmp_path, "s3://studies-40000", "--names")
    assert all(r.is_list for r in requests if r.method == "GET")
    assert len(requests) <= 65
    assert len(prefetch(vast, tmp_path, "s3://studies-40000", "--names")) <= START


def test_a_prefetch_of_one_study_does_not_list_the_others(vast: Proxy, tmp_path: Path) -> None:
    requests = prefetch(vast, tmp_path, "s3://studies-400000", "--names", "--include", "ds00003/**")
    assert len(requests) <= 30  # 20,000 keys are its own
    assert not [r for r in requests if "ds00007" in r.query.get("prefix", "") + r.query.get("start-after", "")]

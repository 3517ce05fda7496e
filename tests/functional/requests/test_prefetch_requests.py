"""What readahead across files costs and saves, counted at the server's side: requests, never seconds."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

import pytest

from mountnd.parallelism import BYTE_RESERVED, BYTE_WORKERS
from mountnd.vfs.prefetch.walk import AHEAD_BYTES, FILE_BYTES, PASSED_KEPT
from mountnd.vfs.prefetch.walks import MISSES_TOLERATED
from mountnd.workers import STALLED_S
from tests.support import tree
from tests.support.doors import Door, Fresh, read
from tests.support.proxy import Proxy

BESIDE = ("bold.json", "events.tsv", "physio.tsv", "scans.tsv")
SUBJECTS = 60
FLAT = 600
MAX_AHEAD = AHEAD_BYTES // FILE_BYTES  # small files
# Prefetches that begin while none is answered; fewer than two sweeps guess.
BEGIN = BYTE_WORKERS - BYTE_RESERVED
ATTEMPTS = 10


def flat(n: int) -> str:
    return f"flat/f_{n:04d}.nii"


def func(subject: int, what: str) -> str:
    return f"study/sub-{subject:02d}/func/sub-{subject:02d}_{what}"


@pytest.fixture(scope="module")
def walked(server: str) -> tree.Bucket:
    """A directory of many images, and a study: in each subject's directory an image and four small sidecars."""
    bucket = tree.Bucket(server, "walked")
    keys = [flat(n) for n in range(FLAT)]
    for s in range(SUBJECTS):
        keys += [func(s, what) for what in (*BESIDE, "bold.nii")]
    bucket.put_all((key, tree.content(key, 300_000 if key.endswith("bold.nii") else 500)) for key in keys)
    return bucket


@pytest.fixture
def seen(fresh: Fresh, proxy: Proxy, walked: tree.Bucket) -> Door:
    """A fresh mount all of whose directories are listed."""
    return listed(fresh, proxy, walked)


def listed(fresh: Fresh, proxy: Proxy, walked: tree.Bucket) -> Door:
    door = fresh(proxy.url, f"s3://{walked.name}")
    door.listdir("flat")
    for subject in door.listdir("study"):
        door.listdir(b"study/" + subject + b"/func")
    proxy.clear()
    return door


def fetched(proxy: Proxy, walked: tree.Bucket) -> set[str]:
    return {get.path.removeprefix(walked.path("")) for get in proxy.gets()}


def walk_held(fresh: Fresh, proxy: Proxy, walked: tree.Bucket, then: Sequence[int]) -> set[str]:
    """Open 20 files in order while the server answers none, and then those numbered `then`: what was asked for before
    these, as far as it can begin beside what is asked for of a study.

    Requests that hang for STALLED_S let others begin, so all of this happens sooner; a busy machine may take several
    attempts.
    """
    for _ in range(ATTEMPTS):
        seen = listed(fresh, proxy, walked)
        proxy.rule("hold", prefix=walked.path(""))
        began = time.monotonic()
        for s in range(12):
            seen.close(seen.open(func(s, "bold.nii")))
        for n in range(20):
            seen.close(seen.open(flat(n)))
        proxy.await_request(lambda _: len(proxy.gets()) >= BEGIN)
        begun = fetched(proxy, walked)
        for n in then:
            seen.close(seen.open(flat(n)))
        took = time.monotonic() - began
        proxy.behave()
        proxy.settled()
        if took < STALLED_S:
            return begun
    pytest.fail(f"this machine is too busy: {took:.1f} s")


def test_a_broken_pattern_ends_the_requests_that_had_not_begun(fresh: Fresh, proxy: Proxy, walked: tree.Bucket) -> None:
    """The server takes requests and answers none, so only so many begin; the walk then goes where nobody guessed."""
    begun = walk_held(fresh, proxy, walked, [150 + 40 * n for n in range(MISSES_TOLERATED + 1)])
    assert len(begun) == BEGIN
    opened = {flat(n) for n in range(20)} | {func(s, "bold.nii") for s in range(12)}  # these may be read yet
    assert fetched(proxy, walked) - opened == begun - opened
    late = {flat(n) for n in range(20, 20 + MAX_AHEAD)} - begun
    assert late and not fetched(proxy, walked) & late


def test_what_the_walk_passes_by_is_not_asked_for(fresh: Fresh, proxy: Proxy, walked: tree.Bucket) -> None:
    begun = walk_held(fresh, proxy, walked, [64])
    passed = {flat(n) for n in range(20, 64 - PASSED_KEPT)} - begun
    assert passed and not fetched(proxy, walked) & passed


def test_a_walk_that_passes_files_by_goes_on_from_there(seen: Door, proxy: Proxy, walked: tree.Bucket) -> None:
    for n in range(20):
        seen.close(seen.open(flat(n)))
    seen.close(seen.open(flat(80)))
    proxy.settled()
    assert flat(90) in fetched(proxy, walked)


def test_a_header_walk_is_one_request_an_image(seen: Door, proxy: Proxy, walked: tree.Bucket) -> None:
    for s in range(SUBJECTS):
        read(seen, func(s, "bold.nii"), 0, 348)
    proxy.settled()
    assert len(proxy.gets()) == SUBJECTS
    assert fetched(proxy, walked) == {func(s, "bold.nii") for s in range(SUBJECTS)}


def test_one_sidecar_brings_those_beside_it(seen: Door, proxy: Proxy, walked: tree.Bucket) -> None:
    key = func(7, BESIDE[0])
    assert read(seen, key) == tree.content(key, 500)
    proxy.settled()
    assert fetched(proxy, walked) == {func(7, what) for what in BESIDE}
    proxy.clear()
    for what in BESIDE[1:]:
        assert read(seen, func(7, what)) == tree.content(func(7, what), 500)
    assert not proxy.settled()


def test_one_sidecar_a_directory_costs_two_directories(seen: Door, proxy: Proxy, walked: tree.Bucket) -> None:
    for s in range(SUBJECTS):
        read(seen, func(s, BESIDE[1]))
    proxy.settled()
    in_vain = fetched(proxy, walked) - {func(s, BESIDE[1]) for s in range(SUBJECTS)}
    assert len(proxy.gets()) == SUBJECTS + len(in_vain)
    assert len(in_vain) == 2 * (len(BESIDE) - 1)


def test_all_sidecars_are_fetched_once_each(seen: Door, proxy: Proxy, walked: tree.Bucket) -> None:
    for s in range(SUBJECTS):
        for what in BESIDE:
            assert read(seen, func(s, what)) == tree.content(func(s, what), 500)
    proxy.settled()
    gets = proxy.gets()
    often = Counter(get.path for get in gets)
    assert not [get for get in gets if often[get.path] > 1]
    assert len(gets) == SUBJECTS * len(BESIDE)


def test_an_image_brings_the_sidecars_that_were_read_after_images(
    seen: Door, proxy: Proxy, walked: tree.Bucket
) -> None:
    """The subjects in no order, so that no sweep sees a pattern."""
    for s in (30, 4, 21, 12):
        read(seen, func(s, "bold.nii"), 0, 348)
        read(seen, func(s, "bold.json"))
    proxy.settled()
    proxy.clear()
    read(seen, func(36, "bold.nii"), 0, 348)
    proxy.settled()
    assert func(36, "bold.json") in fetched(proxy, walked)
    assert func(36, "physio.tsv") not in fetched(proxy, walked)

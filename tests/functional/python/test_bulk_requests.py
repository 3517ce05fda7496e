"""What much at once costs in requests, and that it is on its way at once: counted at the server's door, never timed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from mountnd.api.filesystem import MountndFileSystem
from mountnd.parallelism import BYTE_WORKERS
from tests.support import tree
from tests.support.proxy import Proxy
from tests.support.study_keys import study_keys
from tests.support.tree import KIB, MIB, Bucket
from tests.support.waiting import PATIENCE_S, wait_until

from .conftest import Made

SIZE = 400
LARGE = 24 * MIB
SUBJECTS = 80
# Requests for the names of the study, which has 1,982 keys in 803 directories: three pages hold them.
FIND, LOOK_UP = 12, 40


def keys() -> list[str]:
    """Of a study of `SUBJECTS`."""
    return [key for key in study_keys() if not key.startswith("sub-") or int(key[4:7]) < SUBJECTS]


@pytest.fixture(scope="module")
def study(server: str) -> Bucket:
    bucket = Bucket(server, "neuro-python")
    bucket.put_all((key, tree.content(key, SIZE)) for key in keys())
    bucket.put("large.bin", tree.content("large.bin", LARGE))
    return bucket


@pytest.fixture
def fs(made: Made, study: Bucket, proxy: Proxy) -> MountndFileSystem:
    """Of the study, through the proxy; nothing is known."""
    return made(proxy.url, f"s3://{study.name}", probe=False, ttl="indefinite")


def sidecars() -> list[str]:
    """Small files, each in a directory of its own."""
    return [key for key in keys() if key.endswith("_a.json")]


def held(proxy: Proxy, call: Callable[[], Any], at_once: int) -> Any:
    """What `call` returns, of whose requests for bytes none is answered before so many are there."""
    proxy.rule("hold", lists=False)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(call)
        try:
            wait_until(lambda: sum(r.open for r in proxy.gets()) >= at_once, f"{at_once} requests at once")
        finally:
            proxy.behave()
        return future.result(PATIENCE_S)


def test_find_lists_subtrees(fs: MountndFileSystem, proxy: Proxy) -> None:
    assert fs.find("") == sorted([*keys(), "large.bin"])
    assert len(proxy.lists()) <= FIND
    proxy.clear()
    assert len(fs.glob("sub-*/ses-*/anat/*.json")) == len([k for k in keys() if "/anat/" in k and "json" in k])
    assert fs.du("") == SIZE * len(keys()) + LARGE
    assert proxy.requests() == []


def test_ranges_are_under_way_at_once(fs: MountndFileSystem, proxy: Proxy) -> None:
    body = tree.content("large.bin", LARGE)
    dice = random.Random(5)
    # Two blocks of each eight, so that none come together.
    starts = [at * 8 * 64 * KIB + dice.randrange(64 * KIB) for at in range(LARGE // (8 * 64 * KIB))]
    dice.shuffle(starts)
    ends = [start + 50 * KIB for start in starts]
    fs.info("large.bin")
    found = held(
        proxy, lambda: fs.cat_ranges(["large.bin"] * len(starts), starts, ends), min(len(starts), BYTE_WORKERS)
    )
    assert found == [body[start:end] for start, end in zip(starts, ends, strict=True)]
    assert len(proxy.gets()) == len(starts)
    proxy.clear()
    assert fs.cat_ranges(["large.bin"] * len(starts), starts, ends, max_gap=1, on_error="raise") == found
    assert proxy.requests() == []


def test_near_ranges_come_together(fs: MountndFileSystem, proxy: Proxy) -> None:
    body = tree.content("large.bin", LARGE)
    starts = [MIB + 3 * KIB * i for i in range(200)]
    found = fs.cat_ranges(["large.bin"] * 200, starts, [start + KIB for start in starts])
    assert found == [body[start : start + KIB] for start in starts]
    assert len(proxy.gets()) == 1


def test_many_small_files_are_under_way_at_once(fs: MountndFileSystem, proxy: Proxy) -> None:
    """Nothing is known of them: neither their names nor the directories around."""
    some = sidecars()
    found = held(proxy, lambda: fs.cat(some), BYTE_WORKERS)
    assert found == {key: tree.content(key, SIZE) for key in some}
    assert len(proxy.gets()) == len(some)
    assert len(proxy.lists()) <= LOOK_UP
    proxy.clear()
    assert fs.cat(some) == found
    assert proxy.requests() == []


def test_a_large_file_is_fetched_once_in_large_pieces(fs: MountndFileSystem, proxy: Proxy) -> None:
    assert fs.cat_file("large.bin") == tree.content("large.bin", LARGE)
    gets = proxy.gets()
    assert LARGE <= sum(request.sent for request in gets) <= LARGE * 1.01
    assert len(gets) <= LARGE // MIB


def test_more_than_memory_holds(made: Made, study: Bucket) -> None:
    small = made(study.url, f"s3://{study.name}", memory="8M", cache_size=0)
    some = ["large.bin", *sidecars()[:50], "large.bin"]
    found = small.cat_ranges(some, 0, LARGE)
    assert found == [tree.content(key, LARGE if key == "large.bin" else SIZE) for key in some]
    with ThreadPoolExecutor(6) as pool:  # each takes turns with the others
        for one in pool.map(lambda _: small.cat_file("large.bin"), range(6)):
            assert one == found[0]


def test_get_copies_many_at_once(fs: MountndFileSystem, proxy: Proxy, tmp_path: Any) -> None:
    some = sidecars()[:100]
    fs.find("")
    held(proxy, lambda: fs.get(some, [str(tmp_path / key) for key in some]), 40)
    assert {key: (tmp_path / key).read_bytes() for key in some} == {key: tree.content(key, SIZE) for key in some}
    fs.get("sub-000/ses-0", str(tmp_path / "copy"), recursive=True)
    copied = {str(p.relative_to(tmp_path / "copy")) for p in (tmp_path / "copy").rglob("*") if p.is_file()}
    assert copied == {key.removeprefix("sub-000/ses-0/") for key in fs.find("sub-000/ses-0")}


def test_coroutines_are_under_way_at_once(made: Made, study: Bucket, proxy: Proxy) -> None:
    fs = made(proxy.url, f"s3://{study.name}", probe=False, asynchronous=True)
    some = sidecars()[:60]

    async def each() -> list[bytes]:
        return await asyncio.gather(*(fs._cat_file(key) for key in some))

    fs.find("")
    assert held(proxy, lambda: asyncio.run(each()), 40) == [tree.content(key, SIZE) for key in some]


def test_coroutines_do_what_methods_do(made: Made, study: Bucket) -> None:
    fs = made(study.url, f"s3://{study.name}", asynchronous=True)
    key = sidecars()[0]
    body = tree.content(key, SIZE)

    async def all_of_them() -> None:
        assert await fs._info(key) == fs.info(key)
        assert await fs._ls("sub-000") == fs.ls("sub-000")
        assert await fs._find("sub-000") == fs.find("sub-000")
        assert await fs._glob("sub-000/*/anat/*") == fs.glob("sub-000/*/anat/*")
        assert [one async for one in fs._walk("sub-000")] == list(fs.walk("sub-000"))
        assert await fs._exists(key) and not await fs._exists("nosuch") and await fs._isdir("sub-000")
        assert await fs._cat([key]) == {key: body}
        assert await fs._cat_ranges([key, key], [0, 5], [5, 10]) == [body[:5], body[5:10]]
        assert await fs._du("sub-000") == fs.du("sub-000")
        assert await fs._size(key) == SIZE
        file = await fs.open_async(key)
        assert await file.read(5) == body[:5] and await file.read() == body[5:]
        file.seek(100)
        assert await file.read(1) == body[100:101]
        await file.close()
        with pytest.raises(FileNotFoundError):
            await fs._cat_file("nosuch")
        with pytest.raises(OSError, match="Read-only"):
            await fs._pipe_file("new", b"")

    asyncio.run(all_of_them())


@pytest.fixture
def one_failing(proxy: Proxy, study: Bucket) -> Iterator[str]:
    key = sidecars()[7]
    proxy.rule("status", path=study.path(key), status=403, code="AccessDenied")
    yield key
    proxy.behave()


def test_one_that_fails_harms_no_other(fs: MountndFileSystem, one_failing: str) -> None:
    some = sidecars()[:40]
    found = fs.cat(some, on_error="return")
    assert isinstance(found[one_failing], PermissionError)
    assert all(found[key] == tree.content(key, SIZE) for key in some if key != one_failing)
    assert set(fs.cat(some, on_error="omit")) == set(some) - {one_failing}
    with pytest.raises(PermissionError):
        fs.cat(some)

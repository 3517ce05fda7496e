"""One row of `python`, done by one file system of fsspec's: `python -m ...python_job ROW PEER URL CACHE`.

Prints a JSON object: the seconds of the first call and of the same again, after one small file was read, CPU seconds of
this process with its start, and whether the results are the source's.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from .data import BIG, HUGE
from .place import DATA

BUCKET = "neuro"
KIB = 1 << 10


class Row(NamedTuple):
    """What is called, and the results as they must be. `goal`: at most so much of what s3fs takes as it comes."""

    call: Callable[[Any], Any]
    expected: Callable[[], Any]
    goal: float
    about: str


def path(key: str) -> str:
    return f"{BUCKET}/{key}"


def offsets() -> list[int]:
    dice = random.Random(41)
    return [dice.randrange(HUGE - 64 * KIB) for _ in range(200)]


def sidecars() -> list[str]:
    places = [(s, e) for s in range(67, 200) for e in range(3)]
    return [f"sub-{s:03d}/ses-{e}/func/sub-{s:03d}_ses-{e}_task-rest_bold.json" for s, e in places] + ["README"]


def read(key: str, start: int = 0, size: int = -1) -> bytes:
    with (DATA / BUCKET / key).open("rb") as file:
        file.seek(start)
        return file.read(size)


def names() -> list[str]:
    rows = (DATA / f"{BUCKET}.index").read_text().splitlines()
    return sorted(row.partition("\t")[0] for row in rows)


ROWS = {
    "P1-ranges200": Row(
        lambda fs: fs.cat_ranges([path("big/huge.nii")] * 200, offsets(), [at + 64 * KIB for at in offsets()]),
        lambda: [read("big/huge.nii", at, 64 * KIB) for at in offsets()],
        1 / 3,
        "`cat_ranges` of 200 x 64 KiB in 2 GiB",
    ),
    "P2-small400": Row(
        lambda fs: fs.cat([path(key) for key in sidecars()]),
        lambda: {path(key): read(key) for key in sidecars()},
        1 / 3,
        "`cat` of 400 small files in as many directories",
    ),
    "P3-cat256": Row(
        lambda fs: fs.cat_file(path("big/bold_00.nii")),
        lambda: read("big/bold_00.nii", 0, BIG),
        1,
        "`cat_file` of 256 MiB",
    ),
    "P4-find": Row(
        lambda fs: [name.removeprefix("s3:") for name in fs.find(BUCKET)],
        lambda: [path(key) for key in names()],
        1,
        "`find` through 2,000 directories",
    ),
}


def _mountnd(url: str, cache: str) -> Any:
    from mountnd.api.filesystem import MountndFileSystem

    options = {"endpoint_url": url, "anonymous": True, "region": "us-east-1", "cache_dir": cache}
    return MountndFileSystem(**options)


def _s3fs(url: str, cache: str, **more: Any) -> Any:
    from s3fs import S3FileSystem

    return S3FileSystem(anon=True, endpoint_url=url, client_kwargs={"region_name": "us-east-1"}, **more)


PEERS: dict[str, Callable[[str, str], Any]] = {
    "mountnd": _mountnd,
    "s3fs": _s3fs,
    "s3fs-64": lambda url, cache: _s3fs(url, cache, config_kwargs={"max_pool_connections": 64}),
}


def on_names(fs: Any, peer: str) -> Any:
    """`fs` as rows call it: ours knows buckets by their URL."""
    return _Prefixed(fs) if peer == "mountnd" else fs


class _Prefixed:
    def __init__(self, fs: Any) -> None:
        self._fs = fs

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._fs, name)

        def call(paths: Any, *args: Any) -> Any:
            urls = [f"s3://{one}" for one in paths] if isinstance(paths, list) else f"s3://{paths}"
            found = method(urls, *args)
            if isinstance(found, dict):
                return {key.removeprefix("s3:"): value for key, value in found.items()}
            return found

        return call


def main(row: str, peer: str, url: str, cache: str) -> None:
    fs = on_names(PEERS[peer](url, cache), peer)
    fs.cat_file(path("README"))  # what a first request loads and finds out is not what is compared
    seconds, found = [], []
    for _ in range(2):
        begun = time.perf_counter()
        found.append(ROWS[row].call(fs))
        seconds.append(time.perf_counter() - begun)
    used = resource.getrusage(resource.RUSAGE_SELF)
    expected = ROWS[row].expected()
    told = {
        "cold": round(seconds[0], 3),
        "again": round(seconds[1], 3),
        "cpu": round(used.ru_utime + used.ru_stime, 2),
        "rss_mb": used.ru_maxrss >> 10,
        "right": all(one == expected for one in found),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Forks, threads, the interpreter's end, and the disk cache that several processes share.

What forks is a program of its own: this process has threads of pytest's.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mountnd.api.filesystem import MountndFileSystem
from tests.support import tree
from tests.support.cli import ROOT, environment
from tests.support.doors import Fresh, KernelDoor, read
from tests.support.proxy import Proxy
from tests.support.servers import silent_server
from tests.support.tree import Bucket
from tests.support.waiting import wait_until

from .conftest import Made, options

LIMIT_S = 60.0

PREFACE = """
import os, sys, hashlib, json
from mountnd.api.filesystem import MountndFileSystem
fs = MountndFileSystem(**json.loads(sys.argv[1]))
def digest(path):
    return hashlib.sha256(fs.cat_file(path)).hexdigest()
"""


def program(code: str, given: dict[str, object], *args: str) -> str:
    """What a Python program prints that begins with `PREFACE`. Nothing may be said on its standard error, in a mode in
    which every warning is an error, and it ends soon."""
    import json

    argv = [sys.executable, "-X", "dev", "-W", "error", "-c", PREFACE + code, json.dumps(given), *args]
    env = environment() | {"AWS_EC2_METADATA_DISABLED": "true"}
    # Python tells of forks while there are threads, which is what is tried here.
    argv[3:3] = ["-W", "ignore:This process:DeprecationWarning"]
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


@pytest.fixture
def given(dataset: Bucket, tmp_path: Path) -> dict[str, object]:
    return options(dataset.url, tmp_path / "cache", source=f"s3://{dataset.name}")


FORKED = """
names = sorted(json.loads(sys.argv[2]))
expected = json.loads(sys.argv[2])
opened = fs.open("big/volume.nii")
first = opened.read(1000)
assert digest(names[0]) == expected[names[0]]
for turn in range(3):  # a child of a process with threads and connections, a few times
    pid = os.fork()
    if not pid:
        code = 1
        try:
            opened.seek(0)
            assert opened.read(1000) == first
            assert {name: digest(name) for name in names} == expected
            assert first + opened.read() == fs.cat_file("big/volume.nii")
            code = 0
        finally:
            os._exit(code)
    assert digest(names[turn]) == expected[names[turn]]  # beside it, over connections that the child must not end
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert {name: digest(name) for name in names} == expected
print("done")
"""


def test_a_forked_process_reads_on(given: dict[str, object]) -> None:
    """Also with nothing on disk, so that each has to ask, and through a file that its parent had opened."""
    import json

    assert program(FORKED, given | {"cache_size": 0}, json.dumps(tree.digests())) == "done\n"


POOL = """
import multiprocessing
names, expected = sorted(json.loads(sys.argv[2])), json.loads(sys.argv[2])
def check(args):
    fs, name = args
    return hashlib.sha256(fs.cat_file(name)).hexdigest()
if __name__ == "__main__":
    digest(names[0])
    with multiprocessing.get_context("fork").Pool(3) as pool:
        assert dict(zip(names, pool.map(check, [(fs, name) for name in names]))) == expected
    print("done")
"""


def test_a_pool_of_processes(given: dict[str, object]) -> None:
    import json

    assert program(POOL, given, json.dumps(tree.digests())) == "done\n"


AT_FORK = """
import threading
fs.cat_file("participants.tsv")  # an import that is under way is never finished in a child: that is Python's affair
# Threads that take every lock there is, again and again, while children are made.
stop = threading.Event()
def busy():
    while not stop.is_set():
        fs.invalidate_cache()
        fs.cat_ranges(["big/volume.nii"] * 20, list(range(0, 2000000, 100000)), list(range(10, 2000010, 100000)))
threads = [threading.Thread(target=busy) for _ in range(4)]
for thread in threads:
    thread.start()
for turn in range(8):
    pid = os.fork()
    if not pid:
        os._exit(0 if len(fs.cat_file("participants.tsv")) == 97 and fs.exists("sub-01") else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
stop.set()
for thread in threads:
    thread.join()
print("done")
"""


def test_forks_while_threads_read(given: dict[str, object]) -> None:
    assert program(AT_FORK, given | {"ttl": 0, "memory": "8M", "cache_size": 0}) == "done\n"


@pytest.mark.parametrize(
    "code",
    [
        "print(len(fs.find('')) > 10); fs.cat('', recursive=True)",
        "print(True); file = fs.open('big/volume.nii'); file.read(1)",
        """
import asyncio
a = type(fs)(**json.loads(sys.argv[1]), asynchronous=True)
print(len(asyncio.run(a._cat_file('big/volume.nii'))) > 0)
""",
        "print(True); fs.get('sub-01', os.path.join(sys.argv[2], 'copy'), recursive=True)",
    ],
)
def test_the_interpreter_ends_in_silence(given: dict[str, object], tmp_path: Path, code: str) -> None:
    assert program(code, given, str(tmp_path)) == "True\n"


def test_the_interpreter_ends_while_a_server_is_silent(tmp_path: Path) -> None:
    code = """
import threading, time
threading.Thread(target=lambda: fs.cat_file("f"), daemon=True).start()
time.sleep(0.5)
print("done")
"""
    with silent_server() as url:
        begun = time.monotonic()
        assert program(code, options(url, tmp_path, source="s3://bucket", probe=False, timeout=50)) == "done\n"
        assert time.monotonic() - begun < 40  # it did not wait for the time-out


def test_threads_share_what_is_there(made: Made, dataset: Bucket, proxy: Proxy) -> None:
    fs = made(proxy.url, f"s3://{dataset.name}")
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: fs.cat_file(tree.BIG), range(32)))
    assert set(found) == {tree.content(tree.BIG, tree.BIG_SIZE)}
    assert sum(request.sent for request in proxy.gets(dataset.path(tree.BIG))) <= tree.BIG_SIZE + 64 * tree.KIB


def test_what_nobody_refers_to_is_closed(made: Made, dataset: Bucket) -> None:
    fs = made(dataset.url, f"s3://{dataset.name}", memory="9M")
    opened, _ = fs.tree_of("")
    gone, workers = weakref.ref(opened), opened.mount.workers
    file = fs.open(tree.BIG)
    MountndFileSystem.clear_instance_cache()
    del fs, opened
    gc.collect()
    assert file.read(10)  # an open file keeps it
    file.close()
    del file
    gc.collect()
    assert gone() is None

    def is_closed() -> bool:
        try:
            workers[0].submit(int)
        except RuntimeError:
            return True
        return False

    wait_until(is_closed, "its requests end")


def bytes_sent(proxy: Proxy) -> int:
    return sum(request.sent for request in proxy.settled() if request.method == "GET" and not request.is_list)


READ = "print(sum(map(len, fs.cat('', recursive=True).values())))"


def test_the_next_process_finds_what_this_one_read(given: dict[str, object], proxy: Proxy, dataset: Bucket) -> None:
    given |= {"endpoint_url": dataset.url}
    given = options(proxy.url, Path(str(given["cache_dir"])), source=f"s3://{dataset.name}")
    total = f"{sum(tree.FILES.values())}\n"
    assert program(READ, given) == total
    proxy.clear()
    assert program(READ, given) == total
    assert bytes_sent(proxy) <= 1  # the probe's


@pytest.mark.kernel
def test_processes_and_a_mount_share_one_cache(
    fresh_kernel: Fresh, made: Made, proxy: Proxy, dataset: Bucket, tmp_path: Path
) -> None:
    """At once, each reading everything: the bytes are right, and what is on disk afterwards is whole."""
    cache = tmp_path / "shared"
    door = fresh_kernel(proxy.url, f"s3://{dataset.name}", cache_dir=cache)
    assert isinstance(door, KernelDoor)
    given = options(proxy.url, cache, source=f"s3://{dataset.name}")
    fs = MountndFileSystem(**given)
    total = sum(tree.FILES.values())

    def through_the_mount() -> int:
        return sum(len(read(door, name)) for name in tree.FILES)

    def here() -> int:
        return sum(map(len, fs.cat(sorted(tree.FILES)).values()))

    with ThreadPoolExecutor(4) as pool:
        calls = [lambda: int(program(READ, given)), lambda: int(program(READ, given)), through_the_mount, here]
        assert [future.result(LIMIT_S) for future in [pool.submit(call) for call in calls]] == [total] * 4
    wait_until(lambda: _kept(cache) >= total, "everything on disk")
    proxy.clear()
    assert program(READ, given) == f"{total}\n"
    assert bytes_sent(proxy) <= 1
    assert _verify(cache) == 0


def _kept(cache: Path) -> int:
    return sum(path.stat().st_size for path in (cache / "blocks").rglob("*") if path.is_file())


def _verify(cache: Path) -> int:
    from mountnd.blocks.disk import contents

    found = contents.verify(str(cache / "blocks"))
    return found.bad_blocks + found.bad_files

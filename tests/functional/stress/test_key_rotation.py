"""A job that runs for a week with keys that change every hour, in short: they change every five seconds.

10 seconds in an ordinary run; KEY_ROTATION_S=60 makes it a minute.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.key_sources import KeySource, key_source
from tests.support.mounts import Mounted, kernel_mount
from tests.support.quirky import Quirky, quirky_server
from tests.support.tree import KIB

pytestmark = pytest.mark.kernel

SECONDS = float(os.environ.get("KEY_ROTATION_S", "10"))
EVERY_S = 5.0
KINDS = ("process", "process that tells no end", "file", "web identity", "container")
FILES, SIZE = 120, 96 * KIB  # more than the mounts may keep
END_S = 60.0

# Reads files and directories from two threads until its stdin closes, and prints what it did: MNT SEED SIZE.
READER = """
import json, os, random, sys, threading
mnt, seed, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
done, errors, over = {"reads": 0, "listings": 0}, [], threading.Event()
def work(seed):
    chosen = random.Random(seed)
    while not over.is_set():
        directory = os.path.join(mnt, f"dir{chosen.randrange(6)}")
        try:
            names = os.listdir(directory)
            done["listings"] += 1
            assert len(names) == 20, names
            for name in chosen.sample(names, 3):
                fd = os.open(os.path.join(directory, name), os.O_RDONLY | os.O_DIRECT)
                try:
                    got = os.pread(fd, size, 0)
                finally:
                    os.close(fd)
                assert got == random.Random(name).randbytes(size), (name, len(got))
                done["reads"] += 1
        except (OSError, AssertionError) as error:
            errors.append(repr(error))
threads = [threading.Thread(target=work, args=(2 * seed + i,)) for i in range(2)]
for thread in threads: thread.start()
sys.stdin.read()
over.set()
for thread in threads: thread.join()
print(json.dumps({**done, "errors": errors}))
"""


def objects() -> dict[str, bytes]:
    names = (f"file{i}" for i in range(FILES))
    return {f"dir{i % 6}/{name}": random.Random(name).randbytes(SIZE) for i, name in enumerate(names)}


@contextlib.contextmanager
def signing_mount(where: Path, server: Quirky, keys: KeySource) -> Iterator[Mounted]:
    """A mount that keeps next to nothing, so that it asks all the time."""
    options = {"anonymous": False, "ttl": 1, "cache_size": 0, "memory": "8M"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in keys.environment.items():
            patch.setenv(name, value)
        opened = kernel_mount(where, server.url, ["s3://bkt"], options)
        mount = opened.__enter__()
    with contextlib.ExitStack() as stack:
        stack.push(opened.__exit__)
        yield mount


@contextlib.contextmanager
def reader(mount: Mounted, seed: int) -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, "-c", READER, str(mount.path), str(seed), str(SIZE)]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait(END_S)
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()


def signers(server: Quirky) -> set[str]:
    return {r.headers.get("authorization", "").partition("Credential=")[2].partition("/")[0] for r in server.log()}


def test_nobody_notices_that_keys_change(tmp_path: Path) -> None:
    """The server takes the newest two keys only; a mount for each place that keys come from."""
    used: set[str] = set()
    reports: list[dict[str, Any]] = []
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(quirky_server())
        server.hold(objects(), keys=["key0"])
        sources, readers = [], []
        for kind in KINDS:
            where = tmp_path / kind.replace(" ", "-")
            (where / "home").mkdir(parents=True)
            keys = stack.enter_context(key_source(where / "home", kind))
            keys.put("key0", seconds=2 * EVERY_S)
            sources.append((where, keys))
        mounts = [stack.enter_context(signing_mount(where, server, keys)) for where, keys in sources]
        readers = [stack.enter_context(reader(mount, i)) for i, mount in enumerate(mounts)]
        end = time.monotonic() + SECONDS
        for n in itertools.count(1):
            time.sleep(EVERY_S)
            used |= signers(server)
            if time.monotonic() > end:
                break
            server.switch(keys=[f"key{n - 1}", f"key{n}"])
            for _, keys in sources:
                keys.put(f"key{n}", seconds=2 * EVERY_S)
        for process in readers:
            out, _ = process.communicate(timeout=END_S)
            reports.append(json.loads(out))
        logs = [mount.log for mount in mounts]
    assert [report["errors"] for report in reports] == [[]] * len(KINDS), "\n".join(logs)
    assert all(report["reads"] > 10 and report["listings"] > 5 for report in reports), reports
    assert len(used) > SECONDS // (2 * EVERY_S), f"each is good for two turns, and these were used: {used}"

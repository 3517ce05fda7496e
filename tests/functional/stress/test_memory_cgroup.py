"""A daemon in a control group with little memory streams, and is walked through, without being killed for it."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.soak import server as soak_server
from tests.soak.world import BUCKET, World
from tests.support import cli
from tests.support.cgroups import Group, control_group
from tests.support.children import child
from tests.support.cli import ROOT, daemon_record, run_mountnd
from tests.support.servers import module_server
from tests.support.tree import MIB

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.root,
    pytest.mark.skipif(os.getuid() != 0, reason="needs root, to make a control group"),
]

WORLD = World(volumes=132, walk=100_000)
READERS, READ_S = 6, 170.0

# Reads every READERSth volume from the NUMBERth on, and compares: MNT WORLD NUMBER READERS
READER = """
import os, sys
from tests.soak.world import World, content
mnt, world, number, readers = sys.argv[1], World.from_json(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
for key in world.below("volumes")[number::readers]:
    fd, at = os.open(os.path.join(mnt, key), os.O_RDONLY), 0
    while got := os.pread(fd, 1 << 20, at):
        assert got == content(key, 0, at, at + len(got)), (key, at)
        at += len(got)
    assert at == world.size(key), (key, at)
    os.close(fd)
"""
WALKER = "import os, sys; print(sum(len(names) for _, _, names in os.walk(sys.argv[1])))"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with module_server(soak_server.__name__, WORLD.to_json(), "0", "0", "0") as line:
        yield f"http://127.0.0.1:{line.split()[0]}"


@pytest.fixture
def group() -> Iterator[Group]:
    with control_group("memory") as group:
        yield group


@pytest.fixture
def where(tmp_path: Path, group: Group) -> Iterator[Path]:
    with cli.mountpoint(tmp_path.resolve() / "mnt") as path:
        yield path


def source(url: str, tmp_path: Path) -> list[str | Path]:
    rest = ["--endpoint-url", url, "--region", "us-east-1", "--anonymous"]
    return [f"s3://{BUCKET}", *rest, "--cache-dir", tmp_path / "cache"]


@pytest.mark.parametrize("limit", [200 * MIB, 256 * MIB])
def test_streaming_and_a_walk_fit(url: str, group: Group, where: Path, tmp_path: Path, limit: int) -> None:
    group.limit(limit)
    done = run_mountnd(*source(url, tmp_path), where, within=group.within)
    assert done.returncode == 0, done.stderr
    pid = daemon_record(where).pid
    assert str(group.path) in Path(f"/proc/{pid}/cgroup").read_text() or pid in pids(group)
    argv = [[sys.executable, "-c", READER, str(where), WORLD.to_json(), str(n), str(READERS)] for n in range(READERS)]
    argv.append([sys.executable, "-c", WALKER, str(where / "walk")])
    with contextlib.ExitStack() as stack:
        started = [stack.enter_context(child(a, cwd=str(ROOT))) for a in argv]
        ended = [process.communicate(timeout=READ_S) for process in started]
    peak = (group.path / "memory.max_usage_in_bytes", group.path / "memory.peak")
    most = next((int(path.read_text()) for path in peak if path.exists()), 0)
    high = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    print(
        f"limit {limit >> 20} MiB: {most >> 20} in the group at most, of the daemon {int(high[1]) >> 10 if high else 0}"
    )
    assert [process.returncode for process in started] == [0] * len(started), ended
    assert int(ended[-1][0]) == WORLD.walk
    assert group.killed() == 0
    shown = run_mountnd("stats", where).stdout
    assert f"{limit >> 20}" in shown and "control group" in shown, shown


def pids(group: Group) -> set[int]:
    return {int(pid) for pid in (group.path / "cgroup.procs").read_text().split()}

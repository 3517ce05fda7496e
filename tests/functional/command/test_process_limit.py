"""A limit on threads or memory that is reached for a moment: errors while it lasts, and then everything works."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support import cli, tree
from tests.support.cgroups import Group, control_group
from tests.support.cli import daemon_record, is_mounted, run_mountnd
from tests.support.hanging import programs
from tests.support.waiting import holds_within

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.root,
    pytest.mark.skipif(os.getuid() != 0, reason="needs root, to make a control group"),
]

OBJECTS = {f"d{i}/f{j}": tree.content(f"limit {i} {j}", 90_000) for i in range(16) for j in range(3)}
RECOVERY_S = 30.0


@pytest.fixture
def group() -> Iterator[Group]:
    with control_group("pids") as group:
        yield group


@pytest.fixture
def where(tmp_path: Path, group: Group) -> Iterator[Path]:
    with cli.mountpoint(tmp_path.resolve() / "mnt") as path:
        yield path


@pytest.fixture(scope="module")
def source(server: str) -> list[str]:
    tree.Bucket(server, "process-limit").put_all(OBJECTS)
    rest = ["--endpoint-url", server, "--region", "us-east-1", "--anonymous"]
    return ["s3://process-limit", *rest, "--timeout", "3", "--ttl", "1"]


def outcome(path: Path, expected: bytes) -> str:
    try:
        return "right" if path.read_bytes() == expected else "wrong"
    except OSError:
        return "error"


def read_all(where: Path) -> set[str]:
    with ThreadPoolExecutor(16) as pool:
        return set(pool.map(lambda key: outcome(where / key, OBJECTS[key]), OBJECTS))


def test_a_limit_that_passes(source: list[str], group: Group, where: Path, tmp_path: Path) -> None:
    done = run_mountnd(*source, where, "--cache-dir", tmp_path / "cache", within=group.within)
    assert done.returncode == 0, done.stderr
    assert (where / "d0/f0").read_bytes() == OBJECTS["d0/f0"]
    group.limit(group.number("pids.current"))  # not one thread more
    with_limit = read_all(where)
    assert "wrong" not in with_limit
    group.limit("max")
    assert holds_within(lambda: read_all(where) == {"right"}, RECOVERY_S, pause=1.0)
    assert run_mountnd("stats", where).returncode == 0


def read_in_vain(where: Path) -> None:
    """Programs that read everything at once, killed after a moment: more reads than there may be threads for them."""
    with programs("read", [str(where / key) for key in OBJECTS]) as readers:
        time.sleep(0.5)
        assert readers.seconds_to_end(signal.SIGKILL) < RECOVERY_S


def works_again(where: Path) -> bool:
    return holds_within(lambda: read_all(where) == {"right"}, RECOVERY_S, pause=0.2)


def mount_and_list(source: list[str], where: Path, cache: Path, within: Sequence[str] = ()) -> None:
    """No byte is read, so no thread that reads bytes is there yet, to go on when others cannot be made."""
    done = run_mountnd(*source, where, "--cache-dir", cache, within=within)
    assert done.returncode == 0, done.stderr
    assert sum(len(os.listdir(directory)) for directory in where.iterdir()) == len(OBJECTS)


def test_a_limit_that_passes_before_the_first_byte(
    source: list[str], group: Group, where: Path, tmp_path: Path
) -> None:
    mount_and_list(source, where, tmp_path / "cache", group.within)
    group.limit(group.number("pids.current"))
    read_in_vain(where)
    group.limit("max")
    assert works_again(where)


def test_a_limit_of_memory_that_passes(source: list[str], where: Path, tmp_path: Path) -> None:
    """RLIMIT_AS at what the daemon has: it gets no thread's stack and no buffer. It binds root, too."""
    mount_and_list(source, where, tmp_path / "cache")
    pid = daemon_record(where).pid
    size = int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.prlimit(pid, resource.RLIMIT_AS, (size, resource.RLIM_INFINITY))
    read_in_vain(where)
    resource.prlimit(pid, resource.RLIMIT_AS, before)
    assert works_again(where)


@pytest.mark.parametrize("threads", [1, 4, 8, 12])
def test_a_start_under_a_limit_works_or_leaves_nothing(
    source: list[str], group: Group, where: Path, tmp_path: Path, threads: int
) -> None:
    group.limit(threads)
    done = run_mountnd(*source, where, "--cache-dir", tmp_path / "cache", within=group.within)
    if done.returncode == 0:
        assert is_mounted(where)
        pid = daemon_record(where).pid
        group.limit("max")
        assert holds_within(lambda: read_all(where) == {"right"}, RECOVERY_S, pause=1.0)
        assert Path(f"/proc/{pid}").exists()
    else:
        assert done.stderr.strip()
        assert not is_mounted(where)
    group.limit("max")

"""A limit on processes and threads that is reached for a moment: errors while it lasts, and then everything works."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support import cli, tree
from tests.support.cgroups import Group, control_group
from tests.support.cli import daemon_record, is_mounted, run_mountnd
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

"""Few open files: `ulimit -n 64`, and a time in which none is left."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support import cli, tree
from tests.support.cli import daemon_record, run_mountnd
from tests.support.quirky import Quirky
from tests.support.waiting import PATIENCE_S, holds_within

pytestmark = pytest.mark.kernel

OBJECTS = {f"d{i}/f{j}": tree.content(f"few {i} {j}", 70_000) for i in range(20) for j in range(4)}
READ = "import sys; sys.stdout.write(str(len(open(sys.argv[1], 'rb').read())))"


@pytest.fixture(scope="module")
def url(server: str) -> str:
    tree.Bucket(server, "few").put_all(OBJECTS)
    return server


@pytest.fixture(params=["127.0.0.1", "localhost"])
def source(request: pytest.FixtureRequest, url: str) -> list[str]:
    """With a name has to be looked up, or a number, which the first byte's request is the first to look up."""
    url = url.replace("127.0.0.1", request.param)
    return ["s3://few", "--endpoint-url", url, "--region", "us-east-1", "--anonymous"]


@pytest.fixture
def where(tmp_path: Path) -> Iterator[Path]:
    with cli.mountpoint(tmp_path.resolve() / "mnt") as path:
        yield path


def read_all(where: Path) -> None:
    def same(key: str) -> bool:
        return (where / key).read_bytes() == OBJECTS[key]

    with ThreadPoolExecutor(32) as pool:
        assert all(pool.map(same, OBJECTS))
    assert len([name for _, _, names in os.walk(where) for name in names]) == len(OBJECTS)


def test_the_soft_limit_is_raised(source: Sequence[str], where: Path) -> None:
    done = run_mountnd(*source, where, within=["sh", "-c", 'ulimit -Sn 64; exec "$@"', "sh"])
    assert done.returncode == 0, done.stderr
    soft, hard = resource.prlimit(daemon_record(where).pid, resource.RLIMIT_NOFILE)
    assert soft == hard > 64
    read_all(where)


def test_a_hard_limit_of_64(source: Sequence[str], where: Path, tmp_path: Path) -> None:
    """Everything is read, with fewer connections side by side."""
    within = ["sh", "-c", 'ulimit -n 64; exec "$@"', "sh"]
    done = run_mountnd(*source, where, "--cache-dir", tmp_path / "cache", within=within)
    assert done.returncode == 0, done.stderr
    for _ in range(2):
        read_all(where)
        assert run_mountnd("stats", where, within=within).returncode == 0
    log = Path(daemon_record(where).log).read_text()
    assert "Too many open files" not in log
    assert run_mountnd("umount", where, within=within).returncode == 0


def test_many_sources_under_a_hard_limit_of_64(server: str, url: str, tmp_path: Path) -> None:
    """Idle connections of one source make room for another's."""
    names = [f"few-{i}" for i in range(6)]
    for name in names:
        tree.Bucket(server, name).put_all({f"f{j}": OBJECTS[f"d{j}/f0"] for j in range(20)})
    config = tmp_path / "config.toml"
    lines = [f"[sources.{n}]\nurl = 's3://{n}'\nendpoint_url = '{url}'\nanonymous = true" for n in names]
    config.write_text("\n".join([*lines, f"[mounts.'{tmp_path / 'mnt'}']\nsources = {names}"]))
    with cli.mountpoint(tmp_path / "mnt") as where:
        within = ["sh", "-c", 'ulimit -n 64; exec "$@"', "sh"]
        cache = tmp_path / "cache"
        done = run_mountnd(where, "--config", config, "--cache-dir", cache, "--timeout", "20", within=within)
        assert done.returncode == 0, done.stderr
        for name in names:
            with ThreadPoolExecutor(20) as pool:
                bodies = list(pool.map(lambda j, name=name: (where / name / f"f{j}").read_bytes(), range(20)))
            assert bodies == [OBJECTS[f"d{j}/f0"] for j in range(20)]


@pytest.mark.root
@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to give the descriptors back")
def test_after_none_was_left_everything_works_again(source: Sequence[str], where: Path, tmp_path: Path) -> None:
    args = ["--cache-dir", tmp_path / "cache", "--timeout", "2", "--ttl", "1"]
    assert run_mountnd(*source, where, *args).returncode == 0
    assert len(os.listdir(where)) == 20
    pid = daemon_record(where).pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda i: failing_read(where / f"d{i}/f1"), range(1, 9)))
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)

    def works() -> bool:
        try:
            read_all(where)
        except OSError:
            return False  # a failure is remembered for some seconds
        return True

    assert holds_within(works, PATIENCE_S)
    assert run_mountnd("stats", where).returncode == 0
    log = Path(daemon_record(where).log).read_text()
    assert "unknown encoding" not in log and "Traceback" not in log


def failing_read(path: Path) -> None:
    try:
        path.read_bytes()
    except OSError:
        pass


@pytest.mark.parametrize("host", ["localhost"])
def test_nothing_is_imported_once_it_is_mounted(quirky: Quirky, where: Path, tmp_path: Path, host: str) -> None:
    """An import that finds no free descriptor fails, and some stay failed: whatever serving needs is there before."""
    quirky.hold({"a/f": b"x" * 70_000, "a/b/g": b"y", "gone": b"z", "odd//key": b""})
    url = quirky.url.replace("127.0.0.1", host)
    log = tmp_path / "log"
    env = {**cli.environment(), "AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "secret"}
    with log.open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, "-X", "importtime", "-m", "mountnd", "s3://bkt", str(where), "--foreground", "--ttl", "0",
             "--endpoint-url", url, "--region", "us-east-1", "--timeout", "10", "--cache-dir", str(tmp_path / "cache")],
            env=env, stdin=subprocess.DEVNULL, stderr=err,
        )  # fmt: skip
    try:
        cli.wait_mounted(where)
        assert holds_within(lambda: b"Ctrl-C unmounts it" in log.read_bytes(), cli.COMMAND_S)
        at = len(log.read_bytes())
        walk(where)
        quirky.switch(refusal=[503, "SlowDown"], keys=["nobody"])
        failing_read(where / "gone")
        quirky.switch(refusal=[403, "AccessDenied"])
        failing_read(where / "a/b/g")
        quirky.switch(keys=None, html=["gone"], page=1)
        walk(where)
        assert run_mountnd("stats", where).returncode == 0
        assert run_mountnd("refresh", where).returncode == 0
        late = re.findall(rb"import time:.*\| +(\S+)", log.read_bytes()[at:])
        assert late == []
        assert run_mountnd("umount", where).returncode == 0
    finally:
        process.kill()
        process.wait()


def walk(where: Path) -> None:
    for folder, _, names in os.walk(where):
        for name in names:
            failing_read(Path(folder, name))

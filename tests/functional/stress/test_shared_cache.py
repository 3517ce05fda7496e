"""Nodes that share a directory, each a daemon with a disk cache of its own: a byte leaves the source once.

And whatever happens to the directory, or to one of them, the others read on, and right bytes.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from mountnd.blocks.disk import contents, directory, lease_files, ledger, members
from mountnd.shared_directory.directory import SharedPath
from mountnd.stats import (
    BYTES_FETCHED,
    BYTES_FROM_SHARED,
    LISTINGS_RECALLED,
    NODE_WAITS,
    SHARED_DAMAGED,
    SHARED_EVICTED,
    SHARED_FAULTS,
    SHARED_KEPT,
    SHARED_SKIPPED,
)
from tests.support.cli import MOUNTND, ROOT, run_mountnd
from tests.support.faulty_fs import FaultyFs, faulty_fs
from tests.support.group import group_directory
from tests.support.mounts import Mounted, mountinfo
from tests.support.servers import script_server
from tests.support.strangers import KINDS, picture, plant_special
from tests.support.tree import MIB
from tests.support.waiting import wait_until

from . import synthetic_server
from .readers import counters
from .sharing_nodes import SOURCE, blocks, count, node, nodes, read_all
from .whole_files import ended_well, reading, sent

pytestmark = pytest.mark.kernel

FILES, SIZE = 3, 8 * MIB + 4321
GOAL = 1.05
# What a reader may take while the directory does not answer: far above the bound, on a busy machine, too.
SOON_S = 60.0
DAY_S = 86_400


@pytest.fixture
def server() -> Iterator[str]:
    with script_server(Path(synthetic_server.__file__), str(FILES), str(SIZE)) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    return group_directory(tmp_path)


def read(numbers: Sequence[int], *mounts: Mounted, seconds: float = 120.0) -> None:
    read_all(numbers, *mounts, size=SIZE, seconds=seconds)


def condition(mount: Mounted) -> dict[str, Any]:
    """What `mountnd stats` says of the shared cache."""
    told: dict[str, Any] = json.loads(run_mountnd("stats", mount.path, "--json").stdout)["shared_cache"]
    return told


def chunk_files(shared: Path) -> list[Path]:
    return sorted(blocks(shared) / file.path for file in directory.scan(SharedPath(blocks(shared))))


def await_kept(shared: Path, files: int = FILES) -> None:
    """Wait until the directory holds all of so many files."""
    wait_until(
        lambda: sum(path.stat().st_blocks * 512 for path in chunk_files(shared)) >= files * SIZE, "all is kept", 120
    )


def test_eight_nodes_fetch_a_byte_once(tmp_path: Path, server: str, shared: Path) -> None:
    with nodes(tmp_path, server, shared, 8) as made:
        read(range(FILES), *made)
        total = sent(server)
        print(f"{total / FILES / SIZE:.3f} bytes sent for each byte, to 8 nodes")
        for mount in made:
            print({name: n for name, n in counters(mount).items() if "shared" in name}, mount.log[-300:])
        assert FILES * SIZE <= total <= GOAL * FILES * SIZE
        assert sum(count(mount, BYTES_FROM_SHARED) for mount in made) >= 6.9 * FILES * SIZE
        assert sum(count(mount, NODE_WAITS) for mount in made) > 0
        await_kept(shared)
        with node(tmp_path, server, shared, "late") as late:
            read(range(FILES), late)
            assert count(late, BYTES_FETCHED) == 0
            assert count(late, BYTES_FROM_SHARED) >= FILES * SIZE
            assert sent(server) <= total + 100  # it asks how the server means its ETags
        shown = run_mountnd("stats", made[0].path).stdout
        assert "from the shared cache" in shown
        assert condition(made[0]) == {"directory": str(shared), "state": "used", "why": "", "passed_by": []}
    for folder in (lease_files.FOLDER, members.FOLDER):
        assert [path.name for path in (blocks(shared) / folder).iterdir()] == [".made"]


def test_all_of_it_is_the_groups_whatever_the_umask(tmp_path: Path, server: str, shared: Path) -> None:
    with node(tmp_path, server, shared, "a", shared_mode=0o640) as mount:
        read([0], mount)
        os.listdir(mount.path)
    found = {path: stat.S_IMODE(path.stat().st_mode) for path in shared.rglob("*")}
    assert {mode for path, mode in found.items() if path.is_dir()} == {0o2750}
    assert {mode for path, mode in found.items() if path.is_file() and path.name != ".made"} == {0o640}
    assert any(path.suffix == ".names" for path in found)


def test_names_come_from_other_nodes(tmp_path: Path, server: str, shared: Path) -> None:
    with node(tmp_path, server, shared, "a") as mount:
        names = os.listdir(mount.path)
    with node(tmp_path, server, shared, "b", probe=False) as mount:
        assert os.listdir(mount.path) == names
        assert count(mount, LISTINGS_RECALLED) == 1
        assert count(mount, "names.list.requests") == 0


def test_prefetching_on_several_nodes_fetches_a_byte_once(tmp_path: Path, server: str, shared: Path) -> None:
    options = ["--endpoint-url", server, "--region", "us-east-1", "--anonymous", "--shared-cache", str(shared)]
    own = [tmp_path / f"own-{n}" for n in range(3)]
    commands = [[*MOUNTND, "prefetch", SOURCE, *options, "--cache-dir", str(path)] for path in own]
    running = [
        subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for argv in commands
    ]
    try:
        for process in running:
            ended_well(process)
    finally:
        for process in running:
            process.kill()
            process.communicate(timeout=20)
    assert FILES * SIZE <= sent(server) <= GOAL * FILES * SIZE
    for path in own:
        assert sum(file.bytes for file in directory.scan(path / "blocks")) >= FILES * SIZE


def test_a_node_that_is_killed_holds_up_the_others_once(tmp_path: Path, server: str, shared: Path) -> None:
    with (
        nodes(tmp_path, server, shared, 4) as (first, *others),
        reading(*((mount, range(FILES)) for mount in (first, *others)), size=SIZE) as (_, *processes),
    ):
        folder = blocks(shared) / lease_files.FOLDER
        wait_until(lambda: folder.exists() and any(folder.iterdir()), "a lease", pause=0.001)
        first.kill()
        for process in processes:
            ended_well(process, SOON_S)
        total = sent(server)
    print(f"{total / FILES / SIZE:.3f} bytes sent for each byte, one of four nodes killed")
    assert total <= 1.5 * FILES * SIZE  # what the first had asked for is lost, and perhaps asked for by two


def test_two_nodes_evict_one_after_the_other(tmp_path: Path, server: str, shared: Path) -> None:
    limit = 12 * MIB
    with nodes(tmp_path, server, shared, 2, shared_size=limit, cache_size=0, memory=16 * MIB) as (a, b):
        most = 0
        with reading((a, [0, 1, 2]), (b, [2, 0, 1]), size=SIZE) as processes:
            while any(process.poll() is None for process in processes):
                most = max(most, disk_usage(shared))
                time.sleep(0.02)
            for process in processes:
                ended_well(process)
        assert count(a, SHARED_EVICTED) + count(b, SHARED_EVICTED) > 0
    most = max(most, disk_usage(shared))
    print(f"the shared cache took {most / MIB:.1f} MiB at most; its limit is {limit / MIB:.0f} MiB")
    assert limit // 2 < most <= limit * 9 // 8
    assert not (blocks(shared) / ledger.LEASE).exists()
    found = contents.verify(SharedPath(blocks(shared)))
    assert not (found.bad_blocks or found.bad_files)


def disk_usage(shared: Path) -> int:
    total = 0
    for path in blocks(shared).rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += path.lstat().st_blocks * 512 * path.is_file()
    return total


@pytest.fixture
def small_disk(shared: Path) -> Iterator[Callable[[str], None]]:
    """The shared directory is a disk of 8 MiB; call it to mount it anew with other options."""

    def mount(options: str) -> None:
        argv = ["mount", "-t", "tmpfs", "-o", options, "mountnd-test", str(shared)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
        if done.returncode:
            pytest.skip(f"needs to mount a tmpfs: {done.stderr.strip()}")

    mount("size=8m,mode=2770")
    try:
        yield mount
    finally:
        subprocess.run(["umount", "-l", str(shared)], check=True, timeout=20)


@pytest.mark.root
@pytest.mark.usefixtures("small_disk")
def test_a_full_disk_is_told_once_and_read_on(tmp_path: Path, server: str, shared: Path) -> None:
    (shared / "ballast").write_bytes(bytes(7 * MIB))
    with nodes(tmp_path, server, shared, 2, shared_size=1 << 30) as (a, b):
        read(range(FILES), a, b)
        for mount in (a, b):
            assert count(mount, SHARED_SKIPPED) > 0
            assert mount.log.count("shared cache for a while") <= 1, mount.log
        assert "shared cache for a while" in a.log + b.log


@pytest.mark.root
def test_a_read_only_directory_is_used_and_told_of_once(
    tmp_path: Path, server: str, shared: Path, small_disk: Callable[[str], None]
) -> None:
    small_disk("remount,size=64m")
    with node(tmp_path, server, shared, "a", shared_size=1 << 30) as mount:
        read([0, 1], mount)
    small_disk("remount,ro")
    before = picture(shared)
    with nodes(tmp_path, server, shared, 2) as (b, c):
        read(range(FILES), b, c)
        for mount in (b, c):
            assert count(mount, BYTES_FROM_SHARED) >= 2 * SIZE
            assert count(mount, BYTES_FETCHED) <= GOAL * SIZE
            assert mount.log.count("nothing is written there") == 1, mount.log
            assert condition(mount)["state"] == "read-only"
    assert picture(shared) == before


@pytest.fixture
def faulty(tmp_path: Path) -> Iterator[FaultyFs]:
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("/dev/fuse cannot be opened")
    with faulty_fs(tmp_path) as fs:
        yield fs


@pytest.mark.parametrize("fault", ["EIO", "ESTALE", "ENOTCONN", "hang", "hang write"])
def test_a_directory_that_fails_is_left_out_for_a_while(
    tmp_path: Path, server: str, faulty: FaultyFs, fault: str
) -> None:
    with node(tmp_path, server, faulty.path, "a") as a, node(tmp_path, server, faulty.path, "b") as b:
        read([0], a)
        await_kept(faulty.root, 1)
        read([0], b)
        assert count(b, BYTES_FROM_SHARED) >= SIZE
        faulty.do(fault)
        try:
            read([1], a, b, seconds=SOON_S)  # in the first moment of it
            read([2], a, b, seconds=SOON_S)
            if fault != "hang write":  # which is noticed later, and holds up nobody
                assert count(a, SHARED_FAULTS) > 0
                assert a.log.count("it is left out for a while") == 1, a.log
                assert condition(a)["state"] == "left out"
                assert "left out" in run_mountnd("explain", a.path / synthetic_server.name(1)).stdout
        finally:
            faulty.do("")
        wait_until(lambda: condition(a)["state"] == "used", "it is used again", 120.0, pause=1.0)
        assert fault == "hang write" or "it answers again" in a.log
    with node(tmp_path, server, faulty.path, "c") as c:
        read(range(FILES), c)
        assert count(c, BYTES_FROM_SHARED) >= SIZE
    found = contents.verify(SharedPath(faulty.root / "blocks"))
    assert not (found.bad_blocks or found.bad_files)


def test_a_directory_that_hangs_holds_up_no_start_and_no_end(tmp_path: Path, server: str, faulty: FaultyFs) -> None:
    faulty.do("hang")
    try:
        with node(tmp_path, server, faulty.path, "a") as mount:
            read([0], mount, seconds=SOON_S)
            assert "it is left out for a while" in mount.log
            told = run_mountnd("doctor", "--shared-cache", faulty.path).stdout
            assert f"shared cache {faulty.path} does not answer" in told
            listed = run_mountnd("cache", "ls", "--shared-cache", faulty.path)
            assert listed.returncode == 1
            assert "does not answer" in listed.stderr
            mount.process.send_signal(signal.SIGTERM)
            wait_until(lambda: mountinfo(mount.path) is None, "it is unmounted", SOON_S)
            faulty.do("")  # the kernel lets no process end that FUSE has not answered
            mount.process.wait(SOON_S)  # a second signal would find an interpreter that has put its handlers away
        assert mount.process.returncode == 0
    finally:
        faulty.do("")


def test_times_of_another_day_change_nothing(tmp_path: Path, server: str, shared: Path) -> None:
    """Whatever times the files have, what they hold is right; and what crashes left is void."""
    with node(tmp_path, server, shared, "a") as mount:
        read([0, 1], mount)
    await_kept(shared, 2)
    for n, ahead in enumerate((DAY_S, -DAY_S)):
        leases = blocks(shared) / lease_files.FOLDER
        for path in (
            *blocks(shared).rglob("*"),
            *(leases / f"{n:032x}-{k}" for k in range(3)),
            blocks(shared) / ledger.LEASE,
        ):
            path.touch(mode=0o660)
            os.utime(path, (time.time() + ahead,) * 2)
        before = sent(server)
        with node(tmp_path, server, shared, f"of-{ahead}") as mount:
            read([0, 1], mount, seconds=SOON_S)
            assert count(mount, BYTES_FROM_SHARED) >= 2 * SIZE
            assert sent(server) <= before + 100
            read([2], mount, seconds=SOON_S)


@pytest.mark.parametrize("ahead", [DAY_S, -DAY_S])
def test_a_node_whose_clock_is_wrong(
    tmp_path: Path, server: str, shared: Path, monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    """It uses the others' bytes and names, and they use its."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        "import time\n"
        f"now, ns, ahead = time.time, time.time_ns, {ahead}\n"
        "time.time = lambda: now() + ahead\n"
        "time.time_ns = lambda: ns() + ahead * 10**9\n"
    )
    with node(tmp_path, server, shared, "a") as right:
        os.listdir(right.path)
        read([0], right)
        await_kept(shared, 1)
        wait_until(lambda: any(path.stat().st_size for path in shared.rglob("*.names")), "names are kept", 120)
        monkeypatch.setenv("PYTHONPATH", str(site))
        with node(tmp_path, server, shared, "b", probe=False) as wrong:
            monkeypatch.delenv("PYTHONPATH")
            assert len(os.listdir(wrong.path)) == FILES
            assert count(wrong, "names.list.requests") == 0
            read([0], wrong)
            assert count(wrong, BYTES_FETCHED) == 0
            before = sent(server)
            read([1], right, wrong)
            assert sent(server) - before <= GOAL * SIZE


def test_what_is_damaged_is_fetched_again(tmp_path: Path, server: str, shared: Path) -> None:
    with node(tmp_path, server, shared, "a") as mount:
        read(range(FILES), mount)
    await_kept(shared)
    a, b, c = chunk_files(shared)[:3]
    with a.open("r+b") as file:
        file.seek(a.stat().st_size // 2)
        file.write(b"\xff" * 100_000)
    os.truncate(b, b.stat().st_size // 3)
    c.write_bytes(b.read_bytes())  # another's, under its name
    with nodes(tmp_path, server, shared, 2, cache_size=0) as made:
        read(range(FILES), *made)
        assert sum(count(mount, SHARED_DAMAGED) for mount in made) > 0
        assert sum(count(mount, SHARED_KEPT) for mount in made) > 0
    found = contents.verify(SharedPath(blocks(shared)))
    assert not (found.bad_blocks or found.bad_files)


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_member_puts_there_instead_of_files(tmp_path: Path, server: str, shared: Path, kind: str) -> None:
    """Nothing waits for it, no link is followed, and nothing outside is touched."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("mine")
    with node(tmp_path, server, shared, "a") as mount:
        read([0], mount)
    await_kept(shared, 1)
    first, *_ = chunk_files(shared)
    plant_special(first, kind)
    for name in (ledger.NAME, f"{members.FOLDER}/{'0' * 16}", f"{lease_files.FOLDER}/{'0' * 32}-0"):
        plant_special(blocks(shared) / name, kind)
    folder = blocks(shared) / "00"
    if not folder.exists():
        folder.symlink_to(outside)
    before = picture(outside)
    with node(tmp_path, server, shared, "b") as mount:
        read(range(FILES), mount, seconds=SOON_S)
    assert picture(outside) == before


def test_what_needs_credentials_is_kept_out_unless_it_is_allowed(
    tmp_path: Path, server: str, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with node(tmp_path, server, shared, "a", anonymous=None) as mount:
        os.listdir(mount.path)
        read([0], mount)
        assert mount.log.count("nothing of it is put into the shared cache") == 1, mount.log
        assert condition(mount)["passed_by"] == [synthetic_server.BUCKET]
        assert "--shared-signed" in run_mountnd("explain", mount.path / synthetic_server.name(0)).stdout
    assert chunk_files(shared) == []
    assert list(shared.rglob("*.names")) == []
    with node(tmp_path, server, shared, "b", anonymous=None, shared_signed=True) as mount:
        read([0], mount)
        assert "shared cache" not in mount.log
    await_kept(shared, 1)
    with node(tmp_path, server, shared, "c") as mount:  # who asks is another: nothing is mixed
        read([0], mount)
        assert count(mount, BYTES_FROM_SHARED) == 0


def test_what_everybody_may_write_is_not_used(tmp_path: Path, server: str, shared: Path) -> None:
    shared.chmod(0o2777)
    with node(tmp_path, server, shared, "a") as mount:
        read([0], mount)
        assert mount.log.count("everybody may write to it") == 1, mount.log
    assert list(shared.iterdir()) == []


def test_a_directory_that_is_not_there_is_not_made(tmp_path: Path, server: str) -> None:
    absent = tmp_path / "lustre" / "cache"
    with node(tmp_path, server, absent, "a") as mount:
        read([0], mount)
        assert "there is no such directory" in mount.log
    assert not absent.parent.exists()

"""Nodes that share a directory walk a tree of small files: each byte leaves the source once, and few files are made.

And whatever happens to a pack, or to a node that makes or merges some, the others read right bytes.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from mountnd.blocks.disk import contents, directory
from mountnd.blocks.disk.packs import merger
from mountnd.blocks.disk.packs.format import FOLDER
from mountnd.blocks.disk.packs.pack_file import NewPack, PackFile
from mountnd.private_directory import PrivateDirectory
from mountnd.shared_directory.directory import SharedPath
from mountnd.stats import BYTES_FETCHED, BYTES_FROM_SHARED, SHARED_DAMAGED, SHARED_KEPT, SHARED_MERGED, SHARED_PACKS
from tests.support.cli import run_mountnd
from tests.support.faulty_fs import FaultyFs, faulty_fs
from tests.support.group import group_directory
from tests.support.servers import script_server
from tests.support.waiting import wait_until

from . import synthetic_server
from .sharing_nodes import blocks, count, node, nodes, read_all
from .whole_files import ended_well, reading, sent

pytestmark = pytest.mark.kernel

FILES, SIZE = 300, 3001
GOAL = 1.05
SOON_S = 60.0


@pytest.fixture
def server() -> Iterator[str]:
    with script_server(Path(synthetic_server.__file__), str(FILES), str(SIZE)) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    return group_directory(tmp_path)


@pytest.fixture
def faulty(tmp_path: Path) -> Iterator[FaultyFs]:
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("/dev/fuse cannot be opened")
    with faulty_fs(tmp_path) as fs:
        yield fs


def root(shared: Path) -> PrivateDirectory:
    return SharedPath(blocks(shared)).open()


def packs(shared: Path) -> list[Path]:
    return sorted((blocks(shared) / FOLDER).glob("*.pack"))


def records(shared: Path) -> list[str]:
    """The keys of all records that are whole."""
    files = [PackFile.open(f"{FOLDER}/{path.name}", root(shared)) for path in packs(shared)]
    return sorted(record[2].id.key for file in files for record in file.records() if record is not None)


def split(shared: Path) -> None:
    """Make each record a pack of its own, as nodes leave them that read slowly."""
    for n, path in enumerate(packs(shared)):
        for record in PackFile.open(f"{FOLDER}/{path.name}", root(shared)).records():
            assert record is not None
            new = NewPack(root(shared), 1e9 + n)
            new.add(*record[:2])
            new.publish()
        path.unlink()


@pytest.fixture
def filled(tmp_path: Path, server: str, shared: Path) -> Path:
    """The directory with all but the last twenty files in packs."""
    with node(tmp_path, server, shared, "first") as mount:
        read_all(range(FILES), mount, size=SIZE)
    last = {synthetic_server.name(n) for n in range(FILES - 20, FILES)}
    contents.clear(SharedPath(blocks(shared)), lambda source, key: key in last)
    assert len(records(shared)) == FILES - 20
    return shared


def test_nodes_that_walk_small_files_fetch_a_byte_once_and_make_few_files(
    tmp_path: Path, server: str, shared: Path
) -> None:
    with nodes(tmp_path, server, shared, 4) as made:
        orders = [random.Random(n).sample(range(FILES), FILES) if n % 2 else list(range(FILES)) for n in range(4)]
        with reading(*zip(made, orders, strict=True), size=SIZE) as processes:
            for process in processes:
                ended_well(process)
        total, written = sent(server), sum(count(mount, SHARED_PACKS) for mount in made)
        print(f"{total / FILES / SIZE:.3f} bytes sent for each byte; {written} packs written")
        assert FILES * SIZE <= total <= GOAL * FILES * SIZE
        assert sum(count(mount, BYTES_FROM_SHARED) for mount in made) >= 2.9 * FILES * SIZE
        wait_until(lambda: len(records(shared)) >= FILES, "all is packed", 120)
        assert written <= FILES // 3  # made in all; the packs that are there are fewer
        assert len(list(directory.scan(SharedPath(blocks(shared))))) == len(packs(shared)) <= 100
        with node(tmp_path, server, shared, "late") as late:
            read_all(range(FILES), late, size=SIZE)
            assert count(late, BYTES_FETCHED) == 0
            assert count(late, BYTES_FROM_SHARED) == FILES * SIZE
        told = run_mountnd("explain", made[0].path / synthetic_server.name(7), "--json").stdout
        assert json.loads(told)["cached"]["shared"] == SIZE
    assert set(records(shared)) == {synthetic_server.name(n) for n in range(FILES)}
    assert [path.name for path in (blocks(shared) / "leases").iterdir()] == [".made"]


def test_one_node_that_prefetches_makes_a_pack_for_each_4_mib(tmp_path: Path, server: str, shared: Path) -> None:
    options = ["--endpoint-url", server, "--region", "us-east-1", "--anonymous", "--shared-cache", str(shared)]
    done = run_mountnd("prefetch", f"s3://{synthetic_server.BUCKET}", *options, "--cache-dir", str(tmp_path / "own"))
    assert done.returncode == 0, done.stderr
    assert len(records(shared)) == FILES
    assert len(packs(shared)) <= 20


def test_a_node_that_is_killed_leaves_nothing_that_harms(tmp_path: Path, server: str, shared: Path) -> None:
    with (
        nodes(tmp_path, server, shared, 3) as (first, *others),
        reading(*((mount, range(FILES)) for mount in (first, *others)), size=SIZE) as (_, *processes),
    ):
        wait_until(lambda: bool(packs(shared)), "a pack", 120, pause=0.001)
        first.kill()
        for process in processes:
            ended_well(process, SOON_S)
        total = sent(server)
    print(f"{total / FILES / SIZE:.3f} bytes sent for each byte, one of three nodes killed")
    assert total <= 1.5 * FILES * SIZE
    left = blocks(shared) / FOLDER / f"{'0' * 10}-{'0' * 16}.pack.new"  # as it leaves one that it was writing
    left.write_bytes(b"half")
    os.utime(left, (1e9, 1e9))
    assert run_mountnd("cache", "gc", "--shared-cache", shared).returncode == 0
    assert not left.exists()
    assert set(records(shared)) == {synthetic_server.name(n) for n in range(FILES)}
    found = contents.verify(SharedPath(blocks(shared)))
    assert not (found.bad_blocks or found.bad_files)


def test_two_nodes_merge_while_others_read(tmp_path: Path, server: str, filled: Path) -> None:
    split(filled)
    assert len(packs(filled)) == FILES - 20
    before = sent(server)
    with nodes(tmp_path, server, filled, 3) as made:
        with reading(*((mount, range(FILES)) for mount in made), size=SIZE) as processes:
            for process in processes:
                ended_well(process)
        assert sent(server) - before <= 20 * SIZE + 100
        wait_until(lambda: len(packs(filled)) <= 100, "packs are merged", 120)
        assert sum(count(mount, SHARED_MERGED) for mount in made) >= FILES - 120
        read_all(range(FILES), made[0], size=SIZE)
        with node(tmp_path, server, filled, "late") as late:
            read_all(range(FILES), late, size=SIZE)
            assert count(late, BYTES_FETCHED) == 0
    wait_until(lambda: not (blocks(filled) / merger.LEASE).exists(), "nobody merges", 20)
    assert set(records(filled)) == {synthetic_server.name(n) for n in range(FILES)}


def test_a_damaged_pack_is_dropped_and_its_bytes_are_fetched_again(tmp_path: Path, server: str, filled: Path) -> None:
    one, *others = packs(filled)
    raw = bytearray(one.read_bytes())
    for at in range(50, len(raw) * 3 // 4, 2000):
        raw[at] ^= 0xFF
    one.write_bytes(raw)
    for path in others[:1]:
        os.truncate(path, path.stat().st_size // 2)
    before = sent(server)
    with nodes(tmp_path, server, filled, 2, cache_size=0) as made:
        read_all(range(FILES - 20), *made, size=SIZE)
        assert sum(count(mount, SHARED_DAMAGED) for mount in made) > 0
        assert sent(server) > before
        assert sum(count(mount, SHARED_KEPT) for mount in made) > 0
    told = run_mountnd("cache", "verify", "--shared-cache", filled)
    assert told.returncode == 1 and "were damaged and have been dropped" in told.stderr
    assert run_mountnd("cache", "verify", "--shared-cache", filled).returncode == 0
    assert set(records(filled)) >= {synthetic_server.name(n) for n in range(FILES - 20)}


@pytest.mark.parametrize("fault", ["EIO", "ESTALE", "hang", "hang write"])
def test_a_directory_that_fails_keeps_no_small_file_from_a_reader(
    tmp_path: Path, server: str, faulty: FaultyFs, fault: str
) -> None:
    with node(tmp_path, server, faulty.path, "a") as a, node(tmp_path, server, faulty.path, "b", cache_size=0) as b:
        read_all(range(100), a, size=SIZE)
        read_all(range(100), b, size=SIZE)
        assert count(b, BYTES_FROM_SHARED) >= 100 * SIZE // 2
        faulty.do(fault)
        try:
            read_all(range(100, 200), a, b, size=SIZE, seconds=SOON_S)
        finally:
            faulty.do("")
        read_all(range(200, FILES), a, b, size=SIZE, seconds=SOON_S)
    found = contents.verify(SharedPath(faulty.root / "blocks"))
    assert not (found.bad_blocks or found.bad_files)


def test_the_command_lists_and_clears_what_lies_in_packs(tmp_path: Path, server: str, filled: Path) -> None:
    listed = json.loads(run_mountnd("cache", "ls", "--shared-cache", filled, "--json").stdout)
    assert {entry["key"] for entry in listed["objects"]} == {synthetic_server.name(n) for n in range(FILES - 20)}
    assert all(entry["held"] == entry["size"] == SIZE for entry in listed["objects"])
    assert FILES * SIZE * 0.9 < listed["on_disk"] < FILES * SIZE * 1.5
    gone = synthetic_server.name(7)
    assert run_mountnd("cache", "clear", gone, "--shared-cache", filled).returncode == 0
    assert gone not in records(filled) and len(records(filled)) == FILES - 21
    with node(tmp_path, server, filled, "second") as mount:
        read_all([7, 8], mount, size=SIZE)
        assert count(mount, BYTES_FETCHED) == SIZE
    assert run_mountnd("cache", "clear", "--shared-cache", filled).returncode == 0
    assert packs(filled) == []

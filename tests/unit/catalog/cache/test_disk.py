"""What lasts beyond a mount."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mountnd.catalog.cache import disk, segment, segments
from mountnd.catalog.cache.disk import ListingDiskCache
from mountnd.catalog.model.keys import classify
from mountnd.catalog.model.listing import listing_of
from mountnd.config.options import INDEFINITE
from mountnd.stores.base import ObjectId, ObjectStat
from tests.support.study_keys import study_keys

from ..world import Make, find

KEYS = ["d/x", "d/y", "d/sub/z", "e/", "odd/\udcff\n", "odd//hidden"]


def stat(key: str, size: int = 1, etag: str = '"e"', storage: str = "STANDARD", version: str = "") -> ObjectStat:
    return ObjectStat(ObjectId("s", key, etag, version, size), size, 7, storage)


def test_a_restart_answers_at_once_and_revalidates_after_the_ttl(make: Make, tmp_path: Path) -> None:
    w = make(KEYS, state_dir=tmp_path)
    before = list(find(w))
    w.restart()
    assert list(find(w)) == before and w.requests() == []
    assert [report.key for report in w.cat.hidden(w.at("odd"))] == ["odd//"]
    w.clock.now += 200
    w.restart()
    w.clock.now += 99
    assert not w.at("d/x").is_dir
    assert w.requests() == []
    w.store.put("d/new", b"1")
    w.clock.now += 1
    assert "new" in w.ls("d")


def test_find_after_a_restart_costs_nothing(make: Make, tmp_path: Path) -> None:
    w = make(study_keys(), state_dir=tmp_path)
    before = list(find(w))
    w.restart()
    assert list(find(w)) == before
    assert w.requests() == []


def test_what_a_get_disproved_stays_so(make: Make, tmp_path: Path) -> None:
    w = make(KEYS, state_dir=tmp_path, ttl=INDEFINITE)
    w.ls("d")
    w.store.put("d/x", b"longer")
    w.store.delete("d/y")
    for key in ("d/x", "d/y"):
        w.cat.forget(key)
    assert w.ls("d") == ["sub/", "x"]
    for _ in range(2):
        w.restart()
        assert w.ls("d") == ["sub/", "x"] and w.requests() == []
        found = w.at("d/x").stat
        assert found is not None and found.size == 6


def test_refresh_lasts(make: Make, tmp_path: Path) -> None:
    w = make(KEYS, state_dir=tmp_path, ttl=INDEFINITE)
    list(find(w))
    w.store.put("d/new", b"1")
    w.clock.now += 1
    w.cat.refresh("d/")
    w.restart()
    assert "new" in w.ls("d")
    w.requests()
    assert w.ls("e") == [] and w.requests() == []


def test_kill_9_loses_at_most_the_last_moment(tmp_path: Path) -> None:
    program = """
import sys, time
from pathlib import Path
from mountnd.catalog.cache.disk import ListingDiskCache
from mountnd.catalog.model.listing import Listing
kept = ListingDiskCache(Path(sys.argv[1]), "s", clock=time.monotonic, wall=time.time)
kept.add("d/", Listing([], at=time.monotonic()))
print(kept.directory, flush=True)
sys.stdin.read()
"""
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout is not None
        directory = Path(child.stdout.readline().strip())
        # Written without being asked to; the loop is bounded by the deadline of the poll below.
        subprocess.run(
            ["sh", "-c", f'for i in $(seq 200); do ls "{directory}"/*.names 2>/dev/null && exit; sleep 0.1; done'],
            check=True,
            timeout=60,
            stdout=subprocess.DEVNULL,
        )
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.communicate()
    assert ListingDiskCache(tmp_path, "s", clock=lambda: 0.0, wall=lambda: 0.0).get("d/") is not None


def test_two_mounts_share(tmp_path: Path) -> None:
    now = [0.0]
    one, two = (ListingDiskCache(tmp_path, "s", clock=lambda: now[0], wall=lambda: 100 + now[0]) for _ in range(2))
    one.add("d/", listing_of(classify("d/", [stat("d/x")], []), 0.0))
    one.flush()
    assert two.get("d/") is None  # it has looked a moment ago
    now[0] += segments.LOOK_S
    got = two.get("d/")
    assert got is not None and got.at == 0.0 and got.get(b"x", "d/", "s") is not None
    # And both may merge and remove what the other has open.
    for i in range(4 * segments.SEGMENTS_MAX):
        (one, two)[i % 2].add(f"d{i}/", listing_of(classify(f"d{i}/", [stat(f"d{i}/x")], []), 0.0))
        (one, two)[i % 2].flush()
    now[0] += segments.LOOK_S
    for i in range(4 * segments.SEGMENTS_MAX):
        assert one.get(f"d{i}/") and two.get(f"d{i}/")
    assert len(list(tmp_path.glob("*/*.names"))) <= 2 * segments.SEGMENTS_MAX
    one.close()
    two.close()


def test_the_latest_listing_wins_through_merges(tmp_path: Path) -> None:
    now = [0.0]
    kept = ListingDiskCache(tmp_path, "s", clock=lambda: now[0], wall=lambda: 100 + now[0])
    for i in range(30):
        now[0] += 1
        kept.add("d/", listing_of(classify("d/", [stat("d/x", size=i)], []), now[0]))
        kept.flush()
    entry = (kept.get("d/") or pytest.fail("lost")).get(b"x", "d/", "s")
    assert entry is not None and entry.stat is not None and entry.stat.size == 29
    kept.close()


@pytest.mark.parametrize("spoil", ["cut", "flip", "empty", "foreign"])
def test_damaged_files_are_passed_over(tmp_path: Path, spoil: str) -> None:
    kept = ListingDiskCache(tmp_path, "s", clock=lambda: 0.0, wall=lambda: 0.0)
    kept.add("d/", listing_of(classify("d/", [stat("d/x")], []), 0.0))
    kept.close()
    (path,) = tmp_path.glob("*/*.names")
    whole = path.read_bytes()
    for at in range(0, len(whole), 7):
        path.write_bytes(
            {
                "cut": whole[:at],
                "flip": whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :],
                "empty": b"",
                "foreign": b"x" * at,
            }[spoil]
        )
        got = ListingDiskCache(tmp_path, "s", clock=lambda: 0.0, wall=lambda: 0.0).get("d/")
        assert got is None or got.get(b"x", "d/", "s") == listing_of(classify("d/", [stat("d/x")], []), 0.0).get(
            b"x", "d/", "s"
        )


@pytest.mark.parametrize(
    "what",
    [
        stat("d/x", etag='"0123456789abcdef0123456789abcdef"'),
        stat("d/x", etag='"0123456789abcdef0123456789abcdef-10000"'),
        stat("d/x", etag='"0123456789abcdef0123456789abcdef-007"'),
        stat("d/x", etag='"0123456789ABCDEF0123456789abcdef"'),
        stat("d/x", etag='W/"weak"'),
        stat("d/x", etag="", storage="NEW_CLASS"),
        stat("d/x", size=2**63, storage="GLACIER", version="v1"),
        stat("d/\udcff é"),
    ],
)
def test_every_stat_survives(tmp_path: Path, what: ObjectStat) -> None:
    listing = listing_of(classify("d/", [stat("d/", 0, '"m"'), what], ["d/s/", "d//"], ["?"]), 5.0)
    prefix, back = segment.decode(segment.encode("d/", listing), "s", 5.0)
    assert prefix == "d/" and back.marker == listing.marker and back.hidden == listing.hidden
    entries, kept = ([one.entry(i, "d/", "s") for i in range(len(one))] for one in (listing, back))
    assert kept == entries
    assert what in [entry.stat for entry in kept]


def test_a_listing_from_the_future_is_not_believed(tmp_path: Path) -> None:
    kept = ListingDiskCache(tmp_path, "s", clock=lambda: 0.0, wall=lambda: 1000.0)
    kept.add("d/", listing_of(classify("d/", [stat("d/x")], []), 0.0))
    kept.close()
    got = ListingDiskCache(tmp_path, "s", clock=lambda: 0.0, wall=lambda: 10.0).get("d/")
    assert got is not None and got.at == float("-inf")


def test_a_directory_that_cannot_be_written_only_warns(make: Make, tmp_path: Path, caplog: Any) -> None:
    (tmp_path / "file").write_text("")
    w = make(KEYS, state_dir=tmp_path / "file" / "below")
    assert len(list(find(w))) == 8
    assert "not kept" in caplog.text
    w.restart()
    assert w.ls("d") == ["sub/", "x", "y"]


def test_a_directory_that_is_removed_is_made_again(tmp_path: Path, caplog: Any) -> None:
    now = [0.0]
    kept = ListingDiskCache(tmp_path / "names", "s", clock=lambda: now[0], wall=lambda: 100 + now[0])
    kept.add("d/", listing_of(classify("d/", [stat("d/x")], []), 0.0))
    kept.flush()
    shutil.rmtree(tmp_path / "names")
    now[0] += segments.LOOK_S
    assert kept.get("none/") is None and kept.get("d/") is None  # who removes it wants it gone
    kept.add("e/", listing_of(classify("e/", [stat("e/x")], []), now[0]))
    kept.flush()
    kept.close()
    assert ListingDiskCache(tmp_path / "names", "s", clock=lambda: now[0], wall=lambda: 100 + now[0]).get("e/")
    assert caplog.text == ""


def test_what_failed_for_a_while_is_tried_again_and_nothing_older_is_taken_for_the_latest(
    tmp_path: Path, caplog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    kept = ListingDiskCache(tmp_path, "s", clock=lambda: now[0], wall=lambda: 100 + now[0])

    def add(key: str) -> None:
        kept.add("d/", listing_of(classify("d/", [stat(key)], []), now[0]))
        kept.flush()

    def none_left(*args: object) -> Path:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    add("d/old")
    with monkeypatch.context() as broken:
        broken.setattr(segment, "write", none_left)
        for _ in range(3):
            now[0] += 1
            add("d/new")
            assert kept.get("d/") is None  # not "d/old"
    assert caplog.text.count("names are not kept") == 1
    now[0] += disk.RETRY_S
    add("d/newer")
    kept.close()
    again = ListingDiskCache(tmp_path, "s", clock=lambda: now[0], wall=lambda: 100 + now[0]).get("d/")
    assert again is not None and again.get(b"newer", "d/", "s") is not None

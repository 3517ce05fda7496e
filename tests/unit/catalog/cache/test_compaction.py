"""Segments merged: of each directory the latest record, whatever their order, and none of them held meanwhile."""

from __future__ import annotations

import tempfile
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from mountnd.catalog.cache import segment
from mountnd.catalog.cache.compaction import latest_records
from mountnd.catalog.cache.segment import Record, Segment
from mountnd.private_directory import PrivatePath

NOW = 1000.0

hashes = st.integers(0, 5).map(lambda n: n.to_bytes(8))
records = st.builds(Record, hashes, st.floats(1, NOW), st.integers(1, 4).map(float), st.binary(max_size=5))


def written(where: Path, groups: Sequence[Sequence[Record]]) -> list[Segment]:
    """A segment of each group."""
    directory = PrivatePath(where).open(make=True)
    return [Segment(directory, segment.write(directory, group, [], i)) for i, group in enumerate(groups)]


@settings(deadline=None)  # it writes files
@given(st.lists(st.lists(records, max_size=8), max_size=5))
def test_the_latest_record_of_each_directory_is_kept(groups: list[list[Record]]) -> None:
    expected: dict[bytes, Record] = {}
    for group in groups:
        last = {record.hash: record for record in group}  # of one directory in one segment, the last counts
        for key, record in last.items():
            if key not in expected or expected[key].written <= record.written:
                expected[key] = record
    with tempfile.TemporaryDirectory() as where:
        found = list(latest_records(written(Path(where) / "s", groups), NOW))
    assert found == [expected[key] for key in sorted(expected)]


@settings(deadline=None)
@given(st.lists(records, max_size=8))
def test_a_segment_finds_what_was_written_in_any_order(group: list[Record]) -> None:
    last = {record.hash: record for record in group}
    with tempfile.TemporaryDirectory() as where:
        (held,) = written(Path(where) / "s", [group])
        assert held.count == len(last)
        assert [row.hash for row in held.rows()] == sorted(last)
        for key, record in last.items():
            row = held.find(key)
            assert row is not None
            assert (row.at, row.written, held.read(row)) == record[1:]


def test_merging_holds_an_index_and_no_listings(tmp_path: Path) -> None:
    """What is merged may be a gigabyte."""
    size, count = 10_000, 400
    groups = [[Record((i * 4 + g).to_bytes(8), 1.0, 1.0, bytes(size)) for i in range(count)] for g in range(4)]
    segments = written(tmp_path / "s", groups)
    directory = PrivatePath(tmp_path / "s").open()
    del groups
    tracemalloc.start()
    try:
        name = segment.write(directory, latest_records(segments, NOW), [], 9)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert Segment(directory, name).count == 4 * count
    assert peak < 4 * count * 100 + 30 * size

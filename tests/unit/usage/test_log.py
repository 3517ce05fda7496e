"""What is remembered of files: adds up, stays within its bounds, and loses nothing that it does not tell of."""

from __future__ import annotations

import threading
import tracemalloc
from collections import Counter

from mountnd.stores.base import ObjectId
from mountnd.usage.archive import BATCH, Archive
from mountnd.usage.files import FileRow
from mountnd.usage.log import TOGETHER, UsageLog
from mountnd.usage.pattern import IN_ORDER, START

MIB = 1 << 20


def id_of(key: str, size: int = MIB) -> ObjectId:
    return ObjectId("s3://bucket", key, f'"{key}"', "", size)


def all_rows(log: UsageLog) -> list[FileRow]:
    rows, numbers, _ = log.recent()
    return [*rows, *(row for number in numbers for row in log.archived(number))]


def make(**options: object) -> UsageLog:
    log = UsageLog(wall=lambda: 50.0, **options)  # type: ignore[arg-type]
    log.path_of = lambda place: f"shown/{place}"
    return log


def test_one_file_from_open_to_close() -> None:
    log = make()
    handle = log.handle(id_of("a"), MIB)
    handle.opened("a")
    handle.read(0, 1000)
    handle.waited(600)
    handle.read(1000, 24)
    log.fetched(id_of("a"), MIB, 0, 65536, ahead=False)
    log.fetched(id_of("a"), MIB, 65536, 131072, ahead=True)
    log.from_disk(id_of("a"), MIB, 131072, 196608)
    handle.settle()
    (row,) = all_rows(log)
    assert row == FileRow(
        "s3://bucket", "a", '"a"', "", MIB, "shown/a", 1, 50.0, 1024, 600, 65536, 65536, 65536, START, 1024, True,
        ((0, 1024), (0, 65536), (65536, 131072), (131072, 196608)),
    )  # fmt: skip
    assert handle.now() == ("shown/a", MIB, 1024, 1024, START)


def test_what_was_fetched_and_never_opened_has_no_path() -> None:
    log = make()
    log.fetched(id_of("a"), MIB, 0, 10, ahead=True)
    (row,) = all_rows(log)
    assert (row.path, row.opens, row.ahead, row.ranges[0]) == ("", 0, 10, ())


def test_versions_are_told_apart() -> None:
    log = make()
    for etag in ('"1"', '"2"'):
        log.handle(ObjectId("s", "k", etag, "", 5), 5).opened("k")
    assert sorted(row.etag for row in all_rows(log)) == ['"1"', '"2"']


def test_reads_are_looked_at_before_there_are_many() -> None:
    log = make()
    handle = log.handle(id_of("a", 1 << 30), 1 << 30)
    for i in range(TOGETHER):
        assert handle.asked == 0
        handle.read(i * 4096, 4096)
    assert handle.asked == TOGETHER * 4096 and handle.take() == []


def test_many_files_are_archived_and_come_back() -> None:
    """Also those that a program has open while they are, and goes on to read."""
    log = make(files=10)
    first = log.handle(id_of("first"), MIB)
    first.opened("first")
    first.read(0, 100)
    count = 10 + 3 * BATCH
    for i in range(count):
        handle = log.handle(id_of(str(i)), MIB)
        handle.opened(i)
        handle.read(0, MIB)
        handle.settle()
    first.read(100, 50)
    first.settle()
    again = log.handle(id_of("first"), MIB)
    again.opened("first")
    again.read(150, 50)
    again.settle()
    first.read(200, 1)
    first.settle()
    rows = all_rows(log)
    assert len(log.recent()[0]) <= 10 + BATCH
    asked: Counter[str] = Counter()
    for row in rows:
        asked[row.key] += row.asked
    assert len(asked) == count + 1 and asked["first"] == 201
    assert {row.how for row in rows if row.key == "3"} == {IN_ORDER}
    assert sum(row.opens for row in rows if row.key == "first") == 2


def test_what_no_longer_fits_is_counted() -> None:
    log = make(files=1, archive=Archive(limit=4000))
    for i in range(8 * BATCH):
        log.handle(id_of(f"{i * 7919 % 65536:x}"), MIB).opened(i)
    rows, numbers, lost = log.recent()
    kept = len(rows) + sum(len(log.archived(n)) for n in numbers)
    assert lost and lost % BATCH == 0 and kept + lost == 8 * BATCH
    assert log.archived(numbers.start - 1) == []


def test_names_of_any_bytes_are_archived() -> None:
    log, odd = make(files=1), "a\udcff\n<b>\x00"
    log.handle(id_of(odd), MIB).opened(odd)
    for i in range(BATCH + 1):
        log.handle(id_of(str(i)), MIB).opened(i)
    assert odd in {row.key for row in all_rows(log)}


def test_threads_that_read_one_handle_at_once_lose_nothing() -> None:
    log = make()
    handle = log.handle(id_of("a", 1 << 30), 1 << 30)

    def read() -> None:
        for i in range(5000):
            handle.read(i * 10, 10)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    handle.settle()
    assert handle.asked == 4 * 5000 * 10


def test_a_job_of_a_hundred_thousand_files_takes_little_memory() -> None:
    tracemalloc.start()
    try:
        log = make()
        before = tracemalloc.get_traced_memory()[0]
        for i in range(30_000):
            key = f"sub-{i // 50:04d}/ses-01/func/sub-{i // 50:04d}_ses-01_task-rest_run-{i % 50:02d}_bold.nii.gz"
            handle = log.handle(id_of(key, 100_000), 100_000)
            handle.opened(key)
            log.fetched(id_of(key, 100_000), 100_000, 0, 100_000, ahead=False)
            handle.read(0, 100_000)
            handle.settle()
        del handle
        assert tracemalloc.get_traced_memory()[0] - before < 10 * MIB
    finally:
        tracemalloc.stop()

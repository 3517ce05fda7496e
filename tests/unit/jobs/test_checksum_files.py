"""Which of a tree's files are checksum files, and what they say of the others."""

from __future__ import annotations

import hashlib
from typing import Any

from mountnd.catalog.model.entry import Entry
from mountnd.errors import Cancelled, Forbidden
from mountnd.jobs.checksum_files import ChecksumFiles
from mountnd.stores.base import ObjectId, ObjectStat

MD5 = hashlib.md5(b"x").hexdigest()


class Names:
    """A catalogue, as far as it is needed."""

    def relied(self, stat: ObjectStat) -> ObjectStat:
        return stat


def entry(name: bytes, size: int = 10, *, is_dir: bool = False) -> Entry:
    stat = None if is_dir else ObjectStat(ObjectId("s", name.decode("utf-8", "surrogateescape"), '"e"'), size, 0)
    return Entry(name, name.decode("utf-8", "surrogateescape"), is_dir, stat)


def files_of(directory: tuple[str, ...], *entries: Entry) -> ChecksumFiles:
    found = ChecksumFiles()
    found.listed(directory, Names(), entries)  # type: ignore[arg-type]
    return found


def read(files: ChecksumFiles, text: str) -> list[tuple[str, str]]:
    failed: list[tuple[str, str]] = []
    files.read(lambda stat: text.encode(), lambda *what: failed.append(what))
    return failed


def test_what_is_one_and_what_it_says() -> None:
    files = files_of(("d",), entry(b"a.nii"), entry(b"md5sums"), entry(b"md5s", is_dir=True), entry(b"caf\xe9.md5"))
    assert files.files == 2 and not files
    assert read(files, f"{MD5}  a.nii\n") == []
    assert [(one.kind, one.value, one.by) for one in files.of("d/a.nii")] == [
        ("manifest", MD5, "d/md5sums, line 1"), ("manifest", MD5, "d/caf\udce9.md5, line 1"),
    ]  # fmt: skip
    assert files.of("a.nii") == () and files


def test_odd_lines_are_told_up_to_some() -> None:
    files = files_of((), entry(b"CHECKSUMS"))
    read(files, "x\n" * 10)
    assert (
        len(files.remarks) == 4 and files.remarks[0].startswith("CHECKSUMS, line 1:") and "7 more" in files.remarks[3]
    )


def test_one_that_is_too_long_or_cannot_be_read() -> None:
    files = files_of((), entry(b"md5sums", 1 << 40))
    assert read(files, "") == [] and "too long" in files.remarks[0]

    def refused(stat: ObjectStat) -> bytes:
        raise Forbidden("not for you")

    def cancelled(stat: ObjectStat) -> bytes:
        raise Cancelled("md5sums")

    failed: list[Any] = []
    files_of((), entry(b"md5sums")).read(refused, lambda *what: failed.append(what))
    files_of((), entry(b"md5sums")).read(cancelled, lambda *what: failed.append(what))
    assert failed == [("md5sums", "its checksums cannot be read: not for you")]


def test_what_is_named_and_not_there() -> None:
    files = files_of((), entry(b"md5sums"))
    read(files, "".join(f"{MD5}  {name}\n" for name in ("a/x", "b/y", "a/v.nii.gz", "a/w.mgz", "a/gone.nii.gz")))
    there = {"b/y", "a/v.nii", "a/w.mgh"}
    gone = [("a/gone.nii.gz", "md5sums, line 5"), ("a/x", "md5sums, line 1")]
    assert files.absent([("a",)], there) == files.absent([()], there) == gone
    assert files.absent([("b",)], there) == []

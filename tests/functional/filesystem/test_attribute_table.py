"""Each number of the table of attributes in help/semantics.md, as the kernel's stat(2) and statfs(2) show it."""

from __future__ import annotations

import os

import pytest

from tests.support import tree
from tests.support.children import run_program
from tests.support.doors import Fresh, KernelDoor
from tests.support.tree import BIG

pytestmark = pytest.mark.kernel

Y2000_NS = 946_684_800 * 10**9


def test_attributes_as_the_table_says(kernel: KernelDoor) -> None:
    for path in (*tree.FILES, *(path for path in tree.DIRECTORIES if path)):
        found = os.stat(kernel.path(path))
        assert found.st_nlink == 1, path
        assert found.st_mtime_ns == found.st_ctime_ns == found.st_atime_ns, path
        if path in tree.FILES:
            assert (found.st_size, found.st_blocks) == (tree.FILES[path], -(-tree.FILES[path] // 512)), path
        else:
            assert (found.st_size, found.st_blocks) == (4096, 8), path
            if f"{path}/" not in tree.MARKERS:
                assert found.st_mtime_ns == Y2000_NS, path


def test_df_shows_a_pebibyte_with_nothing_used(kernel: KernelDoor) -> None:
    found = os.statvfs(kernel.path(BIG))
    assert found.f_blocks * found.f_frsize == 1 << 50
    assert found.f_bfree == found.f_bavail == found.f_blocks
    size, used = run_program(["df", "--block-size=1", "--output=size,used", kernel.path()]).split()[-2:]
    assert (int(size), int(used)) == (1 << 50, 0)


def test_inode_numbers_are_a_hash_and_no_other(fresh_kernel: Fresh, dataset: tree.Bucket) -> None:
    """Of what the source is and of the key: another bucket of the same keys on the same server has other numbers."""
    other = tree.Bucket(dataset.url, "same-keys")
    other.put("participants.tsv", b"x")
    doors = [fresh_kernel(dataset.url, f"s3://{bucket.name}") for bucket in (dataset, dataset, other)]
    first, again, elsewhere = (door.stat("participants.tsv").ino for door in doors)
    assert first == again != elsewhere

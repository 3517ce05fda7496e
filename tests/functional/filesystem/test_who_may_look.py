"""Which users may look into a mount: one who mounted, and others by --allow-other and the permission bits."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import tree
from tests.support.children import run_program
from tests.support.doors import Fresh, KernelDoor, door_opener

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.root,
    pytest.mark.skipif(os.getuid() != 0, reason="needs root, to become another user"),
]

OTHER = 65_534
FILE = "participants.tsv"


@pytest.fixture
def open_to_all() -> Iterator[Fresh]:
    """As `fresh_kernel`, below a directory that everybody may search."""
    with tempfile.TemporaryDirectory(prefix="mountnd-look-") as where:
        os.chmod(where, 0o755)
        with door_opener("kernel", Path(where)) as fresh:
            yield fresh


def as_other(door: Fresh | KernelDoor, *argv: str) -> str:
    """Standard output and error of a program of another user, with the path of the mount put for {}."""
    assert isinstance(door, KernelDoor)
    root = os.fsdecode(door.path())
    script = " ".join(argv).replace("{}", root) + " 2>&1"
    return run_program(
        ["setpriv", f"--reuid={OTHER}", f"--regid={OTHER}", "--clear-groups", "sh", "-c", script], check=False
    )


def test_other_users_see_nothing_without_allow_other(open_to_all: Fresh, dataset: tree.Bucket) -> None:
    door = open_to_all(dataset.url, f"s3://{dataset.name}")
    for program in ("ls {}", "cat {}/" + FILE, "stat {}"):
        assert "denied" in as_other(door, program), program


def test_permission_bits_hold_for_other_users(open_to_all: Fresh, dataset: tree.Bucket) -> None:
    door = open_to_all(dataset.url, f"s3://{dataset.name}", allow_other=True)
    assert as_other(door, "wc -c < {}/" + FILE).strip() == str(tree.FILES[FILE])
    assert FILE in as_other(door, "ls {}")
    assert "denied" in as_other(door, "{}/" + FILE), "files are not executable"
    closed = open_to_all(dataset.url, f"s3://{dataset.name}", allow_other=True, file_mode=0o440, dir_mode=0o551)
    assert "denied" in as_other(closed, "ls {}")
    assert "denied" in as_other(closed, "cat {}/" + FILE)
    assert str(tree.FILES[FILE]) in as_other(closed, "stat -c %s {}/" + FILE)


def test_other_users_change_nothing(open_to_all: Fresh, dataset: tree.Bucket) -> None:
    """The kernel looks at the mount before the permission bits: read-only, for everybody."""
    door = open_to_all(dataset.url, f"s3://{dataset.name}", allow_other=True)
    for program in ("echo x >> {}/" + FILE, "mkdir {}/new", "rm -f {}/" + FILE, "chmod 600 {}/" + FILE):
        assert "Read-only file system" in as_other(door, f"({program})"), program

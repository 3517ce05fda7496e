"""Bucket policies that refuse some listings: the rest of the tree works, and a refusal is never an absence."""

from __future__ import annotations

import errno
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import mounts
from tests.support.children import run_program
from tests.support.doors import Door, Fresh, KernelDoor, errno_from, read, walk
from tests.support.quirky import Quirky, quirky_server

FILES = {
    f"{directory}/{name}": f"{directory}/{name}".encode()
    for directory in ("sub-01", "sub-01/anat", "sub-02/func", "sub-03")
    for name in ("a.json", "b.nii", "c.tsv")
} | {"top.txt": b"top"}


@pytest.fixture(scope="module")
def server() -> Iterator[Quirky]:
    with quirky_server() as server:
        yield server


def tree(door: Door, top: str = "") -> dict[bytes, bytes]:
    """Every file below a directory with its content."""
    return {path: read(door, path) for path, row in walk(door, os.fsencode(top)) if not row.is_dir}


WHOLE = {key.encode(): body for key, body in FILES.items()}
DEMANDS = {
    "a delimiter": [{"delimiter": "/"}],
    "ten keys a page": [{"max_keys": 10}],
    "a key a page": [{"max_keys": 1}],
    "fifty keys a page and a delimiter": [{"max_keys": 50, "delimiter": "/"}],
    "a prefix that ends in a slash, or none": [{"prefix": "|.*/", "delimiter": "/"}],
    "no delimiter below, one at the top": [{"prefix": "", "delimiter": "/"}, {"prefix": "sub-.*"}],
}


@pytest.mark.parametrize("demand", DEMANDS)
def test_what_a_policy_allows_is_there(fresh: Fresh, server: Quirky, demand: str) -> None:
    server.hold(FILES, list_rules=DEMANDS[demand])
    assert tree(fresh(server.url, "s3://bkt")) == WHOLE
    door = fresh(server.url, "s3://bkt")  # by path, nothing listed before
    assert read(door, "sub-01/anat/b.nii") == b"sub-01/anat/b.nii"
    assert errno_from(door.stat, "sub-01/anat/absent") == errno.ENOENT
    assert errno_from(door.stat, "absent/absent") == errno.ENOENT


@pytest.mark.parametrize("demand", ["a delimiter", "ten keys a page"])
def test_a_policy_is_learnt_with_few_requests(fresh: Fresh, server: Quirky, demand: str) -> None:
    files = {f"d{n:02}/e{m}/file": b"x" for n in range(12) for m in range(3)}
    server.hold(files, list_rules=DEMANDS[demand])
    door = fresh(server.url, "s3://bkt")
    assert len(tree(door)) == len(files)
    asked = len([request for request in server.log() if "list-type" in request.target])
    assert asked <= 1 + 12 + 12 * 3 + 12, "one for each directory, and some to learn"


def test_below_a_root_that_may_not_be_listed_two_prefixes_are_whole(fresh: Fresh, server: Quirky) -> None:
    rules = [{"prefix": "sub-01/.*"}, {"prefix": "sub-02/.*"}]
    for missing in (404, 403):
        server.hold(FILES, list_rules=rules, missing=missing)
        door = fresh(server.url, "s3://bkt", probe=False)
        assert errno_from(door.listdir) == errno.EACCES
        assert tree(door, "sub-01") == {path: body for path, body in WHOLE.items() if path.startswith(b"sub-01")}
        assert tree(door, "sub-02") == {path: body for path, body in WHOLE.items() if path.startswith(b"sub-02")}
        assert read(door, "top.txt") == b"top"
        assert errno_from(door.stat, "sub-01/absent") == errno.ENOENT
        assert errno_from(door.listdir) == errno.EACCES


def test_a_directory_that_may_not_be_listed_is_refused_alone(fresh: Fresh, server: Quirky) -> None:
    open_ = [{"prefix": prefix, "delimiter": "/"} for prefix in ("", "sub-01/.*", "sub-03.*", "sub-02/?")]
    server.hold(FILES, list_rules=open_, missing=403)
    door = fresh(server.url, "s3://bkt")
    assert door.listdir() == {b"sub-01", b"sub-02", b"sub-03", b"top.txt"}
    assert door.listdir("sub-02") == {b"func"}
    assert errno_from(door.listdir, "sub-02/func") == errno.EACCES
    assert read(door, "sub-02/func/a.json") == b"sub-02/func/a.json", "it may be read by its name"
    assert errno_from(door.stat, "sub-02/func/absent") == errno.EACCES
    assert tree(door, "sub-01") == {path: body for path, body in WHOLE.items() if path.startswith(b"sub-01")}


@pytest.mark.parametrize("ttl", [300, "indefinite"])
def test_a_404_where_listing_is_refused_is_no_absence(fresh: Fresh, server: Quirky, ttl: object) -> None:
    server.hold({"secret/old": b"old"}, list_rules=[{"prefix": "", "delimiter": "/"}])
    door = fresh(server.url, "s3://bkt", ttl=ttl)
    assert read(door, "secret/old") == b"old"
    for name in ("new", "directory"):
        assert errno_from(door.stat, f"secret/{name}") == errno.ENOENT
    things = {"secret/old": b"old", "secret/new": b"new", "secret/directory/x": b"x"}
    rules = [{"prefix": "", "delimiter": "/"}, {"prefix": "secret/directory/.*"}]
    server.hold(things, list_rules=rules)
    time.sleep(1.1)  # what the kernel keeps an absence
    assert read(door, "secret/new") == b"new"
    assert read(door, "secret/directory/x") == b"x"


def test_where_nothing_may_be_listed_paths_lead_to_what_may_be_read(fresh: Fresh, server: Quirky) -> None:
    """S3 answers 403 to the HEAD of a key that is not there, where ListBucket is not allowed."""
    server.hold(FILES, list_rules=[], missing=403)
    door = fresh(server.url, "s3://bkt", probe=False)
    assert read(door, "top.txt") == b"top"
    assert read(door, "sub-01/anat/b.nii") == b"sub-01/anat/b.nii"
    assert errno_from(door.listdir) == errno.EACCES
    assert errno_from(door.listdir, "sub-01") == errno.EACCES
    assert errno_from(read, door, "absent.txt") in (errno.EACCES, errno.EISDIR)


def test_where_nothing_may_be_listed_a_404_holds_for_one_call(fresh: Fresh, server: Quirky) -> None:
    server.hold({"top.txt": b"top"}, list_rules=[])
    door = fresh(server.url, "s3://bkt", probe=False)
    assert read(door, "top.txt") == b"top"
    assert errno_from(door.stat, "new.txt") == errno.ENOENT
    server.hold({"top.txt": b"top", "new.txt": b"new"}, list_rules=[])
    time.sleep(1.1)
    assert read(door, "new.txt") == b"new"


@pytest.mark.kernel
def test_find_goes_as_far_as_the_policy_allows(fresh_kernel: Fresh, server: Quirky) -> None:
    server.hold(FILES, list_rules=[{"prefix": "sub-01/.*"}, {"prefix": "sub-02/.*"}])
    door = fresh_kernel(server.url, "s3://bkt", probe=False)
    assert isinstance(door, KernelDoor)
    out = run_program(["find", door.path("sub-01"), door.path("sub-02"), "-type", "f"])
    assert len(out.splitlines()) == 9
    done = subprocess.run(["find", door.path()], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "Permission denied" in done.stderr
    assert "may not be listed" in door.mount.log
    assert "--no-probe" in door.mount.log


@pytest.mark.kernel
def test_a_refusal_at_start_names_prefixes_and_no_probe(server: Quirky, tmp_path: Path) -> None:
    server.hold(FILES, list_rules=[{"prefix": "sub-01/.*"}])
    (tmp_path / "mnt").mkdir()
    command = mounts.command(tmp_path, server.url, ["s3://bkt"], {})
    done = subprocess.run(command, cwd=mounts.ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if "denied" in line]
    assert "s3://bkt/PREFIX" in line
    assert "--no-probe" in line


@pytest.mark.kernel
def test_a_prefix_that_may_be_listed_is_mounted_by_its_name(fresh_kernel: Fresh, server: Quirky) -> None:
    server.hold(FILES, list_rules=[{"prefix": "sub-01/.*"}])
    door = fresh_kernel(server.url, "s3://bkt/sub-01")
    assert door.listdir() == {b"a.json", b"anat", b"b.nii", b"c.tsv"}

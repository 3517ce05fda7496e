"""A mount with --view nii: what programs see of compressed images, through both doors."""

from __future__ import annotations

import errno
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.functional.views.conftest import LARGE, LARGE_KEY, SIDECAR, real_files
from tests.support import tree
from tests.support.children import run_program
from tests.support.doors import KINDS, Door, Fresh, KernelDoor, errno_from, open_door, read, walk
from tests.support.mounts import ROOT
from tests.support.nifti_files import Made, as_gzip_does, gzipped, image
from tests.support.waiting import wait_until

LARGE_NII = LARGE_KEY.removesuffix(".gz")


@pytest.fixture(scope="module", params=KINDS)
def view(
    request: pytest.FixtureRequest, images: tree.Bucket, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Door]:
    """`images` inflated, through either door."""
    where = tmp_path_factory.mktemp(f"view-{request.param}")
    with open_door(request.param, where, images.url, f"s3://{images.name}", view="nii") as door:
        yield door


def test_each_name_is_the_inflated_ones_and_none_stands_beside_it(view: Door, files: list[Made]) -> None:
    names = {path.decode() for path, row in walk(view) if not row.is_dir}
    assert not [name for name in names if name.lower().endswith(".nii.gz")]
    assert {f"made/{file.name}.nii" for file in files} <= names
    assert {key.removesuffix(".gz") for key in real_files()} <= names
    assert f"made/{files[0].name}.json" in names
    assert "both/UPPER.NII" in names
    assert view.rows("both")[b"dir.nii.gz"].is_dir


def test_each_made_file_is_what_gzip_makes_of_it_or_is_refused_when_it_is_opened(view: Door, files: list[Made]) -> None:
    for file in files:
        path = f"made/{file.name}.nii"
        if file.inflated is None:
            assert errno_from(view.open, path) == errno.EIO, file.name
        else:
            assert view.stat(path).size == len(file.inflated), file.name
            assert read(view, path) == file.inflated, file.name


def test_each_real_file_is_what_gzip_makes_of_it_or_is_refused_when_it_is_opened(view: Door) -> None:
    opened = 0
    for key, local in real_files().items():
        plain, path = as_gzip_does(local.read_bytes()), key.removesuffix(".gz")
        if errno_from(lambda path=path: view.close(view.open(path))):
            assert plain is None or not plain or fails_in_nibabel(local), key
            continue
        opened += 1
        assert read(view, path) == plain, key
        assert plain is not None
        assert view.stat(path).size == len(plain)
    assert opened >= 3, "nibabel alone brings so many"


def fails_in_nibabel(path: Path) -> bool:
    """Whether header and data disagree, as nibabel finds when it reads all."""
    nibabel = pytest.importorskip("nibabel")
    try:
        loaded = nibabel.load(path)
        expected = loaded.dataobj.offset + loaded.get_data_dtype().itemsize * math.prod(loaded.shape)
        return expected != len(as_gzip_does(path.read_bytes()) or b"")
    except Exception:
        return True


def test_a_stored_one_wins_and_a_directory_keeps_its_name(view: Door) -> None:
    assert read(view, "both/x.nii") == b"stored as it is"
    assert read(view, "both/UPPER.NII") == image((4, 4), seed=1)
    assert read(view, "both/dir.nii.gz/inside.txt") == b"in a directory"
    assert errno_from(view.stat, "both/x.nii.gz") == errno.ENOENT
    assert errno_from(view.stat, f"{LARGE_KEY}") == errno.ENOENT
    assert read(view, LARGE_KEY.replace(".nii.gz", ".json")) == SIDECAR


def test_any_part_of_a_large_file(view: Door) -> None:
    assert view.stat(LARGE_NII).size == len(LARGE)
    handle = view.open(LARGE_NII)
    try:
        for offset in (len(LARGE) - 5000, 0, 13_000_001, 352, 7 << 20, len(LARGE) - 1, 20_000_000):
            for size in (1, 4096, 100_000):
                assert view.pread(handle, size, offset) == LARGE[offset : offset + size]
        with ThreadPoolExecutor(8) as pool:
            starts = range(0, len(LARGE), 1_000_003)
            for start, data in zip(starts, pool.map(lambda at: view.pread(handle, 50_000, at), starts), strict=True):
                assert data == LARGE[start : start + 50_000]
    finally:
        view.close(handle)
    assert read(view, LARGE_NII) == LARGE


def test_one_line_in_the_log_says_why_a_file_cannot_be_opened(images: tree.Bucket, tmp_path: Path) -> None:
    with open_door("kernel", tmp_path, images.url, f"s3://{images.name}", view="nii") as door:
        assert isinstance(door, KernelDoor)
        for _ in range(3):
            assert errno_from(door.open, "made/bad-pair.nii") == errno.EIO
        wait_until(lambda: "bad-pair" in door.mount.log, "the log's line")
        lines = [line for line in door.mount.log.splitlines() if "bad-pair.nii" in line]
        assert len(lines) == 1, lines
        assert "cannot be opened" in lines[0]
        assert "in a file of their own" in lines[0]


@pytest.mark.kernel
def test_programs_read_it(images: tree.Bucket, tmp_path: Path) -> None:
    with open_door("kernel", tmp_path, images.url, f"s3://{images.name}", view="nii") as door:
        assert isinstance(door, KernelDoor)
        root = Path(os.fsdecode(door.root))
        code = (
            "import nibabel, sys, hashlib; i = nibabel.load(sys.argv[1]); "
            "print(i.shape, hashlib.md5(i.dataobj[..., 11].tobytes()).hexdigest())"
        )
        packed = tmp_path / "plain.nii.gz"
        packed.write_bytes(gzipped(LARGE, 1))
        shown = [
            subprocess.run(
                [sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=120, check=True
            ).stdout
            for path in (root / LARGE_NII, packed)
        ]
        assert shown[0] == shown[1]
        listing = run_program(["ls", "-l", str(root / "made")])
        assert len(listing.splitlines()) > 100
        plain = tmp_path / "plain.nii"
        plain.write_bytes(LARGE)
        assert run_program(["cmp", str(root / LARGE_NII), str(plain)]) == ""


def test_a_file_that_is_replaced_while_it_is_open_is_stale_and_the_next_open_is_new(
    fresh: Fresh, bucket: tree.Bucket
) -> None:
    old, new = image((128, 128, 64, 3), seed=1), image((128, 128, 64, 2), seed=2)
    bucket.put("x.nii.gz", gzipped(old, 1))
    door = fresh(bucket.url, f"s3://{bucket.name}", view="nii", ttl=1, cache_size=0, memory=8 << 20)
    handle = door.open("x.nii")
    assert door.pread(handle, 1000, 0) == old[:1000]
    bucket.put("x.nii.gz", gzipped(new, 1))
    assert errno_from(door.pread, handle, 1000, len(old) - 1000) == errno.ESTALE
    door.close(handle)
    wait_until(lambda: read(door, "x.nii") == new, "the new version")
    assert door.stat("x.nii").size == len(new)


def test_a_file_that_is_replaced_before_it_is_opened_is_the_new_one(fresh: Fresh, bucket: tree.Bucket) -> None:
    old, new = image((50, 50), seed=1), image((60, 60), seed=2)
    bucket.put("d/x.nii.gz", gzipped(old))
    door = fresh(bucket.url, f"s3://{bucket.name}", view="nii")
    assert door.listdir("d") == {b"x.nii"}
    bucket.put("d/x.nii.gz", gzipped(new))
    assert read(door, "d/x.nii") == new
    assert door.stat("d/x.nii").size == len(new)


def test_one_object_as_source(fresh: Fresh, images: tree.Bucket) -> None:
    door = fresh(images.url, f"s3://{images.name}/both/UPPER.NII.GZ", view="nii")
    if door.kind == "kernel":  # the vfs alone asks nobody whether it is an object
        assert door.listdir() == {b"UPPER.NII"}
        assert read(door, "UPPER.NII") == image((4, 4), seed=1)


def cli(*argv: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mountnd", *argv],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False, env={**os.environ, **env},
    )  # fmt: skip


def test_doctor_lists_what_cannot_be_opened_and_what_is_hidden(
    images: tree.Bucket, files: list[Made], tmp_path: Path
) -> None:
    options = ["--endpoint-url", images.url, "--region", "us-east-1", "--anonymous", "--cache-dir", str(tmp_path)]
    done = cli("doctor", f"s3://{images.name}", "--keys", "", "--view", "nii", "--json", *options)
    keys = {row["key"]: row["reason"] for row in json.loads(done.stdout)["keys"]}
    for file in files:
        assert (f"made/{file.name}.nii.gz" in keys) is (file.inflated is None), file.name
    assert "beside it" in keys["both/x.nii.gz"]
    plain = cli("doctor", f"s3://{images.name}", "--keys", "made", "--json", *options)
    assert json.loads(plain.stdout)["keys"] == []


def test_a_view_that_there_is_not_is_refused(tmp_path: Path) -> None:
    done = cli("mount", "s3://bucket", str(tmp_path), "--view", "dicom")
    assert done.returncode == 2
    assert "nii" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1

"""`--view nii` over every kind of source, wherever options are given, and beside the other verbs."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
import pytest

import mountnd
from mountnd import assembly
from mountnd.config.options import MountConfig, SourceConfig
from tests.functional.views.conftest import LARGE, LARGE_KEY
from tests.support import tree
from tests.support.cli import run_mountnd
from tests.support.doors import Door, Fresh, VfsDoor, errno_from, read
from tests.support.nifti_files import Made, gzipped, image
from tests.support.servers import file_server

IMAGE = image((40, 40, 30), seed=4)
LARGE_NII = LARGE_KEY.removesuffix(".gz")


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """A directory with an image and its sidecar."""
    (tmp_path / "data/sub").mkdir(parents=True)
    (tmp_path / "data/sub/x.nii.gz").write_bytes(gzipped(IMAGE))
    (tmp_path / "data/sub/x.json").write_bytes(b"{}")
    return tmp_path / "data"


@contextmanager
def opened(source: SourceConfig, where: Path) -> Iterator[Door]:
    mount = assembly.build(MountConfig(mountpoint=where / "nowhere", sources=(source,), cache_dir=where / "cache"))
    try:
        yield VfsDoor(mount)
    finally:
        mount.close()


@pytest.mark.parametrize("kind", ["directory", "web server", "links"])
def test_a_view_of_each_kind_of_source(kind: str, local: Path, tmp_path: Path) -> None:
    with file_server(local) as url:
        if kind == "directory":
            source, path = SourceConfig(name="s", url=f"file://{local}", view="nii"), "sub/x"
        elif kind == "web server":
            source, path = SourceConfig(name="s", url=f"{url}/", view="nii"), "sub/x"
        else:
            (tmp_path / "links").write_text(
                f"{url}/sub/x.nii.gz?Expires=4000000000\n{url}/sub/x.json?Expires=4000000000\n"
            )
            source, path = SourceConfig(name="s", urls=tmp_path / "links", view="nii"), "x"
        with opened(source, tmp_path) as door:
            names = {name.decode() for name in door.listdir(path.rpartition("/")[0])}
            assert names == {"x.nii", "x.json"}
            assert door.stat(f"{path}.nii").size == len(IMAGE)
            assert read(door, f"{path}.nii") == IMAGE
            assert errno_from(door.stat, f"{path}.nii.gz") == errno.ENOENT
            assert read(door, f"{path}.json") == b"{}"


@pytest.mark.kernel
def test_a_view_by_dash_o_config_file_and_python(images: tree.Bucket, tmp_path: Path) -> None:
    options = ["--endpoint-url", images.url, "--region", "us-east-1", "--anonymous", "--cache-dir", str(tmp_path / "c")]
    url = f"s3://{images.name}/both"
    file = tmp_path / "config.toml"
    file.write_text(f'[sources.lab]\nurl = "{url}"\nview = "nii"\n')
    ways = [(url, ["-o", "view=nii"]), ("lab", ["--config", str(file)]), (url, ["--view", "nii"])]
    for n, (source, more) in enumerate(ways):
        where = tmp_path / f"mnt{n}"
        where.mkdir()
        run_mountnd("mount", source, str(where), *options, *more)
        try:
            assert "UPPER.NII" in os.listdir(where)
            assert (where / "UPPER.NII").read_bytes() == image((4, 4), seed=1)
        finally:
            run_mountnd("umount", str(where))
    given: dict[str, Any] = {"endpoint_url": images.url, "region": "us-east-1", "anonymous": True, "view": "nii"}
    with mountnd.mount(url, **given, cache_dir=tmp_path / "c") as root:
        assert (root / "UPPER.NII").read_bytes() == image((4, 4), seed=1)


def test_without_fuse(images: tree.Bucket, tmp_path: Path) -> None:
    fs = fsspec.filesystem(
        "mountnd", source=f"s3://{images.name}", endpoint_url=images.url, region="us-east-1", anonymous=True,
        view="nii", cache_dir=tmp_path, skip_instance_cache=True,
    )  # fmt: skip
    sizes = {info["name"]: info["size"] for info in fs.ls("both")}
    assert sizes["both/UPPER.NII"] == len(image((4, 4)))
    assert fs.info(LARGE_NII)["size"] == len(LARGE)
    assert fs.cat_file(LARGE_NII, 20_000_000, 20_001_000) == LARGE[20_000_000:20_001_000]
    with fs.open("both/UPPER.NII") as opened_file:
        assert opened_file.read() == image((4, 4), seed=1)
    with pytest.raises(OSError) as caught:
        fs.cat_file("made/bad-pair.nii")
    assert caught.value.errno == errno.EIO


def test_the_size_of_what_cannot_be_opened_is_the_stored_one(
    fresh: Fresh, images: tree.Bucket, files: list[Made]
) -> None:
    door = fresh(images.url, f"s3://{images.name}", view="nii")
    for name in ("bad-pair", "bad-html", "bad-dim-zero", "bad-longer", "bad-empty"):
        stored = next(file.stored for file in files if file.name == name)
        assert door.stat(f"made/{name}.nii").size == len(stored)
        assert errno_from(door.open, f"made/{name}.nii") == errno.EIO


@pytest.mark.kernel
def test_prefetching_a_view(images: tree.Bucket, tmp_path: Path) -> None:
    options = ["--endpoint-url", images.url, "--region", "us-east-1", "--anonymous", "--cache-dir", str(tmp_path / "c")]
    told = run_mountnd(
        "prefetch", f"s3://{images.name}", "--include", "sub-01/**", "--include", "both/**",
        "--include", "made/bad-pair*", "--view", "nii", "--json", *options,
    )  # fmt: skip
    assert told.returncode == 1, "one cannot be read"
    assert "bad-pair" in told.stdout
    where = tmp_path / "mnt"
    where.mkdir()
    run_mountnd("mount", f"s3://{images.name}", str(where), "--view", "nii", "--offline", *options)
    try:
        assert (where / LARGE_NII).read_bytes() == LARGE
    finally:
        run_mountnd("umount", str(where))


def test_clearing_the_cache(images: tree.Bucket, tmp_path: Path) -> None:
    source = SourceConfig(
        name="s", url=f"s3://{images.name}", endpoint_url=images.url, region="us-east-1", anonymous=True, view="nii"
    )
    with opened(source, tmp_path) as door:
        assert read(door, LARGE_NII) == LARGE
    kept = os.listdir(tmp_path / "cache/views")
    assert any(name.startswith("blob-") for name in kept) and any(name.startswith("notes-") for name in kept)
    told = run_mountnd("cache", "clear", "--json", "--cache-dir", str(tmp_path / "cache"))
    assert json.loads(told.stdout)["freed"] > 0
    assert os.listdir(tmp_path / "cache/views") == []


def test_verify_reads_what_can_be_read_and_names_the_rest(local: Path, tmp_path: Path) -> None:
    for n in range(40):  # more than there are threads
        (local / f"sub/bad-{n}.nii.gz").write_bytes(b"no gzip at all")
    (local / "sub/y.json").write_bytes(b"{}")
    (local / "sub/md5sum.txt").write_text("99914b932bd37a50b983c5e7c90ae93b  y.json\n")
    told = run_mountnd(
        "verify", f"file://{local}", "--view", "nii", "--by", "manifest", "--json", "--cache-dir", str(tmp_path / "c")
    )
    assert told.returncode == 1
    assert "Traceback" not in told.stderr
    (job,) = json.loads(told.stdout)["jobs"]
    assert job["verified"] == 1
    assert job["done"] == job["files"] == 44
    assert len([one for one in job["findings"] if one["what"] == "unreadable"]) == 40


@pytest.mark.kernel
def test_a_lockfile_is_of_what_is_stored(images: tree.Bucket, tmp_path: Path) -> None:
    at = ["--endpoint-url", images.url, "--region", "us-east-1", "--anonymous"]
    options = [*at, "--cache-dir", str(tmp_path / "c"), "--view", "nii"]
    listed, opened_only, where = tmp_path / "listed.lock", tmp_path / "opened.lock", tmp_path / "mnt"
    where.mkdir()
    assert run_mountnd("lock", f"s3://{images.name}/both", "-o", str(listed), *at, "--view", "nii").returncode == 0
    run_mountnd("mount", f"s3://{images.name}/both", str(where), *options)
    try:
        assert (where / "UPPER.NII").read_bytes() == image((4, 4), seed=1)
        assert (where / "dir.nii.gz/inside.txt").read_bytes() == b"in a directory"
        assert run_mountnd("report", str(where), "--lock", str(opened_only)).returncode == 0
        told = json.loads(run_mountnd("report", str(where), "--format", "json").stdout)
        (shown,) = (file for file in told["files"] if file["path"] == "UPPER.NII")
        assert shown["key"] == "both/UPPER.NII.GZ" and shown["url"].endswith("/both/UPPER.NII.GZ")
        packed = gzipped(image((4, 4), seed=1))
        assert (shown["size"], shown["stored"]["size"]) == (len(image((4, 4))), len(packed))
        assert shown["etag"] == f'"{hashlib.md5(packed).hexdigest()}"'
    finally:
        run_mountnd("umount", str(where))
    for lock, names in ((listed, {"x.nii", "UPPER.NII", "dir.nii.gz"}), (opened_only, {"UPPER.NII", "dir.nii.gz"})):
        assert run_mountnd("lock", "--check", str(lock), "--view", "nii").returncode == 0
        run_mountnd("mount", str(lock), str(where), "--view", "nii", "--cache-dir", str(tmp_path / "other"))
        try:
            assert set(os.listdir(where)) == names
            assert (where / "UPPER.NII").read_bytes() == image((4, 4), seed=1)
        finally:
            run_mountnd("umount", str(where))


@pytest.mark.kernel
def test_explain_tells_of_what_is_stored_and_why_it_cannot_be_read(images: tree.Bucket, tmp_path: Path) -> None:
    at = ["--endpoint-url", images.url, "--region", "us-east-1", "--anonymous", "--cache-dir", str(tmp_path / "c")]
    where = tmp_path / "mnt"
    where.mkdir()
    run_mountnd("mount", f"s3://{images.name}", str(where), "--view", "nii", *at)
    try:
        assert (where / "both/UPPER.NII").read_bytes() == image((4, 4), seed=1)
        assert errno_of(where / "made/bad-pair.nii") == errno.EIO
        told = run_mountnd("explain", "--json", str(where / "both/UPPER.NII"), str(where / "made/bad-pair.nii"))
        good, bad = (json.loads(line) for line in told.stdout.splitlines())
        assert good["key"] == "both/UPPER.NII.GZ"
        assert good["etag"].startswith('"') and good["etag"].endswith('"')
        assert (good["size"], good["unreadable"]) == (len(image((4, 4))), None)
        assert good["next_read"]["outcome"] == "memory"
        assert bad["key"] == "made/bad-pair.nii.gz"
        assert "in a file of their own" in bad["unreadable"]
        assert (bad["next_read"]["outcome"], bad["next_read"]["errno"]) == ("fails", "EIO")
    finally:
        run_mountnd("umount", str(where))


def errno_of(path: Path) -> int | None:
    try:
        path.read_bytes()
    except OSError as e:
        return e.errno
    return None

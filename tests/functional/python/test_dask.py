"""Dask's workers, processes of a LocalCluster, share one mount: forty images are measured through it."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mountnd.daemon import rundir
from tests.support.cli import ROOT, environment, is_mounted
from tests.support.proxy import proxied
from tests.support.tree import Bucket

pytestmark = pytest.mark.kernel

LIMIT_S = 170.0
SUBJECTS = [f"sub-{number:02d}" for number in range(1, 41)]
PROGRAMS = "tests.functional.python.dask_programs"


def name(subject: str) -> str:
    return f"{subject}/anat/{subject}_T1w.nii.gz"


@pytest.fixture(scope="module")
def study(server: str) -> Bucket:
    """An image of each subject, whose voxels are all its number."""
    nibabel = pytest.importorskip("nibabel")
    import numpy as np

    bucket = Bucket(server, "forty")
    for number, subject in enumerate(SUBJECTS, 1):
        image = nibabel.Nifti1Image(np.full((16, 16, 8), number, np.int16), np.eye(4))
        bucket.put(name(subject), gzip.compress(image.to_bytes(), mtime=0))
    return bucket


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    before = {record.mountpoint for record in rundir.records()}
    yield
    left = [record for record in rundir.records() if record.mountpoint not in before]
    for record in left:
        subprocess.run(["fusermount3", "-u", "-z", record.mountpoint], check=False, capture_output=True, timeout=20)
    assert left == []


def run(program: str, **asked: Any) -> Any:
    """What a program of `dask_programs` tells, which a user would write."""
    done = subprocess.run(
        [sys.executable, "-m", PROGRAMS, program, json.dumps(asked)], cwd=ROOT, env=environment(),
        capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def options(url: str, tmp_path: Path, **more: Any) -> dict[str, Any]:
    return {
        "source": "s3://forty", "endpoint_url": url, "anonymous": True, "region": "us-east-1",
        "cache_dir": str(tmp_path / "cache"), **more,
    }  # fmt: skip


def test_forty_images_through_one_mount(study: Bucket, tmp_path: Path) -> None:
    """Of four processes; a file is fetched once, whoever reads it, and at the end nothing is mounted."""
    with proxied(study.url) as proxy:
        told = run("forty", subjects=SUBJECTS, mount=options(proxy.url, tmp_path))
        fetched = [request.path for request in proxy.gets() if request.status in (200, 206)]
    assert told["means"] == list(range(1, 41))
    assert told["workers"] == 4 and told["readers"] > 1
    assert len(told["paths"]) == 1 and told["mounts"] == told["paths"]
    assert "ask for its path" in told["path at the client"]
    assert sorted(fetched) == sorted(study.path(name(subject)) for subject in SUBJECTS)
    (path,) = told["paths"]
    assert not Path(path).exists(), "a private directory is removed"


def test_workers_that_are_killed_and_restarted(study: Bucket, tmp_path: Path) -> None:
    at = tmp_path.resolve() / "images"
    told = run("killed", mount=options(study.url, tmp_path, at=str(at)))
    assert told == {
        "after a worker was killed": [1.0, 2.0],
        "the same daemon": True,
        "a new worker": True,
        "after the daemon was killed": [3.0, 4.0],
        "after a restart of all": [5.0, 6.0],
        "mounted when unregistered": False,
        "tasks go on": 7,
        "mounted again": True,
        "another in its place": ["anat"],
        "mounts": [str(at)],
    }
    assert at.is_dir() and not is_mounted(at)


def test_errors_reach_whoever_registers_it(study: Bucket, tmp_path: Path) -> None:
    told = run("wrong", mount=options(study.url, tmp_path))
    host, _, said = told["no such bucket"].partition(": ")
    assert host and "no such bucket" in said and "\n" not in said
    assert told["kind"] == "MountError"
    assert told["no such option"] == ["UsageError", "memry: no such option: did you mean memory?"]
    assert told["relative"][0] == "UsageError" and "name an absolute path" in told["relative"][1]
    assert told["afterwards"] == 1.0


def test_without_distributed_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['distributed'] = None\n"
        "try:\n    import mountnd.api.dask\nexcept ImportError as e:\n    print(e)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "mountnd.api.dask needs a package: " in done.stdout and "install distributed" in done.stdout

"""A bucket of images as people have them, a mount of it, and the same files in a local directory."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import bids_study, tree
from tests.support.doors import open_kernel_door
from tests.support.mounts import watchdog
from tests.support.servers import moto_server

HANG_S = 600.0


@pytest.fixture(autouse=True)
def _watched() -> Iterator[None]:
    with watchdog(HANG_S):
        yield


@pytest.fixture(scope="package")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """nibabel's own sample images, and some made with it: pairs, a BIDS study."""
    nibabel = pytest.importorskip("nibabel")
    import numpy as np

    root = tmp_path_factory.mktemp("local")
    samples = Path(nibabel.__file__).parent / "tests/data"
    (root / "samples").mkdir()
    for path in samples.iterdir():
        if path.is_file():
            shutil.copy(path, root / "samples" / path.name)
    shape, dice = (31, 37, 23), np.random.default_rng(20)
    data = dice.integers(-1000, 1000, (*shape, 6)).astype(np.int16)
    (root / "made").mkdir()
    affine = np.diag([2.0, 2.0, 2.5, 1.0])
    made: dict[str, Any] = {
        "analyze.img": nibabel.AnalyzeImage,
        "spm99.img": nibabel.Spm99AnalyzeImage,
        "pair.img": nibabel.Nifti1Pair,
        "pair_gz.img.gz": nibabel.Nifti1Pair,
        "single.nii": nibabel.Nifti1Image,
        "single.nii.gz": nibabel.Nifti1Image,
        "two.nii": nibabel.Nifti2Image,
    }
    for name, kind in made.items():
        nibabel.save(kind(data[..., 0] if "nalyze" in kind.__name__ else data, affine), root / "made" / name)
    nibabel.save(nibabel.MGHImage(data[..., 0].astype(np.float32), affine), root / "made" / "single.mgh")
    nibabel.save(nibabel.MGHImage(data[..., 0].astype(np.float32), affine), root / "made" / "single.mgz")
    bids_study.write(root / "bids", nibabel)
    return root


@pytest.fixture(scope="package")
def bucket(local: Path) -> Iterator[tree.Bucket]:
    """The same files as objects."""
    with moto_server() as url:
        bucket = tree.Bucket(url, "images")
        bucket.put_all((str(p.relative_to(local)), p.read_bytes()) for p in local.rglob("*") if p.is_file())
        yield bucket


@pytest.fixture(scope="package")
def mount(bucket: tree.Bucket, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The same files through the kernel."""
    with open_kernel_door(tmp_path_factory.mktemp("images"), bucket.url, f"s3://{bucket.name}") as door:
        yield door.mount.path

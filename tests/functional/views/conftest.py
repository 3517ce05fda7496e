"""A bucket of compressed images, good and bad, and mounts that show them inflated."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.support import tree
from tests.support.nifti_files import Made, gzipped, image, made

# 4-D, 24 MiB, with an even mix of what compresses and what does not.
LARGE = image((128, 128, 64, 12), seed=5)
LARGE_KEY = "sub-01/func/sub-01_task-rest_bold.nii.gz"
SIDECAR = b'{"RepetitionTime": 2}'


def real_files() -> dict[str, Path]:
    """Every .nii.gz in the installed packages that bring some, by the key that it gets."""
    found = {}
    for package in ("nibabel", "nilearn", "dipy", "bids"):
        spec = importlib.util.find_spec(package)
        for top in (spec.submodule_search_locations or []) if spec else []:
            for path in sorted(Path(top).rglob("*.nii.gz")):
                found[f"real/{package}/{path.relative_to(top)}"] = path
    return found


@pytest.fixture(scope="package")
def files() -> list[Made]:
    return list(made())


@pytest.fixture(scope="package")
def large_packed() -> bytes:
    return gzipped(LARGE, 1)


@pytest.fixture(scope="package")
def images(server: str, files: list[Made], large_packed: bytes) -> tree.Bucket:
    """`made/NAME.nii.gz` and sidecars, `real/`, and a large one; tests only read it."""
    bucket = tree.Bucket(server, "images")
    objects = {f"made/{file.name}.nii.gz": file.stored for file in files}
    objects |= {f"made/{file.name}.json": SIDECAR for file in files[:5]}
    objects |= {key: path.read_bytes() for key, path in real_files().items()}
    objects[LARGE_KEY] = large_packed
    objects[LARGE_KEY.replace(".nii.gz", ".json")] = SIDECAR
    objects["both/x.nii"] = b"stored as it is"
    objects["both/x.nii.gz"] = gzipped(image((4, 4)))
    objects["both/UPPER.NII.GZ"] = gzipped(image((4, 4), seed=1))
    objects["both/dir.nii.gz/inside.txt"] = b"in a directory"
    bucket.put_all(objects)
    return bucket

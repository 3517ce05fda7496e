"""Makes the bucket `real` beside `neuro`: files as neuroscience has them, written by the libraries that users have.

    bold/long_bold.nii.gz       55 MB, 300 volumes; bold/long_bold.nii: 600 volumes of 307,200 bytes; both in int16
    bids/                       a data set with mixed kinds in nested directories, images of 0.2 to 4 MB; 60 MB
    study/                      a small data set in which validators find no error (tests/support/bids_study.py)
    dicom/, nwb/, arrays/       see formats.py

Some 0.5 GB in 600 files. The content is the same each time it is made, as the same versions of the libraries make it.
"""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path
from typing import Any

from ...support import bids_study
from ..data import incompressible, indexed, nifti_header
from ..place import DATA
from . import formats

BUCKET = "real"
# Another number makes the bucket anew where an older one is kept.
VERSION = "2"

LONG, GZIPPED = (80, 64, 30, 600), (64, 64, 36, 300)
SUBJECTS, SESSIONS = 4, 2


def make(root: Path = DATA) -> None:
    """Make the bucket below `root`; does nothing when it is there."""
    made = root / f"{BUCKET}.made"
    if made.exists() and made.read_text() == VERSION:
        return
    base = root / BUCKET
    shutil.rmtree(base, ignore_errors=True)
    long_images(base / "bold")
    mixed(base / "bids")
    import nibabel

    bids_study.write(base / "study", nibabel)
    formats.dicom_tree(base / "dicom")
    formats.nwb_files(base / "nwb")
    formats.arrays(base / "arrays")
    (root / f"{BUCKET}.index").write_text(indexed(base))
    made.write_text(VERSION)


def long_images(where: Path) -> None:
    import numpy as np

    voxels = int(np.prod(LONG))
    incompressible(where / "long_bold.nii", 352 + 2 * voxels, nifti_header(LONG), 7)
    zipped(where / "long_bold.nii.gz", GZIPPED, 8)


def zipped(path: Path, shape: tuple[int, ...], seed: int) -> None:
    """A .nii.gz of int16 as scanners give them: an object with noise of 10 bits, nothing around it."""
    import numpy as np

    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    inside = np.zeros(shape[:3], bool)
    inside[3:-3, 3:-3, 1:-1] = True
    noise = rng.integers(0, 1 << 10, (*shape[3:], *shape[2::-1]), dtype=np.int16)  # volumes first, x fastest
    voxels = (noise + np.int16(700)) * inside.T
    with gzip.GzipFile(path, "wb", compresslevel=1, mtime=0) as file:
        file.write(nifti_header(shape))
        file.write(voxels.astype("<i2").tobytes())


def mixed(root: Path) -> None:
    """A BIDS data set: four subjects, two sessions, each with anat, func, dwi and fmap."""
    root.mkdir(parents=True)
    bids_study.about(root)
    for name in ("extra", "sub-01", "code", "sourcedata"):
        shutil.rmtree(root / name, ignore_errors=True)
    ages = [(f"sub-{i + 1:02d}", 20 + i, "FM"[i % 2]) for i in range(SUBJECTS)]
    bids_study.table(root / "participants.tsv", ("participant_id", "age", "sex"), ages)
    for i in range(SUBJECTS):
        for session in range(SESSIONS):
            recorded(root, f"sub-{i + 1:02d}", f"ses-{session + 1}", seed=100 * i + 10 * session)


def recorded(root: Path, subject: str, session: str, seed: int) -> None:
    """One session's files: fourteen in five directories."""
    where, stem = root / subject / session, f"{subject}_{session}"
    images: dict[str, tuple[int, ...]] = {
        f"anat/{stem}_T1w": (160, 160, 100),
        f"func/{stem}_task-rest_bold": (64, 64, 30, 16),
        f"dwi/{stem}_dwi": (48, 48, 24, 8),
        f"fmap/{stem}_magnitude1": (64, 64, 36),
        f"fmap/{stem}_phasediff": (64, 64, 36),
    }
    for number, (name, shape) in enumerate(images.items()):
        zipped(where / f"{name}.nii.gz", shape, seed + number)
        bids_study.sidecar(where / f"{name}.json", about(name))
    trials = [(2.5 * i, 1.0, ("target", "other")[i % 2]) for i in range(120)]
    bids_study.table(where / f"func/{stem}_task-rest_events.tsv", ("onset", "duration", "trial_type"), trials)
    (where / f"dwi/{stem}_dwi.bval").write_text("0 " + "1000 " * 7 + "\n")
    (where / f"dwi/{stem}_dwi.bvec").write_text(("0 " + "1 " * 7 + "\n") + ("0 " * 8 + "\n") * 2)
    scans = [(f"{name}.nii.gz", "2020-01-02T10:00:00") for name in images]
    bids_study.table(where / f"{stem}_scans.tsv", ("filename", "acq_time"), scans)


def about(name: str) -> dict[str, Any]:
    """A sidecar as dcm2niix writes it: a few kilobytes."""
    told: dict[str, Any] = {
        "Manufacturer": "Nobody",
        "MagneticFieldStrength": 3,
        "EchoTime": 0.03,
        "EchoTime1": 0.005,
        "EchoTime2": 0.0075,
        "RepetitionTime": 2.0,
        "FlipAngle": 77,
        "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"],
        "SliceTiming": [round(0.06 * i, 4) for i in range(24)],
        "ConversionSoftware": "none",
        "SeriesDescription": name,
        "ReceiveCoilActiveElements": "HEA;HEP " * 40,
    }
    return told | ({"TaskName": "rest"} if "task-rest" in name else {})

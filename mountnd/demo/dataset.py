"""A small BIDS dataset with images of a made-up head, the same bytes at each call.

The head is a set of ellipsoids with one intensity for each tissue, after the idea of the Shepp-Logan phantom
(IEEE Trans. Nucl. Sci. 21 (1974) 21-43), with folds on the brain's surface so that it looks like one.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray

Volume = NDArray[np.float32]

BUCKET = "mountnd-demo"
SUBJECTS = ("01", "02")
TASK = "rest"
T1W_SHAPE = (160, 192, 160)
T1W_MM = 1.1
BOLD_SHAPE = (64, 76, 40)
BOLD_MM = (2.75, 2.75, 4.4)
BOLD_VOLUMES = 40
REPETITION_S = 2.0

# Relative T1-weighted intensities: fat and white matter bright, grey matter between, CSF and bone dark.
_SCALP, _BONE, _CSF, _GREY, _WHITE, _DEEP = 0.70, 0.07, 0.20, 0.52, 0.82, 0.62


def _grid(shape: tuple[int, ...]) -> list[Volume]:
    """Coordinates from -1 to 1 along right, anterior, superior; each of shape (n, 1, 1), (1, n, 1), (1, 1, n)."""
    axes = [np.linspace(-1, 1, n, dtype=np.float32) for n in shape]
    return list(np.meshgrid(*axes, indexing="ij", sparse=True))


def _ball(grid: list[Volume], centre: tuple[float, float, float], radii: tuple[float, float, float]) -> Volume:
    """How far out each voxel lies in an ellipsoid: 0 at the centre, 1 on the surface."""
    return np.sqrt(sum(((g - c) / r) ** 2 for g, c, r in zip(grid, centre, radii, strict=True)), dtype=np.float32)


def _soft(distance: Volume, edge: float = 1.0, width: float = 0.02) -> Volume:
    """1 inside `edge`, 0 outside, with a border as soft as a scanner's."""
    inside: Volume = 1 / (1 + np.exp(np.clip((distance - edge) / width, -30, 30)))
    return inside


def head(shape: tuple[int, int, int], subject: int) -> Volume:
    """A head, float32 of `shape`, intensities 0 to 1; each subject's is a little different."""
    grid = _grid(shape)
    x, y, z = grid
    size = 1 + 0.03 * np.sin(2.4 * subject)
    image = _SCALP * _soft(_ball(grid, (0, 0, 0), (0.80, 0.94, 0.94)))
    image += (_BONE - image) * _soft(_ball(grid, (0, 0, 0.01), (0.75, 0.89, 0.89)))
    image += (_CSF - image) * _soft(_ball(grid, (0, 0, 0.02), (0.70, 0.84, 0.84)))
    # Sulci: narrow valleys along waves over the direction from the centre; the fissure parts the hemispheres. Grey
    # matter lines both.
    brain = _ball(grid, (0, 0, 0.03), (0.68 * size, 0.81 * size, 0.80 * size))
    polar, around = np.arctan2(y, np.abs(x) + 0.08), np.arctan2(z, np.hypot(x, y) + 0.08)
    waves = np.sin(11 * polar + 4 * np.sin(4 * around + 1.7 * subject) + 1.5 * np.sin(9 * around))
    waves *= np.cos(9 * around + 3 * np.sin(5 * polar + subject))
    valley, bank = np.exp(-((waves / 0.16) ** 2)), np.exp(-((waves / 0.50) ** 2))
    fissure = np.exp(-((x / 0.016) ** 2)), np.exp(-((x / 0.06) ** 2))
    outer = _soft(brain, 0.64, -0.03)
    pial = brain + 0.26 * valley * outer + 0.36 * fissure[0] * outer
    inner = brain + 0.17 * bank * outer + 0.30 * fissure[1] * outer
    image += (_GREY - image) * _soft(pial, 1.0)
    image += (_WHITE - image) * _soft(inner, 0.89) * _soft(pial, 0.94)
    for side in (-1, 1):
        image += (_DEEP - image) * _soft(_ball(grid, (0.20 * side, 0.02, 0.0), (0.11, 0.24, 0.14)))
        image += (_CSF - image) * _soft(_ball(grid, (0.09 * side, 0.05, 0.13), (0.055, 0.36, 0.13)), width=0.05)
        image += (_CSF - image) * _soft(_ball(grid, (0.14 * side, -0.36, 0.05), (0.06, 0.16, 0.09)), width=0.05)
    return image


def _affine(shape: tuple[int, ...], mm: tuple[float, ...]) -> NDArray[np.float64]:
    affine = np.diag([*mm, 1.0])
    affine[:3, 3] = [-(n - 1) / 2 * step for n, step in zip(shape, mm, strict=True)]
    return affine


def _nifti(data: NDArray[np.int16], mm: tuple[float, ...], repetition: float = 0.0) -> bytes:
    make: Any = nibabel.nifti1.Nifti1Image
    image = make(data, _affine(data.shape[:3], mm))
    image.header.set_xyzt_units("mm", "sec")
    if repetition:
        image.header.set_zooms((*mm, repetition))
    raw: bytes = image.to_bytes()
    return raw


def t1w(subject: int) -> bytes:
    """An anatomical image as .nii: int16, 160 x 192 x 160 voxels of 1.1 mm, with a scanner's noise."""
    rng = np.random.default_rng(subject)
    image = head(T1W_SHAPE, subject)
    image += rng.normal(0, 0.012, T1W_SHAPE).astype(np.float32)
    return _nifti((np.abs(image) * 1000).astype(np.int16), (T1W_MM,) * 3)


def bold(subject: int) -> bytes:
    """A functional run as .nii: int16, 64 x 76 x 40 voxels, 40 volumes 2 s apart, one active spot."""
    rng = np.random.default_rng(100 + subject)
    still = head(BOLD_SHAPE, subject)
    spot = _soft(_ball(_grid(BOLD_SHAPE), (0.4, -0.45, 0.2), (0.15, 0.15, 0.15)), width=0.2)
    data = np.empty((*BOLD_SHAPE, BOLD_VOLUMES), np.int16)
    for n in range(BOLD_VOLUMES):
        noise = rng.normal(0, 0.01, BOLD_SHAPE).astype(np.float32)
        data[..., n] = np.abs(still + 0.05 * np.sin(n / 3) * spot * still + noise) * 800
    return _nifti(data, BOLD_MM, REPETITION_S)


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, indent=2).encode() + b"\n"


def _gzip(raw: bytes) -> bytes:
    return gzip.compress(raw, compresslevel=1, mtime=0)  # noise does not get smaller by trying harder


def files() -> Iterator[tuple[str, bytes]]:
    """Every file of the dataset: its path, as in BIDS 1.9, and its bytes."""
    yield (
        "dataset_description.json",
        _json({"Name": "mountnd demo: two made-up heads", "BIDSVersion": "1.9.0", "License": "CC0"}),
    )
    yield "README", b"Two heads made of ellipsoids. No person was scanned.\n"
    rows = "".join(f"sub-{s}\t{30 + n}\t{'FM'[n % 2]}\n" for n, s in enumerate(SUBJECTS))
    yield "participants.tsv", b"participant_id\tage\tsex\n" + rows.encode()
    yield f"task-{TASK}_bold.json", _json({"TaskName": TASK, "RepetitionTime": REPETITION_S})
    for n, subject in enumerate(SUBJECTS, 1):
        anat, func = f"sub-{subject}/anat/sub-{subject}", f"sub-{subject}/func/sub-{subject}_task-{TASK}"
        yield f"{anat}_T1w.json", _json({"Modality": "MR", "MagneticFieldStrength": 3, "EchoTime": 0.003})
        yield f"{anat}_T1w.nii.gz", _gzip(t1w(n))
        run = bold(n)
        yield f"{func}_run-1_bold.nii", run
        yield f"{func}_run-2_bold.nii.gz", _gzip(run)

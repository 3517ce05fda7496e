"""The demo's reader: a program that knows files, nibabel and nothing of S3.

Run as `python -m mountnd.demo.reader DIRECTORY PICTURE`: loads a header, reads one slice, draws it, and prints
one JSON line of what it did.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray
from PIL import Image

# The picture's height in pixels: a slice of 192 voxels shows its voxels, and fits on a screen.
_PIXELS = 768


def draw(plane: NDArray[Any], path: Path) -> None:
    """Save a slice (right x anterior) as the radiologist sees it: front up, subject's right on the left, in grey."""
    low, high = np.percentile(plane, (1, 99.5))
    grey = np.clip((plane.astype(float) - low) / max(high - low, 1e-9), 0, 1) * 255
    image = Image.fromarray(np.ascontiguousarray(grey.T[::-1, ::-1].astype(np.uint8)))
    image.resize((image.width * _PIXELS // image.height, _PIXELS), Image.Resampling.BICUBIC).save(path)


def main(directory: str, picture: str) -> None:
    """Read through plain files below `directory`."""
    root = Path(directory)
    run = next(root.glob("sub-*/func/*_bold.nii"))
    nifti: Any = nibabel.nifti1
    header = nifti.load(run).header
    anatomy = next(root.glob("sub-*/anat/*_T1w.nii.gz"))
    start = time.perf_counter()
    image = nifti.load(anatomy)
    plane = np.asanyarray(image.dataobj[:, :, int(image.shape[2] * 0.54)])
    seconds = time.perf_counter() - start
    draw(plane, Path(picture))
    done = {
        "header_file": os.path.relpath(run, root),
        "shape": list(header.get_data_shape()),
        "zooms": [round(float(z), 3) for z in header.get_zooms()],
        "slice_file": os.path.relpath(anatomy, root),
        "slice_shape": list(plane.shape),
        "seconds": seconds,
    }
    print(json.dumps(done))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])

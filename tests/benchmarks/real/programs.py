"""The small programs of the rows that use a Python library: `python programs.py NAME PATH...`.

Each imports its library, prints "ready" and waits for a line: what starting Python takes is not what is measured. Then
it works as a user's script does, and prints what it found, which must be the same through every mount.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Program = Callable[..., None]
ALL: dict[str, tuple[tuple[str, ...], Program]] = {}


def program(name: str, *modules: str) -> Callable[[Program], Program]:
    """Registers the function as `name`; `modules` are imported before it is called."""

    def register(function: Program) -> Program:
        ALL[name] = (modules, function)
        return function

    return register


def digest(array: Any) -> str:
    import numpy as np

    content = np.ascontiguousarray(array)
    return f"{content.shape} {content.dtype} {hashlib.sha256(content.tobytes()).hexdigest()}"


@program("nibabel-slice", "nibabel", "numpy")
def nibabel_slice(path: str, index: str) -> None:
    """A part of an image, as `dataobj[...]` gives it; `index` as in "40,30,15,:"."""
    import nibabel

    parts = [slice(None) if part == ":" else int(part) for part in index.split(",")]
    print(digest(nibabel.load(path).dataobj[tuple(parts)]))


@program("nilearn-mean", "nilearn.image", "nibabel")
def nilearn_mean(path: str) -> None:
    import numpy as np
    from nilearn.image import mean_img

    print(digest(np.asanyarray(mean_img(path, copy_header=True).dataobj)))


@program("pynwb-walk", "pynwb")
def pynwb_walk(root: str) -> None:
    """Open each file below `root`, say what is in it, read no data."""
    from pynwb import NWBHDF5IO

    for path in sorted(Path(root).rglob("*.nwb")):
        with NWBHDF5IO(path, "r", load_namespaces=True) as io:
            file = io.read()
            rates = {name: series.rate for name, series in file.acquisition.items()}
            units = len(file.units), len(file.trials), len(file.electrodes)
            print(path.name, file.identifier, file.subject.subject_id, rates, units, len(file.objects))


@program("h5py-visit", "h5py")
def h5py_visit(root: str) -> None:
    """Names, shapes and attributes of everything in each file below `root`."""
    import h5py

    for path in sorted(Path(root).rglob("*.nwb")):
        with h5py.File(path, "r") as file:
            seen: list[str] = []
            file.visititems(lambda name, item, seen=seen: seen.append(f"{name} {item!r} {sorted(item.attrs)}"))
            print(path.name, hashlib.sha256("\n".join(seen).encode()).hexdigest())


@program("pydicom-headers", "pydicom")
def pydicom_headers(root: str) -> None:
    """The header of each file below `root`, as a script that sorts an export does it."""
    import pydicom

    found = []
    for path in Path(root).rglob("*"):
        if path.is_file():
            d = pydicom.dcmread(path, stop_before_pixels=True)
            found.append((d.PatientID, d.StudyInstanceUID, int(d.SeriesNumber), int(d.InstanceNumber)))
    print(*sorted(found), sep="\n")


@program("bids-layout", "bids", "bids.layout")
def bids_layout(root: str) -> None:
    """Index a data set with its metadata, and ask for some of it."""
    from bids import BIDSLayout

    layout = BIDSLayout(root)
    for image in sorted(layout.get(suffix="bold", extension=".nii.gz"), key=lambda file: str(file.path)):
        print(image.filename, sorted(image.get_metadata().items()))
    print(len(layout.get()), layout.get_subjects(), layout.get_tasks())


@program("h5py-chunk", "h5py")
def h5py_chunk(path: str) -> None:
    import h5py

    with h5py.File(path, "r") as file:
        print(digest(file["acquisition/probe/data"][153_600:156_672, 128:192]))


@program("zarr-chunk", "zarr")
def zarr_chunk(path: str) -> None:
    import zarr

    print(digest(zarr.open_array(path, mode="r")[64:68, 256:512, 0:256]))


@program("zarr-whole", "zarr")
def zarr_whole(path: str) -> None:
    import zarr

    print(digest(zarr.open_array(path, mode="r")[:]))


def main(name: str, *arguments: str) -> None:
    modules, function = ALL[name]
    # nibabel reads .gz through it where it is installed, in pieces of its own: only the row that says so does.
    if arguments[:1] == ("--indexed",):
        modules, arguments = (*modules, "indexed_gzip"), arguments[1:]
    else:
        sys.modules["indexed_gzip"] = None  # type: ignore[assignment]
    for module in modules:
        __import__(module)
    print("ready", flush=True)
    sys.stdin.readline()
    function(*arguments)


if __name__ == "__main__":
    main(*sys.argv[1:])

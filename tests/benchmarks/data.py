"""Makes the benchmark's bucket on a tmpfs: files under `DATA/neuro/` and `DATA/neuro.index` for the server.

`neuro` holds 200 subjects x 3 sessions x (anat, func) of small json, tsv and nii (about 5,000 objects in 2,000
directories), `big/bold_00..09.nii` (256 MiB each, incompressible behind a NIfTI header), `big/huge.nii` (2 GiB) and
`gz/img_00..49.nii.gz` (10 MiB each): 5.1 GB. `many` (`link_many`) shows the ten large ones under many names.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .place import DATA

MIB = 1 << 20
MTIME = 1_700_000_000
BIG, HUGE = 256 * MIB, 2048 * MIB
# The data (also that of real/data.py), and room for the temporary caches of `bottleneck`.
TMPFS = "9g"


def nifti_header(shape: tuple[int, ...]) -> bytes:
    """348 bytes of a NIfTI-1 header of int16 at 2 mm, and the 4 of "no extensions"."""
    h = bytearray(352)
    struct.pack_into("<i", h, 0, 348)
    struct.pack_into("<8h", h, 40, len(shape), *shape, *[1] * (7 - len(shape)))
    struct.pack_into("<hh", h, 70, 4, 16)
    struct.pack_into("<8f", h, 76, 1, 2, 2, 2, 2, 1, 1, 1)
    struct.pack_into("<f", h, 108, 352)
    h[344:348] = b"n+1\0"
    return bytes(h)


def incompressible(path: Path, size: int, head: bytes, seed: int) -> None:
    """Every block different: one random slab of 8 MiB, xor-ed with its offset."""
    import numpy as np

    path.parent.mkdir(parents=True, exist_ok=True)
    slab = np.random.default_rng(seed).integers(0, 1 << 63, size=8 * MIB // 8, dtype=np.int64)
    with path.open("wb") as file:
        for offset in range(0, size, 8 * MIB):
            stamp = np.int64(offset * 0x9E3779B97F4A7C15 % (1 << 63))
            file.write((slab ^ stamp).tobytes()[: size - offset])
        file.seek(0)
        file.write(head)


def small_files() -> Iterator[tuple[str, bytes]]:
    yield "dataset_description.json", json.dumps({"Name": "bench", "BIDSVersion": "1.8.0"}).encode()
    rows = "".join(f"sub-{i:03d}\t{20 + i % 50}\n" for i in range(200))
    yield "participants.tsv", f"participant_id\tage\n{rows}".encode()
    yield "README", b"benchmark dataset\n" * 20
    for subject in range(200):
        for session in range(3):
            place, stem = f"sub-{subject:03d}/ses-{session}", f"sub-{subject:03d}_ses-{session}"
            yield f"{place}/{stem}_scans.tsv", b"filename\tacq_time\n" * 10
            yield f"{place}/anat/{stem}_T1w.json", json.dumps({"EchoTime": 0.003, "pad": "x" * 400}).encode()
            yield f"{place}/anat/{stem}_T1w.nii", nifti_header((64, 64, 32)) + os.urandom(8192)
            for task, trials, pad in (("rest", 200, 900), ("nback", 150, 700)):
                sidecar = json.dumps({"RepetitionTime": 2.0, "pad": "y" * pad}).encode()
                yield f"{place}/func/{stem}_task-{task}_bold.json", sidecar
                yield f"{place}/func/{stem}_task-{task}_events.tsv", b"onset\tduration\n" + b"1.0\t2.0\n" * trials
            yield f"{place}/func/{stem}_physio.tsv", b"0.1\t0.2\n" * 500


def make(root: Path = DATA) -> None:
    """Make the bucket below `root`; does nothing when it is there."""
    index = root / "neuro.index"
    if index.exists():
        return
    base = root / "neuro"
    for key, content in small_files():
        (base / key).parent.mkdir(parents=True, exist_ok=True)
        (base / key).write_bytes(content)
    for i in range(10):
        incompressible(base / f"big/bold_{i:02d}.nii", BIG, nifti_header((64, 64, 32, BIG // MIB * 4)), 100 + i)
    incompressible(base / "big/huge.nii", HUGE, nifti_header((128, 128, 64, 1024)), 1)
    for i in range(50):
        incompressible(base / f"gz/img_{i:02d}.nii.gz", 10 * MIB, b"\x1f\x8b", 200 + i)
    index.write_text(indexed(base))


def indexed(base: Path) -> str:
    """What the server lists: key, size and time of each file below `base`, sorted as S3 sorts. Sets their times."""
    rows = []
    for place, _, names in os.walk(base):
        for name in names:
            path = Path(place, name)
            os.utime(path, (MTIME, MTIME))
            rows.append((str(path.relative_to(base)), path.stat().st_size))
    rows.sort(key=lambda row: row[0].encode())
    return "".join(f"{key}\t{size}\t{MTIME}\n" for key, size in rows)


def link_many(count: int, root: Path = DATA) -> None:
    """Make the bucket `many`: `count` files, all of them links to the ten large ones. Does nothing when it is there."""
    index = root / "many.index"
    if index.exists() and index.read_text().count("\n") >= count:
        return
    (root / "many").mkdir(exist_ok=True)
    keys = [f"img_{i:04d}.nii" for i in range(count)]
    for i, key in enumerate(keys):
        if not (root / "many" / key).exists():
            os.link(root / f"neuro/big/bold_{i % 10:02d}.nii", root / "many" / key)
    index.write_text("".join(f"{key}\t{BIG}\t{MTIME}\n" for key in keys))


def many(root: Path = DATA) -> list[str]:
    """The keys of the bucket `many`."""
    return [line.partition("\t")[0] for line in (root / "many.index").read_text().splitlines()]


def mount() -> bool:
    """See that `DATA` is a tmpfs, so that the server never reads a disk. True when it was not one before."""
    DATA.mkdir(parents=True, exist_ok=True)
    if os.path.ismount(DATA):
        return False
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={TMPFS},mode=755", "mountnd-bench", DATA], check=True)
    return True


@contextmanager
def at_hand(*makers: Callable[[], None]) -> Iterator[None]:
    """What `makers` make, gone again afterwards if `DATA` was not there before."""
    mine = mount()
    try:
        for maker in makers:
            maker()
        yield
    finally:
        if mine:
            subprocess.run(["umount", "-l", DATA], check=True)

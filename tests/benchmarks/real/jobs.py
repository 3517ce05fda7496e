"""The rows: which program, on which files of the bucket `real`, and how it is run and timed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..place import DATA
from ..work import Late, Work
from . import results
from .data import BUCKET

PROGRAMS = Path(__file__).with_name("programs.py")
# Where programs write what they make: memory, so that no disk is measured.
OUT = DATA / ".out"
# What each row printed or wrote on the local copy, by row; `forget` is called before a run.
EXPECTED = DATA / f"{BUCKET}.expected.json"


@dataclass(frozen=True, kw_only=True)
class Job:
    """One row.

    Attributes:
        kind: of `kinds.KINDS`.
        argv: the command, run in the root of the bucket; `{out}` is an empty directory to write to.
        waits: it prints "ready" once it has started, and goes on at a line on its standard input.
        result: what must be the same on every mount, from what it printed and the directory it wrote to.
        mb: at most this many MB fetched.
    """

    name: str
    kind: int
    what: str
    argv: Sequence[str]
    waits: bool = False
    result: Callable[[bytes, Path], str] = results.sorted_lines
    mb: float | None = None


def ours(name: str, kind: int, what: str, *argv: str, mb: float | None = None) -> Job:
    """A row of one of our small programs."""
    return Job(name=name, kind=kind, what=what, argv=(sys.executable, str(PROGRAMS), *argv), waits=True, mb=mb)


def theirs(
    name: str, kind: int, what: str, *argv: str, result: Callable[[bytes, Path], str] = results.sorted_lines
) -> Job:
    return Job(name=name, kind=kind, what=what, argv=argv, result=result)


GZ, NII = "bold/long_bold.nii.gz", "bold/long_bold.nii"
VALIDATOR = str(Path(sys.executable).with_name("bids-validator-deno"))
FIRST = 352 + 2 * 64 * 64 * 36

JOBS = [
    ours("R1-nibabel-first", 1, "nibabel, first volume of a .nii.gz", "nibabel-slice", GZ, ":,:,:,0"),
    ours("R1-igzip-first", 1, "the same with indexed_gzip", "nibabel-slice", "--indexed", GZ, ":,:,:,0"),
    theirs("R1-gzip-head", 1, "`gzip -dc | head -c` of a volume", "sh", "-c", f"gzip -dc {GZ} | head -c {FIRST}"),
    ours("R2-nilearn-mean", 2, "nilearn `mean_img` of a .nii.gz of 55 MB", "nilearn-mean", GZ),
    theirs("R2-gzip-whole", 2, "`gzip -dc | md5sum` of it", "sh", "-c", f"gzip -dc {GZ} | md5sum"),
    theirs("R2-mrconvert", 2, "mrtrix3 `mrconvert` of it to a .mif", "mrconvert", "-quiet", GZ, "{out}/whole.mif",
        result=results.tree),
    ours("R3-pynwb-walk", 3, "pynwb opens 12 files of 0.3 to 1 MB, walks their metadata", "pynwb-walk", "nwb"),
    ours("R3-h5py-visit", 3, "h5py `visititems` of the same", "h5py-visit", "nwb"),
    theirs("R3-h5ls", 3, "`h5ls -r` of each of them", "sh", "-c", "for f in nwb/*/*.nwb; do h5ls -r $f; done"),
    ours("R4-pydicom", 4, "pydicom, header of each of 144 slices, by rglob", "pydicom-headers", "dicom"),
    theirs("R4-dcmdump", 4, "`dcmdump` of the same", "sh", "-c",
        "dcmdump -q -M +sd +r +P PatientID +P SOPInstanceUID dicom"),
    theirs("R4-dcm2niix", 4, "`dcm2niix` of the same", "dcm2niix", "-d", "9", "-b", "n", "-f", "%j", "-o", "{out}",
        "dicom", result=results.tree),
    theirs("R5-tar", 5, "`tar c` of a BIDS data set", "tar", "cf", "{out}/bids.tar", "bids", result=results.archive),
    theirs("R5-cp", 5, "`cp -r` of it", "cp", "-r", "bids", "{out}", result=results.tree),
    theirs("R5-rsync", 5, "`rsync -a` of it", "rsync", "-a", "bids", "{out}", result=results.tree),
    theirs("R5-grep", 5, "`grep -r` of it", "grep", "-r", "EchoTime", "bids"),
    theirs("R5-md5sum", 5, "`find -exec md5sum` of it", "sh", "-c", "find bids -type f -exec md5sum {} +"),
    ours("R6-voxel", 6, "nibabel, a voxel through 600 volumes of a .nii", "nibabel-slice", NII, "40,30,15,:", mb=60),
    ours("R6-slice", 6, "nibabel, a slice through 600 volumes", "nibabel-slice", NII, ":,:,15,:", mb=60),
    theirs("R6-mrconvert", 6, "mrtrix3 `mrconvert -coord` of a slice (mmap)", "mrconvert", "-quiet", "-coord", "2",
        "15", NII, "{out}/slice.nii", result=results.tree),
    ours("R7-layout", 7, "pybids BIDSLayout of a small data set", "bids-layout", "study"),
    theirs("R7-validator", 7, "bids-validator of it", VALIDATOR, "--format", "json", "study",
        result=results.validation),
    ours("R8-h5py-chunk", 8, "h5py, a chunk of a file of 200 MB", "h5py-chunk", "arrays/recording.h5"),
    ours("R8-zarr-chunk", 8, "zarr, one of 128 chunk files", "zarr-chunk", "arrays/flat.zarr"),
    ours("R8-zarr-whole", 8, "zarr, an array of 256 chunk files", "zarr-whole", "arrays/nested.zarr"),
]  # fmt: skip
BY_NAME = {job.name: job for job in JOBS}


def run(w: Work, root: Path, job: Job) -> None:
    """Run a row on the bucket below `root`; its result must be that on the local copy. The clock is `w`'s."""
    expected = json.loads(EXPECTED.read_text()) if EXPECTED.exists() else {}
    w.total = 1
    if root != w.source and job.name not in expected:
        expected[job.name] = once(Work(w.source, w.limit), w.source, job)
    found = once(w, root, job)
    EXPECTED.write_text(json.dumps(expected | {job.name: expected.get(job.name, found)}, indent=1))
    if found != expected.get(job.name, found):
        raise AssertionError(f"wrong result: {found[:60]}")
    w.done = 1


def once(w: Work, root: Path, job: Job) -> str:
    """The result of one run; `w` begins when the program may begin, and has ended with it."""
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    argv = [part.replace("{out}", str(OUT)) for part in job.argv]
    pipe = subprocess.PIPE
    w.begun = time.perf_counter()
    with subprocess.Popen(argv, cwd=root, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True) as process:
        assert process.stdin and process.stdout
        try:
            if job.waits and process.stdout.readline() == b"ready\n":
                w.begun = time.perf_counter()
            output, errors = process.communicate(b"go\n" if job.waits else None, timeout=w.limit)
            w.ended = time.perf_counter()
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # a shell's pipeline, too
            raise Late from None
    result = job.result(output, OUT)
    shutil.rmtree(OUT)
    if not result or process.returncode not in (0, 16):  # 16: bids-validator found errors in the data set
        raise AssertionError(f"{argv[0]} ended with {process.returncode}: {errors[-100:]!r}")
    return result


def forget() -> None:
    """Compare with nothing of an earlier run: programs may have changed since."""
    EXPECTED.unlink(missing_ok=True)

"""What people really read with, on a mount: every program must find what it finds in local files.

Each reader is a process of its own: nibabel maps uncompressed images, and a page fault cannot be interrupted.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from tests.support.children import run_program, run_python

pytestmark = pytest.mark.kernel

IMAGES = [
    "samples/anatomical.nii",
    "samples/functional.nii",
    "samples/example4d.nii.gz",
    "samples/example_nifti2.nii.gz",
    "samples/standard.nii.gz",
    "samples/resampled_anat_moved.nii",
    "samples/reoriented_anat_moved.nii",
    "samples/test.mgz",
    "samples/example4d+orig.HEAD",
    "samples/scaled+tlrc.HEAD",
    "samples/Phantom_EPI_3mm_cor_SENSE_8_1.PAR",
    "made/analyze.img",
    "made/spm99.img",
    "made/pair.img",
    "made/pair_gz.img.gz",
    "made/single.nii",
    "made/single.nii.gz",
    "made/two.nii",
    "made/single.mgh",
    "made/single.mgz",
]

SAME = """
import sys, numpy, nibabel, warnings
warnings.simplefilter("ignore")
same = numpy.testing.assert_array_equal  # NaN equals NaN
def load(path, mmap):
    try:
        return nibabel.load(path, mmap=mmap)
    except TypeError:
        return nibabel.load(path)  # a format that is never mapped
for mmap in (True, "r", False):
    a, b = (load(path, mmap) for path in sys.argv[1:3])
    assert type(a) is type(b) and a.shape == b.shape and a.get_data_dtype() == b.get_data_dtype()
    same(a.affine, b.affine, err_msg="affine")
    assert a.header == b.header or bytes(a.header.binaryblock) == bytes(b.header.binaryblock), "header"
    same(a.dataobj[..., -1], b.dataobj[..., -1], err_msg="one slice")
    same(numpy.asarray(a.dataobj), numpy.asarray(b.dataobj), err_msg="all voxels")
    same(a.get_fdata(), b.get_fdata(), err_msg="as floats")
"""


def exists(local: Path, name: str) -> None:
    if not (local / name).exists():
        pytest.skip(f"this nibabel ships no {name}")
    if name.endswith(".PAR") and not (local / name).with_suffix(".REC").exists():
        pytest.skip("nibabel ships only its header")


@pytest.mark.parametrize("name", IMAGES)
def test_nibabel_reads_the_same(mount: Path, local: Path, name: str) -> None:
    """Mapped copy-on-write, mapped read-only, and read."""
    exists(local, name)
    run_python(SAME, str(mount / name), str(local / name))


def test_every_sample_has_its_bytes(mount: Path, local: Path) -> None:
    out = run_program(["sh", "-c", "find . -type f -print0 | xargs -0 sha256sum"], cwd=str(mount))
    found = {line[66:].removeprefix("./"): line[:64] for line in out.splitlines()}
    assert found == {
        str(p.relative_to(local)): hashlib.sha256(p.read_bytes()).hexdigest() for p in local.rglob("*") if p.is_file()
    }


STREAMLINES = """
import sys, numpy, nibabel
for lazy in (False, True):
    a, b = (list(nibabel.streamlines.load(p, lazy_load=lazy).streamlines) for p in sys.argv[1:3])
    assert len(a) == len(b) > 0 and all(numpy.array_equal(x, y) for x, y in zip(a, b))
"""


@pytest.mark.parametrize("name", ["simple.trk", "standard.trk", "complex_big_endian.trk", "simple.tck", "standard.tck"])
def test_streamlines(mount: Path, local: Path, name: str) -> None:
    exists(local, f"samples/{name}")
    run_python(STREAMLINES, str(mount / "samples" / name), str(local / "samples" / name))


@pytest.mark.parametrize("name", ["minc2_1_scale.mnc", "minc2_4d.mnc"])
def test_minc_by_hdf5(mount: Path, local: Path, name: str) -> None:
    """HDF5 locks each file that it opens, and reads here and there."""
    pytest.importorskip("h5py")
    exists(local, f"samples/{name}")
    code = (
        "import sys,numpy,nibabel; a,b=map(nibabel.load, sys.argv[1:3]); assert numpy.array_equal(a.dataobj, b.dataobj)"
    )
    run_python(code, str(mount / "samples" / name), str(local / "samples" / name))


HDF5 = """
import sys, h5py, numpy
def data_sets(path):
    found = {}
    with h5py.File(path, "r") as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found
mounted, local = map(data_sets, sys.argv[1:])
assert mounted.keys() == local.keys() and local
for name, data in local.items():
    numpy.testing.assert_array_equal(mounted[name], data, err_msg=name)
"""


def test_h5py(mount: Path, local: Path) -> None:
    pytest.importorskip("h5py")
    exists(local, "samples/minc2_4d.mnc")
    run_python(HDF5, str(mount / "samples/minc2_4d.mnc"), str(local / "samples/minc2_4d.mnc"))


INDEXED = """
import sys, random, gzip, indexed_gzip, nibabel, numpy
mounted, local = sys.argv[1:3]
with gzip.open(local) as f:
    whole = f.read()
dice = random.Random(5)
with indexed_gzip.IndexedGzipFile(mounted, spacing=1 << 16) as f:
    for _ in range(50):
        at, size = dice.randrange(len(whole)), dice.randrange(1, 70_000)
        f.seek(at)
        assert f.read(size) == whole[at : at + size], (at, size)
image = nibabel.load(mounted, keep_file_open=True)
assert numpy.array_equal(image.dataobj[..., -1], nibabel.load(local).dataobj[..., -1])
"""


@pytest.mark.parametrize("name", ["made/single.nii.gz", "samples/example4d.nii.gz"])
def test_indexed_gzip(mount: Path, local: Path, name: str) -> None:
    pytest.importorskip("indexed_gzip")
    run_python(INDEXED, str(mount / name), str(local / name))


MEMMAP = """
import sys, numpy
for mode in ("r", "c"):
    a, b = (numpy.memmap(p, dtype="<i2", mode=mode, offset=352) for p in sys.argv[1:3])
    assert numpy.array_equal(a, b)
    assert numpy.array_equal(a[::977], b[::977])
"""


def test_numpy_memmap(mount: Path, local: Path) -> None:
    run_python(MEMMAP, str(mount / "made/single.nii"), str(local / "made/single.nii"))


FORKED = """
import sys, os, numpy, nibabel
from multiprocessing import get_context
image = nibabel.load(sys.argv[1])
def mean(i):
    return float(numpy.asarray(image.dataobj[..., i]).mean())
if __name__ == "__main__":
    with get_context("fork").Pool(3) as pool:
        found = pool.map(mean, range(image.shape[-1]))
    local = nibabel.load(sys.argv[2])
    assert found == [float(numpy.asarray(local.dataobj[..., i]).mean()) for i in range(local.shape[-1])]
"""


@pytest.mark.parametrize("name", ["made/single.nii", "made/single.nii.gz"])
def test_an_image_read_by_forked_processes(mount: Path, local: Path, name: str) -> None:
    """What joblib and nilearn do: an image opened by the parent is read by its children."""
    run_python(FORKED, str(mount / name), str(local / name))


@pytest.mark.skipif(not shutil.which("nifti_tool"), reason="nifti_tool (Debian: nifti-bin) is not installed")
class TestNiftiTool:
    @pytest.mark.parametrize("name", ["samples/anatomical.nii", "samples/example4d.nii.gz", "made/single.nii.gz"])
    def test_header(self, mount: Path, local: Path, name: str) -> None:
        found, expected = (
            run_program(["nifti_tool", "-disp_hdr", "-infiles", name], cwd=str(root)) for root in (mount, local)
        )
        assert found == expected
        assert "sizeof_hdr" in found

    @pytest.mark.parametrize("name", ["samples/functional.nii", "made/single.nii.gz"])
    def test_voxels(self, mount: Path, local: Path, name: str) -> None:
        argv = ["nifti_tool", "-disp_ts", "1", "2", "1", "-infiles", name]
        found, expected = (run_program(argv, cwd=str(root)) for root in (mount, local))
        assert found == expected
        assert len(found.split()) > 3

    def test_no_difference(self, mount: Path, local: Path) -> None:
        both = [str(root / "made/single.nii") for root in (mount, local)]
        run_program(["nifti_tool", "-diff_hdr", "-infiles", *both])
        run_program(["nifti_tool", "-diff_nim", "-infiles", *both])


@pytest.mark.skipif(not shutil.which("mrinfo"), reason="mrinfo (Debian: mrtrix3) is not installed")
@pytest.mark.parametrize("name", ["made/single.nii", "made/single.nii.gz", "made/single.mgz"])
def test_mrtrix_reads_the_same(mount: Path, local: Path, name: str) -> None:
    """mrtrix maps uncompressed images MAP_SHARED."""
    found, expected = (run_program(["mrinfo", "-quiet", name], cwd=str(root)) for root in (mount, local))
    assert found == expected
    found, expected = (run_program(["mrstats", "-quiet", name], cwd=str(root)) for root in (mount, local))
    assert found == expected

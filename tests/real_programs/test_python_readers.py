"""What Python programs read with, through `mountnd://` and no mount: each must find what it finds in local files.

Each reader is a program of its own, which gets the file system's options, the bucket's URL and the local directory.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.functional.python.conftest import options
from tests.support import tree
from tests.support.children import run_python
from tests.support.servers import moto_server

PREFACE = """
import json, sys
from pathlib import Path
import fsspec
given, url, local = json.loads(sys.argv[1]), "mountnd://" + sys.argv[2], Path(sys.argv[3])
fs, root = fsspec.core.url_to_fs(url, **given)
"""


@pytest.fixture(scope="module")
def arrays(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of the kinds that arrays and tables are kept in."""
    np, h5py = pytest.importorskip("numpy"), pytest.importorskip("h5py")
    root, dice = tmp_path_factory.mktemp("arrays"), np.random.default_rng(14)
    data = dice.integers(-1000, 1000, (40, 50, 60)).astype("int16")
    with h5py.File(root / "chunked.h5", "w") as file:
        file.create_dataset("bold", data=data, chunks=(10, 10, 10), compression="gzip")
        file.create_group("deep/er").create_dataset("plain", data=np.arange(200_000))
    rows = "".join(f"{i}\tsub-{i % 7:02d}\t{i * 0.5}\n" for i in range(5_000))
    (root / "table.tsv").write_text(f"onset\tsubject\tvalue\n{rows}")
    return root


@pytest.fixture(scope="module")
def remote(arrays: Path, local: Path) -> Iterator[Any]:
    """`remote()`: the arrays and the images in a bucket; the options that read it, its URL, and the local directory."""
    with moto_server() as url:
        bucket, numbers = tree.Bucket(url, "python"), itertools.count()

        def filled(*roots: Path) -> tuple[dict[str, object], str]:
            for root in roots or (arrays,):
                bucket.put_all((str(p.relative_to(root)), p.read_bytes()) for p in root.rglob("*") if p.is_file())
            return options(url, arrays.parent / f"cache-{next(numbers)}"), f"s3://{bucket.name}"

        yield filled


def check(code: str, remote: tuple[dict[str, object], str], local: Path) -> None:
    given, url = remote
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    run_python(PREFACE + code, json.dumps(given), url, str(local), seconds=180)


def test_h5py(remote: Any, arrays: Path) -> None:
    code = """
import h5py, numpy
with fs.open(f"{root}/chunked.h5") as raw, h5py.File(raw) as a, h5py.File(local / "chunked.h5") as b:
    assert numpy.array_equal(a["bold"][5:15, ::3, 40], b["bold"][5:15, ::3, 40])
    assert numpy.array_equal(a["bold"], b["bold"]) and numpy.array_equal(a["deep/er/plain"], b["deep/er/plain"])
"""
    check(code, remote(), arrays)


def test_pynwb(remote: Any, arrays: Path) -> None:
    pynwb = pytest.importorskip("pynwb")
    from datetime import UTC, datetime

    import numpy as np

    nwb = pynwb.NWBFile(session_description="made", identifier="1", session_start_time=datetime(2024, 1, 1, tzinfo=UTC))
    nwb.add_acquisition(pynwb.TimeSeries(name="lfp", data=np.arange(50_000.0), unit="V", rate=1000.0))
    with pynwb.NWBHDF5IO(arrays / "session.nwb", "w") as io:
        io.write(nwb)
    code = """
import h5py, numpy, pynwb
with fs.open(f"{root}/session.nwb") as raw, h5py.File(raw) as file, pynwb.NWBHDF5IO(file=file) as io:
    nwb = io.read()
    assert nwb.session_description == "made"
    assert numpy.array_equal(nwb.acquisition["lfp"].data[1000:2000], numpy.arange(1000.0, 2000.0))
"""
    check(code, remote(), arrays)


def test_zarr_dask_and_xarray(remote: Any, arrays: Path) -> None:
    zarr, xarray = pytest.importorskip("zarr"), pytest.importorskip("xarray")
    import numpy as np

    data = np.arange(64 * 64 * 8).reshape(64, 64, 8)
    zarr.create_array(arrays / "array.zarr", data=data, chunks=(16, 16, 8))
    made = xarray.Dataset({"bold": (("x", "y", "t"), data.astype("float32"))}, coords={"t": np.arange(8)})
    made.to_zarr(arrays / "set.zarr", consolidated=False)
    made.to_netcdf(arrays / "set.nc", engine="scipy")
    code = """
import dask, dask.array, numpy, xarray, zarr
from zarr.storage import FsspecStore
expected = zarr.open_array(local / "array.zarr")[:]
store = FsspecStore.from_url(f"{url}/array.zarr", storage_options=given, read_only=True)
assert type(store.fs).__name__ == "MountndFileSystem" and store.fs.asynchronous
assert numpy.array_equal(zarr.open_array(store, mode="r")[:], expected)
some = zarr.open_array(f"{url}/array.zarr", mode="r", storage_options=given)[3:9, :, 2]
assert numpy.array_equal(some, expected[3:9, :, 2])
lazy = dask.array.from_zarr(f"{url}/array.zarr", storage_options=given)
assert int(lazy.sum().compute(scheduler="threads")) == int(expected.sum())
with xarray.open_zarr(f"{url}/set.zarr", storage_options=given, consolidated=False) as a:
    with xarray.open_zarr(local / "set.zarr", consolidated=False) as b:
        xarray.testing.assert_identical(a.load(), b.load())
with fs.open(f"{root}/set.nc") as raw, xarray.open_dataset(raw, engine="scipy") as a:
    with xarray.open_dataset(local / "set.nc", engine="scipy") as b:
        xarray.testing.assert_identical(a.load(), b.load())
"""
    check(code, remote(), arrays)


def test_dask_workers_that_are_processes(remote: Any, arrays: Path) -> None:
    """They get the file system pickled."""
    pytest.importorskip("dask")
    code = """
import dask, hashlib
def digest(fs, path):
    with fs.open(path) as file:
        return hashlib.sha256(file.read()).hexdigest()
if __name__ == "__main__":
    names = ["table.tsv", "chunked.h5"]
    for spawn in ("fork", "spawn"):
        with dask.config.set({"multiprocessing.context": spawn}):
            jobs = [dask.delayed(digest)(fs, f"{root}/{name}") for name in names]
            found = dask.compute(*jobs, scheduler="processes", num_workers=2)
        assert list(found) == [hashlib.sha256((local / n).read_bytes()).hexdigest() for n in names]
"""
    check(code, remote(), arrays)


def test_tables(remote: Any, arrays: Path) -> None:
    polars = pytest.importorskip("polars")
    polars.DataFrame({"a": range(1000), "b": ["x"] * 1000}).write_parquet(arrays / "table.parquet")
    code = """
import pandas, polars
a = pandas.read_csv(f"{url}/table.tsv", sep="\\t", storage_options=given)
assert a.equals(pandas.read_csv(local / "table.tsv", sep="\\t"))
with fs.open(f"{root}/table.tsv") as file:
    b = polars.read_csv(file, separator="\\t")
assert b.equals(polars.read_csv(local / "table.tsv", separator="\\t"))
with fs.open(f"{root}/table.parquet") as file:
    assert polars.read_parquet(file).equals(polars.read_parquet(local / "table.parquet"))
"""
    check(code, remote(), arrays)


def test_numpy_and_nibabel(remote: Any, local: Path) -> None:
    code = """
import gzip, nibabel, numpy
for name in ("made/single.nii", "made/single.nii.gz"):
    with fs.open(f"{root}/{name}", compression="infer") as file:
        image = nibabel.Nifti1Image.from_stream(file)
        assert numpy.array_equal(image.dataobj, nibabel.load(local / name).dataobj), name
with fs.open(f"{root}/made/single.nii") as file:
    file.seek(352)
    some = numpy.frombuffer(file.read(4000), "<i2")
assert numpy.array_equal(some, numpy.fromfile(local / "made/single.nii", "<i2", 2000, offset=352))
"""
    check(code, remote(local), local)


def test_universal_pathlib(remote: Any, local: Path) -> None:
    pytest.importorskip("upath")
    code = """
from upath import UPath
path = UPath(url, **given)
assert sorted(p.name for p in (path / "bids").iterdir()) == sorted(p.name for p in (local / "bids").iterdir())
description = path / "bids" / "dataset_description.json"
assert description.is_file() and description.parent.is_dir() and description.exists()
assert description.read_text() == (local / "bids/dataset_description.json").read_text()
assert description.stat().st_size == (local / "bids/dataset_description.json").stat().st_size
assert description.parent.name == "bids" and (path / "bids/../bids/README").name == "README"
found = {str(p.path).removeprefix(f"{root}/") for p in (path / "bids").rglob("*.tsv")}
assert found == {str(p.relative_to(local)) for p in (local / "bids").rglob("*.tsv")}
with description.open("rb") as file:
    assert file.read(1) == b"{"
named = UPath("mountnd://bids/README", source=sys.argv[2], **given)
assert named.read_bytes() == (local / "bids/README").read_bytes()
"""
    check(code, remote(local), local)


def test_pybids(remote: Any, local: Path) -> None:
    """It keeps paths as text and opens them anew, so that what is not in the URL comes from the environment."""
    pytest.importorskip("bids")
    code = """
import os, warnings
os.environ |= {f"MOUNTND_{name.upper()}": str(value) for name, value in given.items()}
warnings.simplefilter("ignore")
from bids import BIDSLayout
from upath import UPath
there, here = BIDSLayout(UPath(f"{url}/bids")), BIDSLayout(local / "bids")
assert there.get_subjects() == here.get_subjects() and there.get_subjects()
assert there.get_entities().keys() == here.get_entities().keys()
one = dict(subject="01", suffix="bold", extension=".nii.gz")
assert [f.filename for f in there.get(**one)] == [f.filename for f in here.get(**one)]
assert [f.get_metadata() for f in there.get(**one)] == [f.get_metadata() for f in here.get(**one)]
"""
    check(code, remote(local), local)

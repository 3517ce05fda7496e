"""A whole job of pybids and nibabel on a mount whose server is gone, after the study was prefetched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import bids_study, cli, tree
from tests.support.children import run_python
from tests.support.cli import run_mountnd
from tests.support.proxy import Proxy, proxied

pytestmark = pytest.mark.kernel

REPORT = Path(__file__).with_name("pybids_report.py")
SECONDS = 300.0  # pybids imports for many of them on a busy machine

# What a first-level analysis of one subject does: its runs by the layout, their repetition time, events and voxels.
ONE_SUBJECT = """
import json, sys, warnings
warnings.simplefilter("ignore")
import nibabel
from bids import BIDSLayout, BIDSLayoutIndexer
root = sys.argv[1]
layout = BIDSLayout(root, indexer=BIDSLayoutIndexer(index_metadata=False))
found = {}
for run in layout.get(subject="01", suffix="bold", extension=".nii.gz"):
    events = layout.get(subject="01", session=run.entities["session"], task=run.entities["task"], suffix="events")
    image = nibabel.load(run.path)
    found[run.path.removeprefix(root)] = [
        list(image.shape), float(image.get_fdata().sum()), [event.get_df().shape for event in events],
    ]
print(json.dumps(found))
"""


@pytest.fixture
def proxy(bucket: tree.Bucket) -> Iterator[Proxy]:
    with proxied(bucket.url) as proxy:
        yield proxy


@pytest.fixture
def where(tmp_path: Path) -> Iterator[Path]:
    with cli.mountpoint(tmp_path.resolve() / "mnt") as path:
        yield path


def prefetch_and_leave(bucket: tree.Bucket, proxy: Proxy, where: Path, cache: Path, *words: str) -> None:
    """Prefetch the study, take the server away, and mount what is there."""
    source = [f"s3://{bucket.name}/bids", "--endpoint-url", proxy.url, "--anonymous", "--cache-dir", str(cache)]
    done = run_mountnd("prefetch", *source, *words)
    assert done.returncode == 0, done.stderr
    proxy.down()
    done = run_mountnd(source[0], where, *source[1:], "--offline")
    assert done.returncode == 0, done.stderr


def layout(root: Path) -> Any:
    return json.loads(run_python(REPORT.read_text(), str(root), "use", seconds=SECONDS))


def test_pybids_indexes_and_nibabel_reads_with_the_server_gone(
    bucket: tree.Bucket, local: Path, proxy: Proxy, where: Path, tmp_path: Path
) -> None:
    pytest.importorskip("bids")
    prefetch_and_leave(bucket, proxy, where, tmp_path / "cache", "--pin", "tonight")
    found = layout(where)
    assert found == layout(local / "bids")
    assert found["subjects"] == list(bids_study.SESSIONS) and len(found["voxels"]) > 20


def test_one_subjects_analysis_with_the_server_gone(
    bucket: tree.Bucket, local: Path, proxy: Proxy, where: Path, tmp_path: Path
) -> None:
    """`--sub 01` brings what describes the data set along, and all names: pybids walks through every subject."""
    pytest.importorskip("bids")
    prefetch_and_leave(bucket, proxy, where, tmp_path / "cache", "--sub", "01")
    found = json.loads(run_python(ONE_SUBJECT, str(where), seconds=SECONDS))
    assert found == json.loads(run_python(ONE_SUBJECT, str(local / "bids"), seconds=SECONDS))
    assert len(found) == 6
    with pytest.raises(OSError):
        next(where.glob("sub-02/*/func/*_bold.nii.gz")).read_bytes()

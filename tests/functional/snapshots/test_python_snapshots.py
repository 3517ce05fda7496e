"""Snapshots from Python: paths of `mountnd://`, and a mount while a block runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import mountnd
from mountnd.api.filesystem import MountndFileSystem

from .conftest import JSON, T1W, TREES, Stage


def options(stage: Stage, tmp_path: Path) -> dict[str, Any]:
    return {
        "endpoint_url": stage.url,
        "snapshots_url": stage.service.url,
        "cache_dir": str(tmp_path / "cache"),
        "memory": "16M",
        "skip_instance_cache": True,
    }


def test_a_path_may_begin_with_a_snapshot(stage: Stage, tmp_path: Path) -> None:
    fs = MountndFileSystem(**options(stage, tmp_path))
    for top in ("openneuro/ds000001@1.0.1", "ds000001@1.0.1", "10.18112/openneuro.ds000001.v1.0.1"):
        assert fs.cat_file(f"mountnd://{top}/{JSON}") == TREES["1.0.1"][JSON]
        assert {path.removeprefix(f"{top}/") for path in fs.find(top)} == set(TREES["1.0.1"])
    assert fs.info(f"openneuro/ds000001@1.0.0/{T1W}")["size"] == len(TREES["1.0.0"][T1W])
    assert fs.cat_file(f"openneuro/ds000001/{JSON}") == TREES["1.0.2"][JSON]  # the bucket, as it is now


def test_one_snapshot_as_the_source(stage: Stage, tmp_path: Path) -> None:
    fs = MountndFileSystem("openneuro/ds000001@1.0.0", **options(stage, tmp_path))
    assert fs.cat_file(JSON) == TREES["1.0.0"][JSON]


def test_what_is_not_there(stage: Stage, tmp_path: Path) -> None:
    fs = MountndFileSystem(**options(stage, tmp_path))
    for path in ("openneuro/ds000001@9.9.9/README", "openneuro/ds999999@1.0.0/README", "openneuro/ds000001@1.0.0/x"):
        with pytest.raises(FileNotFoundError):
            fs.cat_file(path)
    assert not fs.exists("openneuro/ds000001@9.9.9/README")


@pytest.mark.kernel
def test_a_mount_while_a_block_runs(stage: Stage, tmp_path: Path) -> None:
    given = {name: value for name, value in options(stage, tmp_path).items() if name != "skip_instance_cache"}
    with mountnd.mount("openneuro/ds000001@1.0.1", **given) as root:
        assert root.name == "ds000001@1.0.1"
        assert (root / JSON).read_bytes() == TREES["1.0.1"][JSON]

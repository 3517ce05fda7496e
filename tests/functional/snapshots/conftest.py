"""A data set that was exported three times, the service that knows its snapshots, and doors to them."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mountnd.config.option_types import RawValue
from mountnd.config.resolve import read_inputs, resolve_mount
from mountnd.opening import opened
from tests.support import mounts, tree
from tests.support.doors import KINDS, Door, KernelDoor, VfsDoor
from tests.support.proxy import Proxy, proxied
from tests.support.snapshots import PART, Exported, SnapshotService, snapshot_service

_numbers = itertools.count(1)

T1W, BOLD, OTHER = "sub-01/anat/sub-01_T1w.nii.gz", "sub-01/func/sub-01_bold.nii.gz", "sub-02/anat/sub-02_T1w.nii.gz"
JSON, TABLE, SECRET = "sub-01/anat/sub-01_T1w.json", "participants.tsv", "sub-01/func/sub-01_events.tsv"
TREES = {
    "1.0.0": {
        "README": b"first\n",
        "dataset_description.json": b'{"Name": "one"}\n',
        TABLE: b"participant_id\nsub-01\nsub-02\n",
        T1W: tree.version(1, 30_000),
        JSON: b'{"EchoTime": 1}\n',
        BOLD: tree.version(1, PART + 70_000),
        OTHER: tree.version(2, 20_000),
        SECRET: b"onset\tduration\n1\t2\n",
        "derivatives/aparc+aseg.mgz": tree.version(3, 5_000),
        "empty.txt": b"",
    },
}
# One file replaced (by one of the same size), one deleted, small ones of equal sizes changed.
TREES["1.0.1"] = {
    **{path: body for path, body in TREES["1.0.0"].items() if path != OTHER},
    "README": b"other\n",
    JSON: b'{"EchoTime": 2}\n',
    T1W: tree.version(4, 30_000),
    TABLE: b"participant_id\nsub-01\n",
    SECRET: b"onset\tduration\n3\t4\n",
}
# The deleted one restored, the replaced one as it was, another in parts.
TREES["1.0.2"] = {**TREES["1.0.1"], OTHER: TREES["1.0.0"][OTHER], T1W: TREES["1.0.0"][T1W]}
TREES["1.0.2"] |= {BOLD: tree.version(5, PART + 70_000), "CHANGES": b"1.0.2\n"}


class Stage:
    """Attributes: `url`: of the bucket's server; `service`; `exported`: the data set."""

    def __init__(self, url: str, service: SnapshotService, exported: Exported) -> None:
        self.url, self.service, self.exported = url, service, exported

    def reset(self) -> None:
        self.service.know(self.exported.known())

    @property
    def flags(self) -> list[str]:
        return ["--endpoint-url", self.url, "--snapshots-url", self.service.url]


@pytest.fixture(scope="package")
def service() -> Iterator[SnapshotService]:
    with snapshot_service() as service:
        yield service


@pytest.fixture(scope="package")
def _stage(server: str, service: SnapshotService) -> Stage:
    exported = Exported(server)
    exported.export("1.0.0", TREES["1.0.0"])
    exported.export("1.0.1", TREES["1.0.1"])
    exported.export("1.0.2", TREES["1.0.2"])
    return Stage(server, service, exported)


@pytest.fixture
def stage(_stage: Stage) -> Stage:
    """All as it should be: the service names every version."""
    _stage.reset()
    return _stage


@pytest.fixture
def bucket_proxy(stage: Stage) -> Iterator[Proxy]:
    """Between the mount and the bucket, to count requests and to fail."""
    with proxied(stage.url) as proxy:
        yield proxy


Open = Callable[..., Door]


@contextlib.contextmanager
def vfs_door(where: Path, word: str, options: dict[str, Any]) -> Iterator[VfsDoor]:
    typed = {name: RawValue(value, f"--{name}", Path("/")) for name, value in options.items()}
    config = resolve_mount([word, str(where / "nowhere")], read_inputs(typed, cwd=where)).config
    _, mount = opened(config)
    try:
        yield VfsDoor(mount)
    finally:
        mount.close()


@pytest.fixture(params=KINDS)
def open_snapshot(request: pytest.FixtureRequest, stage: Stage, tmp_path: Path) -> Iterator[Open]:
    """Yields `open("openneuro/ds000001@1.0.2", ...)`, which opens a door of either kind; ends them all.

    Options: `url` of the bucket's server, `cache_dir` (one of the test's), and others by name.
    """
    with contextlib.ExitStack() as stack:

        def open_(word: str, *, url: str = "", **options: Any) -> Door:
            where = tmp_path / f"mount-{next(_numbers)}"
            where.mkdir()
            given = {"snapshots_url": stage.service.url, "cache_dir": str(tmp_path / "cache"), **options}
            if request.param == "vfs":
                given["endpoint_url"] = url or stage.url
                return stack.enter_context(vfs_door(where, word, given))
            return KernelDoor(stack.enter_context(mounts.kernel_mount(where, url or stage.url, [word], given)))

        yield open_

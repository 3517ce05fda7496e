"""Programs that use Dask as a person does: `python -m tests.functional.python.dask_programs NAME JSON`.

Each prints a line of JSON at its end.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from distributed import Client, LocalCluster

from mountnd.api.dask import Mount
from mountnd.daemon import rundir
from mountnd.errors import MountndError
from tests.support.cli import is_mounted
from tests.support.waiting import wait_until

WAIT_S = 60.0


@contextmanager
def cluster(workers: int) -> Iterator[Client]:
    with (
        LocalCluster(n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None) as local,
        Client(local) as client,
    ):
        yield client


def mean(mount: Mount, subject: str) -> float:
    image = nibabel.load(mount / f"{subject}/anat/{subject}_T1w.nii.gz")
    return float(np.asarray(image.dataobj).mean())  # type: ignore[attr-defined]


def measured(mount: Mount, subject: str) -> tuple[float, int, str]:
    return mean(mount, subject), os.getpid(), str(mount.path)


def standing() -> list[str]:
    """Where this run has mounted something; `mountnd.mounts()` tells of all mounts of this user."""
    return [record.mountpoint for record in rundir.records()]


def forty(subjects: Sequence[str], mount: dict[str, Any]) -> dict[str, Any]:
    with cluster(4) as client:
        images = Mount(**mount)
        client.register_plugin(images)
        found = client.gather(client.map(measured, [images] * len(subjects), subjects))
        try:
            at_the_client = str(images.path)
        except MountndError as e:
            at_the_client = str(e)
        return {
            "means": [one[0] for one in found],
            "workers": len(client.scheduler_info()["workers"]),
            "readers": len({one[1] for one in found}),
            "paths": sorted({one[2] for one in found}),
            "mounts": standing(),
            "path at the client": at_the_client,
        }


def means(client: Client, images: Mount, *numbers: int) -> list[float]:
    subjects = [f"sub-{number:02d}" for number in numbers]
    return list(client.gather(client.map(mean, [images] * len(subjects), subjects, pure=False, retries=5)))


def killed(mount: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    with cluster(2) as client:
        images, at = Mount(**mount), Path(mount["at"])
        client.register_plugin(images)
        before = set(client.run(os.getpid).values())
        daemon = _daemon(at)
        os.kill(min(before), signal.SIGKILL)
        wait_until(lambda: len(_pids(client) - before) == 1, "the nanny's new worker", WAIT_S)
        told["after a worker was killed"] = means(client, images, 1, 2)
        told["the same daemon"] = _daemon(at) == daemon
        told["a new worker"] = len(_pids(client)) == 2
        os.kill(daemon, signal.SIGKILL)
        wait_until(lambda: _daemon(at) not in (0, daemon), "a daemon in place of the one that was killed", WAIT_S)
        told["after the daemon was killed"] = means(client, images, 3, 4)
        client.restart(timeout=WAIT_S)
        told["after a restart of all"] = means(client, images, 5, 6)
        client.unregister_worker_plugin(images.name)
        told["mounted when unregistered"] = is_mounted(at)
        told["tasks go on"] = client.submit(lambda: 7, pure=False).result(WAIT_S)
        client.register_plugin(images)
        told["mounted again"] = is_mounted(at)
        # As when a cell of a notebook is changed and run once more.
        client.register_plugin(Mount(**{**mount, "source": f"{mount['source']}/sub-01"}))
        told["another in its place"] = client.submit(os.listdir, str(at), pure=False).result(WAIT_S)
        told["mounts"] = standing()
    return told


def _pids(client: Client) -> set[int]:
    try:
        return set(client.run(os.getpid, on_error="ignore").values())
    except OSError:  # of a worker that has just died
        return set()


def _daemon(at: Path) -> int:
    """The process behind the mount; 0 while there is none."""
    record = rundir.find(at)
    return record.pid if record is not None and record.alive() and record.device else 0


def wrong(mount: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    with cluster(1) as client:
        try:
            client.register_plugin(Mount(**{**mount, "source": "s3://no-such-bucket"}))
        except MountndError as e:
            told["no such bucket"], told["kind"] = str(e), type(e).__name__
        for what, more in (("no such option", {"memry": "2G"}), ("relative", {"at": "here"})):
            try:
                Mount(**{**mount, **more})
            except MountndError as e:
                told[what] = [type(e).__name__, str(e)]
        images = Mount(**mount)
        client.register_plugin(images)
        told["afterwards"] = means(client, images, 1)[0]
    return told


if __name__ == "__main__":
    asked = json.loads(sys.argv[2])
    answer = {"forty": forty, "killed": killed, "wrong": wrong}[sys.argv[1]](**asked)
    print(json.dumps(answer))

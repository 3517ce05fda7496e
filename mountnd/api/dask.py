"""`Mount`: a plug-in for the workers of Dask, by which each node mounts a data set once.

    from mountnd.api.dask import Mount

    ds = Mount("openneuro/ds000001")
    client.register_plugin(ds)
    shapes = client.map(lambda subject: nibabel.load(ds / f"{subject}/anat/{subject}_T1w.nii.gz").shape, subjects)

All of it is `sharing.SharedMount`: the workers of a node are processes that share a mount.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import installation
from ..errors import MountndError
from .sharing import SharedMount

try:
    from distributed.diagnostics.plugin import WorkerPlugin
except ImportError as e:
    if (e.name or "").partition(".")[0] != "distributed":
        raise
    raise ImportError(f"mountnd.api.dask needs a package: {installation.here(['distributed'])}", name=e.name) from None

if TYPE_CHECKING:
    from distributed import Worker


class Mount(WorkerPlugin, os.PathLike[str]):
    """A mount on each node that has workers: for `Client.register_plugin`, and for tasks, which ask it for paths.

    The first worker of a node mounts, the others use that mount, and with the last one it ends, however that one does.
    One more plug-in of the same name takes the place of the first.

    Args:
        source: what `mountnd.mount` takes: a preset and a path in it, a URL, an accession number, a DOI; several are a
            directory each.
        at: an absolute path on each node. Default: a private directory of each node's.
        name: of the plug-in, for `Client.unregister_worker_plugin`; default: by `at`, or the source.
        options: those of `mountnd mount`, by name. They, the environment and the config file are those of the workers.

    Attributes:
        name: the plug-in's.

    Raises UsageError for what is invalid. What cannot be mounted on a worker is raised by `Client.register_plugin`, as
    UsageError or MountError with the worker's host in front.
    """

    def __init__(
        self,
        source: str | Sequence[str],
        at: str | os.PathLike[str] | None = None,
        *,
        name: str | None = None,
        **options: Any,
    ) -> None:
        self._mount = SharedMount(source, at, **options)
        self.name = name or f"mountnd {os.fspath(at) if at is not None else self._mount.source}"

    @property
    def path(self) -> Path:
        """The directory. Without `at` each node has one of its own, which tasks can ask for. Raises MountError
        elsewhere."""
        return self._mount.path

    async def setup(self, worker: Worker) -> None:
        """Called by each worker that starts, or runs when this is registered."""
        try:
            await asyncio.to_thread(self._mount.hold)  # the worker's own thread answers its scheduler
        except MountndError as e:
            raise type(e)(f"{socket.gethostname()}: {e}") from None

    async def teardown(self, worker: Worker) -> None:
        """Called by each worker that ends, and when this is unregistered."""
        await asyncio.to_thread(self._mount.leave)

    def __fspath__(self) -> str:
        return str(self.path)

    def __truediv__(self, below: str | os.PathLike[str]) -> Path:
        return self.path / below

    def __repr__(self) -> str:
        return f"<mountnd.api.dask.Mount {self.name!r}>"

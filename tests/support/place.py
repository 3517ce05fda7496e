"""A bucket behind a proxy, a cache directory and a mountpoint: what verbs that read files are tried on."""

from __future__ import annotations

from pathlib import Path

from . import tree
from .cli import run_mountnd
from .proxy import Proxy


class BucketPlace:
    """Attributes:
    source, options: as they are typed.
    """

    def __init__(self, bucket: tree.Bucket, proxy: Proxy, cache: Path, mnt: Path) -> None:
        self.bucket, self.proxy, self.cache, self.mnt = bucket, proxy, cache, mnt
        self.source = f"s3://{bucket.name}"
        self.options = ["--endpoint-url", proxy.url, "--anonymous", "--cache-dir", str(cache)]

    def mount(self, *more: str) -> None:
        done = run_mountnd(self.source, self.mnt, *self.options, *more)
        assert done.returncode == 0, done.stderr

    def unmount(self) -> None:
        assert run_mountnd("umount", self.mnt).returncode == 0

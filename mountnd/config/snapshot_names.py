"""How people name the snapshot of a data set: `ds000001@1.0.2`, with a path below it or without. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from ..errors import UsageError

# The tag that stands for the newest one, whatever it is called.
LATEST = "latest"

# A tag is the name of a git tag, and becomes part of a file's name.
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")
_DATASET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class SnapshotName(NamedTuple):
    """One snapshot, or a directory in it.

    Attributes:
        dataset: as the service calls it, and the bucket its directory.
        tag: of the snapshot, or `LATEST`.
        below: the path in it, "" for all of it; no slash around it.
    """

    dataset: str
    tag: str
    below: str = ""

    def __str__(self) -> str:
        return f"{self.dataset}@{self.tag}"


def is_tag(text: str) -> bool:
    """Whether a snapshot can be named by it."""
    return _TAG.fullmatch(text) is not None


def split_snapshot(below: str, source: str) -> SnapshotName | None:
    """What the part of a word behind the name of a source means; None where it has no `@` in its first name.

    Args:
        below: `ds000001@1.0.2`, `ds000001@1.0.2/sub-01`, ...
        source: which has snapshots, for messages.

    Raises UsageError for one that cannot be.
    """
    head, _, rest = below.partition("/")
    dataset, at, tag = head.partition("@")
    if not at:
        return None
    if not _DATASET.fullmatch(dataset):
        raise UsageError(f"{source}/{below}: write the data set before the @, as in {source}/ds000001@1.0.2")
    if not is_tag(tag):
        raise UsageError(
            f"{source}/{below}: write the snapshot's tag behind the @, or latest: {source}/{dataset}@1.0.2 "
            f"(mountnd versions {source}/{dataset} lists them)"
        )
    return SnapshotName(dataset, tag, "/".join(filter(None, rest.split("/"))))

"""What `mountnd report DIR --lock FILE` writes: a lockfile of what was read."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from ..config.options import SourceConfig
from ..errors import NotFound, StoreError
from ..lockfile.record import Locked
from ..stores.base import Deadline, Store
from ..version import __version__
from . import locking, streams
from .counting import Counting

# That a request for a version id may take: nothing depends on it.
SECONDS = 15.0
# So many objects that were deleted since are passed over to find out whether there are version ids.
_TRIES = 16


def write(output: str, document: Mapping[str, Any], name: str, *, overwrite: bool, versions: bool) -> None:
    """Write a lockfile of what the document of a report tells of the source called `name`, "" for the only one.

    Raises UsageError, MountndError.

    Args:
        versions: whether version ids are looked for, where the bucket keeps some.
    """
    from ..locking.reported import reported

    found = reported(document, name)
    for path in found.twice:
        streams.say(f"{path}: more than one version of it was read; the one that was opened last is taken")
    header = replace(found.header, created=str(document["until"]), made_by=f"mountnd {__version__}")
    records = _with_versions(found.source, found.records) if versions else found.records
    written = locking.write(output, locking.Gathered(header, iter(records)), Counting("objects"), overwrite=overwrite)
    streams.remark(f"{output}: {written.objects:,} objects that were opened. To mount them: mountnd {output} DIR")


def _keeps_versions(store: Store, records: list[Locked]) -> bool:
    """Whether the bucket has version ids, as the first object tells that is still there. Raises StoreError."""
    for record in records[:_TRIES]:
        with suppress(NotFound):
            return bool(store.head_version(record.key, "", deadline=Deadline(SECONDS)).id.version)
    return True  # perhaps: each is looked for among older versions


def _with_versions(facts: Mapping[str, Any], records: list[Locked]) -> list[Locked]:
    """The records with the version ids that their bucket has for them now; without, where it cannot be asked."""
    from ..locking.completing import with_versions
    from ..sources import open_store

    if facts["kind"] != "s3" or all(record.version for record in records):
        return records
    source = SourceConfig(
        name=facts["name"],
        url=facts["url"],
        endpoint_url=facts["endpoint_url"] or None,
        region=facts["region"] or None,
        profile=facts["profile"],
        anonymous=facts.get("anonymous"),
        requester_pays=bool(facts["requester_pays"]),
        path_style=facts["path_style"],
    )
    counting = Counting("objects", len(records))
    try:
        store = open_store(source)
        store.load_libraries()
        if not _keeps_versions(store, records):
            return records
        with counting.shown():
            return list(locking.counted(with_versions(store, records, SECONDS), counting))
    except StoreError as error:
        streams.say(f"version ids could not be asked for, so that objects are pinned by their ETags alone: {error}")
        return records

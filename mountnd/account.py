"""What a running mount tells of its use: answers to `mountnd report` and `stats --watch`.

The answers are parts, each quick to make: what a report shows is put together by whoever asks (`report.collecting`), so
that a daemon with hundreds of thousands of files to tell of goes on serving meanwhile.

Lock order: `Account._lock` (over the timeline alone) is a leaf.
"""

from __future__ import annotations

import ctypes
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from . import stats
from .assembly import Mount
from .catalog.catalogue import Catalogue
from .config import presets
from .config.options import MountConfig, SourceConfig
from .errors import MountError, MountndError, UsageError
from .redaction import redacted
from .sources import endpoint_of
from .stores.base import ObjectId, ObjectStat, Store
from .threads import start
from .usage.files import FileRow
from .usage.timeline import Timeline
from .usage.waits import Wait
from .vfs.inodes import Inode
from .views.identity import stored

log = logging.getLogger(__name__)

# What is counted over time, in the order of the rows that `usage` answers.
SERIES = (
    stats.BYTES_ASKED, stats.BYTES_FROM_MEMORY, stats.BYTES_FROM_DISK, stats.BYTES_FETCHED,
    stats.GETS, stats.LISTS, stats.HEADS,
)  # fmt: skip
# Open files told of: more than fit a screen.
OPEN_FILES = 100
# How long names are counted for one answer, and descriptions are waited for: below the time that verbs wait for it.
MEASURE_S, DESCRIBE_S = 2.0, 5.0
# At the end of a mount, which somebody waits for.
DESCRIBE_AT_END_S = 2.0
# A dataset_description.json has a few KB.
DESCRIPTION_BYTES = 256 << 10
DESCRIPTION = b"dataset_description.json"
# Batches of one answer.
BATCHES = 8

Answer = dict[str, Any]


class Account:
    """Of one mount.

    Args:
        clock: monotonic seconds; wall: since the epoch.
    """

    def __init__(
        self,
        mount: Mount,
        config: MountConfig,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._mount, self._config, self._clock, self._wall = mount, config, clock, wall
        self._usage = mount.blocks.usage
        self._lock = threading.Lock()
        self._timeline = Timeline(len(SERIES))
        self._begun, self._since = clock(), wall()
        self._due = self._begun
        self._describe_s, self._is_writing = DESCRIBE_S, False

    @property
    def handlers(self) -> Mapping[str, Callable[[Answer], Any]]:
        """The requests that it answers, by verb (see `daemon.control`)."""
        return {
            "usage": self.usage,
            "usage-archived": self.archived,
            "open-files": self.open_files,
            "datasets": self.datasets,
            "writing": lambda _: self._is_writing,
        }

    def tick(self) -> None:
        """Look at the counters, if it is time to. Call it twice a second."""
        if self._clock() >= self._due:
            self._sample()

    def write_report(self) -> None:
        """Write the report that `--report` asks for, if it does. Call it at the end, while sources can be read."""
        path = self._config.report
        if path is None:
            return
        # Only now: it draws and writes with libraries that nobody else needs.
        from .report import collecting, formats

        self._describe_s, self._is_writing = DESCRIBE_AT_END_S, True
        try:
            document = collecting.collect(collecting.local(self.handlers))
            formats.write(path, formats.FORMATS[formats.format_of(str(path))].write(document))
        except Exception as e:  # the mount has ended, whatever becomes of its report
            log.error("the report was not written: %s", e, exc_info=not isinstance(e, MountndError))
        else:
            log.info("the report is in %s", path)

    def usage(self, _: Answer) -> Answer:
        """All but the files that nobody has touched lately: their batches' numbers, for `archived`."""
        self._sample()
        self._mount.vfs.open_files()
        rows, numbers, lost = self._usage.recent()
        with self._lock:
            series = self._timeline.series()
        until = self._clock() + MEASURE_S
        return {
            "since": self._since,
            "now": self._wall(),
            "mountpoint": os.fsdecode(self._config.mountpoint),
            "counters": self._mount.counters(),
            "sources": [self._source(source, until) for source in self._config.sources],
            "series": {"counters": SERIES, "slot_seconds": series.slot_seconds, "rows": series.rows},
            "waits": [self._wait(wait) for wait in self._usage.waits.longest()],
            "files": self._told(rows),
            "archived": [numbers.start, numbers.stop],
            "lost": lost,
        }

    def archived(self, request: Answer) -> Answer:
        """The files of some batches, from the number `from` on, and the number to go on from."""
        first, stop = _number(request, "from"), _number(request, "to")
        stop = min(stop, first + BATCHES)
        return {"files": [row for n in range(first, stop) for row in self._told(self._usage.archived(n))], "next": stop}

    def open_files(self, _: Answer) -> Answer:
        """How many files are open, and those that were read most."""
        files = self._mount.vfs.open_files()
        most = sorted(files.items(), key=lambda item: -item[1].asked)[:OPEN_FILES]
        return {"count": len(files), "files": [{"handle": number, **file._asdict()} for number, file in most]}

    def datasets(self, request: Answer) -> list[Answer]:
        """Those of the directories `paths` that hold a dataset_description.json, as far as names are known: what it
        says (asked for where it is not cached), and how much lies there."""
        paths = request.get("paths")
        if not isinstance(paths, list) or not all(isinstance(path, str) and "\0" not in path for path in paths):
            raise UsageError("the request names no paths")
        found: list[tuple[str, Catalogue, str, ObjectStat]] = []
        for path in paths:
            directory = self._directory(path)
            if directory is None or directory.catalogue is None:
                continue
            entry = directory.catalogue.find_known(directory.entry, DESCRIPTION)
            if entry is not None and entry.stat is not None and not entry.is_dir:
                found.append((path, directory.catalogue, directory.entry.key, entry.stat))
        texts = self._descriptions([(catalogue, stat) for _, catalogue, _, stat in found])
        until = self._clock() + MEASURE_S
        return [
            {"path": path, "description": texts.get(stat.id), "known": catalogue.measure(key, until)._asdict()}
            for path, catalogue, key, stat in found
        ]

    def _sample(self) -> None:
        total = self._mount.stats.snapshot()
        with self._lock:
            now = self._clock()
            self._timeline.sample(now - self._begun, [total.get(name, 0) for name in SERIES])
            self._due = now + self._timeline.slot_seconds / 2

    def _told(self, rows: list[FileRow]) -> list[list[Any]]:
        """Rows as JSON has them, each beginning with the name of its source."""
        names = {store.source: name for name, store in self._mount.stores.items()}
        several = len(self._config.sources) > 1
        told = []
        for row in map(_as_stored, rows):
            name = names.get(row.source, "")
            if several and row.path:  # two sources may be parts of one bucket
                name = row.path.partition("/")[0]
            store = self._mount.stores.get(name)
            told.append([name, row.key if store is None else store.provider_key(row.key), *row[2:]])
        return told

    def _wait(self, wait: Wait) -> Answer:
        where, path = wait.where, ""
        if isinstance(where, Inode):
            path = self._usage.path_of(where)
        elif isinstance(where, tuple) and isinstance(where[0], Catalogue):
            path = self._mount.vfs.path(*where)
        elif isinstance(where, ObjectId):
            path = where.key
        return {**wait._asdict(), "where": path}

    def _source(self, source: SourceConfig, until: float) -> Answer:
        """The facts of one source that a report needs: how to get its objects without a mount, and whose they are."""
        store, catalogue = self._mount.stores[source.name], self._mount.catalogues[source.name]
        preset = presets.find(source.preset) if source.preset else None
        return {
            "name": source.name,
            "url": redacted(source.url if source.url.startswith("http") else store.url),
            "kind": urlsplit(source.url).scheme or "links",
            "root": store.root,
            "endpoint_url": redacted(endpoint) if (endpoint := endpoint_of(source)) else None,
            "region": store.region or source.region or "",
            "signed": _is_signed(source, store),
            "anonymous": source.anonymous,
            "requester_pays": source.requester_pays,
            "profile": source.profile,
            "path_style": source.path_style,
            "preset": None if preset is None else {**asdict(preset), "settings": dict(preset.settings)},
            "known": catalogue.measure(store.root, until)._asdict(),
        }

    def _directory(self, path: str) -> Inode | None:
        try:
            return self._mount.vfs.resolve_directory(b"/" + os.fsencode(path) if path else b"")
        except (MountndError, UnicodeEncodeError):
            return None

    def _descriptions(self, wanted: list[tuple[Catalogue, ObjectStat]]) -> dict[ObjectId, str]:
        """What these files hold, as far as it comes in time."""
        texts: dict[ObjectId, str] = {}

        def read() -> None:
            for catalogue, stat in wanted:
                try:
                    texts[stat.id] = self._content(catalogue.relied(stat)).decode("utf-8", "replace")
                except MountndError:
                    continue  # refused, gone, or out of reach: what it says is not known

        small = [stat for _, stat in wanted if 0 < stat.size <= DESCRIPTION_BYTES]
        if small:
            wanted = [(catalogue, stat) for catalogue, stat in wanted if 0 < stat.size <= DESCRIPTION_BYTES]
            thread = threading.Thread(target=read, name="descriptions", daemon=True)
            try:
                start(thread)
            except MountError:
                return {}
            thread.join(self._describe_s)
        return dict(texts)

    def _content(self, stat: ObjectStat) -> bytes:
        buffer = ctypes.create_string_buffer(stat.size)
        stream = self._mount.blocks.open(stat.id, stat.size)
        try:
            stream.read_into(lambda: ctypes.addressof(buffer), stat.size, 0)
        finally:
            stream.close()
        return buffer.raw


def _is_signed(source: SourceConfig, store: Store) -> bool:
    """Whether its requests are signed with somebody's keys."""
    return source.anonymous is not True and bool(store.keys)


def _number(request: Answer, name: str) -> int:
    number = request.get(name)
    if not isinstance(number, int) or number < 0:
        raise UsageError(f"the request names no number {name!r}")
    return number


def _as_stored(row: FileRow) -> FileRow:
    """A row; that of a file which a view shows inflated has the key and ETag of what is stored."""
    behind = stored(ObjectId(row.source, row.key, row.etag, row.version, row.size), row.source)
    if behind is None:
        return row
    return row._replace(key=behind.id.key, etag=behind.id.etag, stored_size=behind.id.size)

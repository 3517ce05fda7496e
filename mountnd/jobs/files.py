"""The files that a job means, one after the other, as often as they are needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from ..blocks.geometry import BlockRange, covering
from ..catalog.model.entry import Entry
from ..errors import IsADirectory, StoreError
from ..stores.base import ObjectStat
from .paths import shown
from .report import Report
from .request import FilesRequest, PrefetchRequest
from .walk import Batch

# In a view, the sizes of so many files are asked for side by side.
AT_ONCE = 64


class Picked(NamedTuple):
    """One file, and the batch that it is of."""

    batch: Batch
    entry: Entry

    @property
    def path(self) -> str:
        """From the mount's root."""
        return shown(self.batch.path(self.entry))

    def stat(self) -> ObjectStat:
        """Its version, by the token that it goes by now. Raises StoreError where that is asked for, in a view."""
        assert self.entry.stat is not None
        return self.batch.catalogue.readable(self.entry.stat)

    def ask_anew(self) -> ObjectStat:
        """Its version as the store tells it now. Raises StoreError, IsADirectory."""
        catalogue, key = self.batch.catalogue, self.entry.key
        catalogue.forget(key)
        around, slash, _ = key.rpartition("/")
        entry = catalogue.lookup(Entry(b"", around + slash, True, None), self.entry.name)
        if entry.stat is None or entry.is_dir:
            raise IsADirectory("it is a directory now")
        return catalogue.readable(entry.stat)


def span_of(stat: ObjectStat, request: FilesRequest) -> BlockRange:
    """The blocks that are meant of a file."""
    return covering(0, request.bytes_of(stat.size), stat.size)


class Files:
    """All of them, in the order in which they were found."""

    def __init__(self, batches: Sequence[Batch], request: FilesRequest) -> None:
        self._batches, self._request = batches, request

    def all(self) -> Iterator[Picked]:
        """All of them."""
        for batch in self._batches:
            files, sizes = iter(batch.files()), batch.catalogue.sizes
            while some := list(islice(files, AT_ONCE)):
                if sizes is not None:
                    sizes.begin((entry.stat for entry in some if entry.stat is not None), readable=True)
                for entry in some:
                    yield Picked(batch, entry)

    def wanted(self, report: Report | None = None) -> Iterator[Picked]:
        """Those that `--max-bytes` allows: each that does not fit is left out, and told to the report. So is each that
        a view cannot read."""
        left = self._request.max_bytes if isinstance(self._request, PrefetchRequest) else None
        for picked in self.all():
            try:
                stat = picked.stat()
            except StoreError as e:
                if report is not None:
                    report.failed(picked.path, str(e))
                continue
            if left is not None:
                n = self._request.bytes_of(stat.size)
                if n > left:
                    if report is not None:
                        report.count(left_out=1, left_out_bytes=n)
                    continue
                left -= n
            yield picked

    def odd_tokens(self) -> int:
        """How many go by another token than their ETags: what is learnt of a server while it is read changes that, and
        what was fetched before is then not found again."""
        return sum(
            picked.batch.catalogue.relied(picked.entry.stat).id != picked.entry.stat.id
            for picked in self.all()
            if picked.entry.stat
        )

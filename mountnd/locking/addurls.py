"""Records -> a table for `datalad addurls FILE.csv '{url}' '{path}'`. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from ..lockfile.header import Header
from ..lockfile.record import Locked
from ..report.addresses import web_url

_TOGETHER = 1000


class Table:
    """The table in pieces of text.

    Attributes:
        objects, bytes: how many there are by now, and their sizes' sum.
        without: how many records have no URL, and are left out.
    """

    def __init__(self, header: Header, records: Iterable[Locked]) -> None:
        self.objects = self.bytes = self.without = 0
        self._records = records
        self._source: Mapping[str, Any] = {
            "kind": urlsplit(header.source).scheme,
            "url": header.source,
            "root": header.root,
            "endpoint_url": header.endpoint_url,
            "region": header.region,
            "path_style": header.path_style,
        }

    def __iter__(self) -> Iterator[bytes]:
        out = io.StringIO(newline="")
        table = csv.writer(out, lineterminator="\n")
        table.writerow(["url", "path", "size", "etag", "version_id", "digest"])
        for number, one in enumerate(self._records):
            url = web_url(self._source, one.key, one.version)
            if url is None:
                self.without += 1
                continue
            self.objects += 1
            self.bytes += one.size
            # Bytes that are no UTF-8 cannot stand in a table of text; the URL spells them, and the path escapes them.
            path = one.path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
            table.writerow([url, path, one.size, one.etag.strip('"'), one.version, one.digest])
            if number % _TOGETHER == _TOGETHER - 1:
                yield out.getvalue().encode()
                out.seek(0)
                out.truncate()
        yield out.getvalue().encode()

"""Records of listings: those with nothing to report take a shorter way, to the same end."""

from __future__ import annotations

import json

import pytest

from mountnd.catalog.cache import segment
from mountnd.catalog.model.keys import Hidden
from mountnd.catalog.model.listing import Listing
from mountnd.catalog.model.table import tabulate
from mountnd.stores.base import ObjectId, ObjectStat

ROWS = tabulate([(b"sub-01/", None)])
MARKER = ObjectStat(ObjectId("s", "a/", '"e"', ""), 0, 7, "STANDARD")
# Also what looks like the end of a head, or a key that no JSON can hold as it is.
PREFIXES = ("", "a/", 'quo"te/', "日本/", "\udcff/", '", "hidden": [], "more": 0, "marker": null}/')


def head_of(record: bytes) -> bytes:
    length, _, _ = segment._HEAD.unpack_from(record)
    return record[segment._HEAD.size : segment._HEAD.size + length]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_plain_head_means_what_json_says(prefix: str) -> None:
    record = segment.encode(prefix, Listing([ROWS], [], None, 0.0))
    assert segment._plain(head_of(record)) == {**json.loads(head_of(record)), "hidden": ()}
    found, listing = segment.decode(record, "s", 0.0)
    assert (found, [table.blob for table in listing.tables]) == (prefix, [ROWS.blob])


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_report_takes_the_long_way(prefix: str) -> None:
    for reported in (
        Listing([ROWS], [Hidden("a//b", "two slashes")], None, 0.0),
        Listing([ROWS], [], MARKER, 0.0),
        Listing([ROWS], [], None, 0.0, 3),
    ):
        record = segment.encode(prefix, reported)
        assert segment._plain(head_of(record)) is None
        found, listing = segment.decode(record, "s", 0.0)
        assert (found, listing.hidden, listing.more_hidden) == (prefix, reported.hidden, reported.more_hidden)
        assert (listing.marker is None) == (reported.marker is None)

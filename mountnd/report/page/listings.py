"""The parts of the page that list: waits, requests with their price, and what was read. Each is made of the report's
document. Pure.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree.ElementTree import Element

from .. import provenance
from ..figures import figures, size
from ..moments import shown
from .elements import Content, code, element, lines, link, path_of
from .tables import paragraph, table

Document = Mapping[str, Any]

# How many files and waits are listed: ten thousand would open in no browser. All of them are in the JSON.
ROWS, WAITS = 300, 30

_WAITED_FOR = {
    "request": "the answer of the source",
    "queue": "a free connection to the source",
    "disk": "the disk cache",
    "turn": "its turn: memory was full of what other programs waited for",
    "names": "names from the source",
}


def waits(document: Document) -> Iterator[Element]:
    """The longest waits of programs."""
    yield element("h2", "The longest waits")
    found = document["waits"][:WAITS]
    if not found:
        yield paragraph("No program waited for long enough to notice.")
        return
    rows = [
        [
            f"{wait['seconds']:.2f} s",
            shown(wait["at"], "%H:%M:%S"),
            wait["what"],
            path_of(wait["path"] or "/"),
            f"{size(wait['size'])} at {wait['offset']:,}" if wait["what"] == "read" and wait["cause"] != "turn" else "",
            _waited_for(wait),
        ]
        for wait in found
    ]
    yield table(["Waited", "At", "For a", "Of", "Bytes", "Until there was"], rows, right={0})


def requests(document: Document) -> Iterator[Element]:
    """The requests, what they would cost, and whom."""
    yield element("h2", "Requests and their price")
    by_source = {row["source"]: row for row in document["cost"]["by_source"]}
    rows: list[list[Content]] = []
    for source in document["sources"]:
        done, row = figures(source["counters"]), by_source.get(source["name"])
        price = f"${row['requests_usd']:.4f}" if row else "-"
        transfer = f"${row['transfer_usd']:.2f}" if row else "-"
        counts = [f"{n:,}" for n in (done.gets, done.heads, done.lists)]
        ms = done.get_ms
        rows.append(
            [source["name"], *counts, "-" if ms is None else f"{ms:.0f} ms", size(done.fetched), price, transfer]
        )
    titles = ["Source", "GET", "HEAD", "LIST", "A GET takes", "Fetched", "Requests", "Transfer"]
    yield table(titles, rows, right=range(1, 8))
    for row in by_source.values():
        name = f"{row['source']}: " if len(by_source) > 1 else ""
        elsewhere = "" if row["at_aws"] else " It is not at AWS, whose prices these are."
        yield paragraph(f"{name}This is paid by {row['who']}.{elsewhere}")
    if by_source:
        prices = document["cost"]["prices"]
        yield paragraph(
            f"Estimated at the list prices of S3 Standard in us-east-1 ({prices['listed']}): "
            f"${prices['get_or_head_usd'] * 1000:.4f} for 1,000 GETs or HEADs, ${prices['list_usd'] * 1000:.3f} for "
            f"1,000 LISTs, ${prices['gb_to_internet_usd']:.2f} for a GB that goes to the internet, and nothing for one "
            "that stays within the region. ",
            link(prices["source"], "Today's prices"),
            ".",
            class_="faint",
        )


def listed(document: Document) -> Iterator[Element]:
    """The list of what was read, how to get the same files, and what to cite."""
    files, where = document["files"], shlex.quote(document["mountpoint"])
    yield element("h2", "What was read, to cite it and to get it again")
    fragment = json.dumps(provenance.bids(document), indent=2, ensure_ascii=False)
    yield element("h3", "For the dataset_description.json of what was made of it (BIDS)")
    yield lines("pre", fragment)
    yield element("h3", "In other formats")
    commands = [
        ("all of this page and every file, for programs", "json"),
        ("an RO-Crate", "rocrate"),
        ("a script that downloads the files with the AWS command line", "aws"),
        ("the same with rclone", "rclone"),
        ("a table for datalad addurls", "datalad"),
    ]
    yield table(
        ["What", "Command"], [[what, code(f"mountnd report {where} --format {name}")] for what, name in commands]
    )
    yield element("h3", f"Files ({len(files):,})")
    rows: list[list[Content]] = [
        [
            path_of(file["path"]),
            code(file["key"]),
            code(file["etag"] or ""),
            size(file["size"]),
            size(file["bytes_read"]),
        ]
        for file in files[:ROWS]
    ]
    total = sum(file["size"] for file in files), sum(file["bytes_read"] for file in files)
    rows.append(["All", "", "", size(total[0]), size(total[1])])
    shown_table = table(["Path", "Key", "ETag", "Size", "Read"], rows, right={3, 4})
    yield element("details", element("summary", f"The list of {min(len(files), ROWS):,} of them"), shown_table)
    if len(files) > ROWS:
        yield paragraph(f"{len(files) - ROWS:,} more are in the JSON.", class_="faint")
    if document["files_left_out"]:
        yield paragraph(
            f"{document['files_left_out']:,} files that were read longest ago are no longer known.", class_="bad"
        )


def foot(document: Document) -> Element:
    """What made the page."""
    return element("footer", f"Made by mountnd {document['mountnd']}, {shown(document['until'])}. It loads nothing.")


def _waited_for(wait: Mapping[str, Any]) -> Element:
    details = [f"HTTP {wait['status']}"] if wait["status"] else []
    if wait["retries"]:
        details.append(f"after {wait['retries']} failed attempts")
    if wait["request_id"]:
        details.append(f"request {wait['request_id']}")
    told = f" ({', '.join(details)})" if details else ""
    failed = element("span", f": {wait['error']}", class_="bad") if wait["error"] else None
    return element("span", _WAITED_FOR.get(wait["cause"], wait["cause"]), told, failed)

"""The parts of the page, each made of the report's document. Pure, but for the plots."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree.ElementTree import Element

from ... import installation
from ...usage import pattern
from .. import provenance
from ..figures import duration, figures, size
from ..moments import shown
from . import maps, plots
from .elements import Content, element, lines, link
from .tables import bars, paragraph, table, tiles

Document = Mapping[str, Any]

# Of how many files the page has a map, and a row in its list: ten thousand would open in no browser. All of them are in
# the JSON.
MAPS, ROWS, WAITS = 60, 300, 30

# How a file was read, as a sentence has it.
_HOW = {
    pattern.UNREAD: "not read",
    pattern.START: "its start read",
    pattern.IN_ORDER: "read in order",
    pattern.STRIDES: "read in strides",
    pattern.RANDOM: "read at random",
}
_WAITED_FOR = {
    "request": "the answer of the source",
    "queue": "a free connection to the source",
    "disk": "the disk cache",
    "turn": "its turn: memory was full of what other programs waited for",
    "names": "names from the source",
}


def head(document: Document) -> Iterator[Element]:
    """What was mounted where and when, and the figures that matter most."""
    yield element("h1", "What was read through ", code(document["mountpoint"]))
    when = f"{shown(document['since'])} to {shown(document['until'])} ({duration(document['seconds'])})"
    yield paragraph(when, class_="faint")
    for source in document["sources"]:
        name = f"{source['name']}: " if len(document["sources"]) > 1 else ""
        title = f": {source['title']}" if source["title"] else ""
        licence = f" ({source['licence']})" if source["licence"] else ""
        yield paragraph(name, link(source["home"], source["url"] or source["name"]), f"{title}{licence}")
    done, saved = figures(document["totals"]), document["saved"]
    loaded = done.loaded or 1
    at_once = f"{100 * (done.asked - done.waited) / done.asked:.0f} % of it at once, from memory" if done.asked else ""
    yield tiles(
        [
            ("asked for by programs", size(done.asked), at_once),
            ("fetched from the source", size(done.fetched), f"{size(done.prefetched)} of it ahead of programs"),
            ("from the disk cache", size(done.from_disk), f"{100 * done.from_disk / loaded:.0f} % of what came in"),
            ("files read", f"{saved['files']:,}", f"{size(saved['read'])} of their {size(saved['files_whole'])}"),
            ("requests", f"{done.gets + done.lists + done.heads:,}", f"{done.gets:,} for bytes"),
            ("failures", f"{document['failures'].get('count', 0):,}", _reasons(document["failures"])),
        ]
    )


def over_time(document: Document) -> Iterator[Element]:
    """The plots, or how to get them."""
    yield element("h2", "Over time")
    if not document["over_time"]["rows"]:
        yield paragraph("Nothing was counted yet.")
        return
    try:
        wide, narrow = (plots.drawn(document["over_time"], narrow=narrow) for narrow in (False, True))
    except plots.Unavailable:
        command = installation.here(["mountnd[report]"])
        yield paragraph("The plots of this section are drawn by matplotlib. To install it: ", code(command))
        return
    wide.set("class", "wide")
    narrow.set("class", "narrow")
    yield element("div", wide, narrow, class_="plot")
    seconds = document["over_time"]["slot_seconds"]
    yield paragraph(
        f"By the second, on average over {duration(seconds)} or more. What the kernel serves from its own cache never "
        "reaches the mount, and is not counted.",
        class_="faint",
    )


def savings(document: Document) -> Iterator[Element]:
    """What was not downloaded."""
    saved = document["saved"]
    yield element("h2", "Instead of a download")
    of = "the datasets they are part of" if saved["whole_of"] == "datasets" else "all that is mounted"
    at_least = "" if saved["whole_is_complete"] else "at least "
    yield bars(
        [
            ("fetched", saved["fetched"], size(saved["fetched"]), "fetched"),
            ("read by programs", saved["read"], size(saved["read"]), "read"),
            (f"the {saved['files']:,} files that were read, whole", saved["files_whole"], size(saved["files_whole"]),
             "whole"),
            (of, saved["whole"], f"{at_least}{size(saved['whole'])}", "whole"),
        ]
    )  # fmt: skip
    yield paragraph(_less(saved["fetched"], saved["files_whole"], saved["whole"], at_least))
    if not saved["whole_is_complete"]:
        yield paragraph(
            f"{of[0].upper()}{of[1:]}: {saved['whole_files']:,} files whose names are known. Not every directory was "
            "listed, so this is a lower bound.",
            class_="faint",
        )


def datasets(document: Document) -> Iterator[Element]:
    """The BIDS datasets that files were read from."""
    if not document["datasets"]:
        return
    yield element("h2", "Datasets")
    rows = []
    for one in document["datasets"]:
        known = one["known"]
        whole = f"{'' if known['complete'] else 'at least '}{size(known['bytes'])}"
        name = one["name"] or one["path"] or "dataset"
        doi = link(f"https://doi.org/{one['doi']}", one["doi"]) if one["doi"] else ""
        row = [element("span", name), path_of(one["path"] or "/"), doi, one["version"] or "", one["licence"] or ""]
        rows.append([*row, f"{one['files_read']:,}", size(one["bytes_fetched"]), whole])
    titles = ["Name", "Directory", "DOI", "Version", "Licence", "Files read", "Fetched", "Whole"]
    yield table(titles, rows, right={5, 6, 7})
    for one in document["datasets"]:
        if one["how_to_acknowledge"]:
            yield paragraph(f"{one['name'] or one['path']}: ", one["how_to_acknowledge"], class_="faint")
    for source in document["sources"]:
        if source["citation"]:
            yield paragraph("Please cite: ", source["citation"])


def file_maps(document: Document) -> Iterator[Element]:
    """Which parts of the files were read and fetched."""
    files = document["files"]
    yield element("h2", "Which parts of the files")
    if not files:
        yield paragraph("No file was opened yet.")
        return
    yield paragraph(
        "Each strip is a file from its first byte to its last: above what programs read, below what was brought in."
    )
    yield maps.legend()
    for file in files[:MAPS]:
        yield element(
            "div",
            path_of(file["path"]),
            maps.strip(file),
            element("div", _facts(file), class_="facts"),
            class_="map",
        )
    if len(files) > MAPS:
        yield paragraph(f"And {len(files) - MAPS:,} files more, of which less was read.", class_="faint")
    never = document["never_opened"]
    if never["files"]:
        yield paragraph(
            f"Beside these, {size(never['bytes'])} were fetched ahead of {never['files']:,} files that nobody opened.",
            class_="faint",
        )


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


def code(text: str) -> Element:
    """A command, a path or an identifier."""
    return element("code", text)


def path_of(path: str) -> Element:
    """A path, which may break anywhere."""
    return element("span", path, class_="path")


def _reasons(failures: Mapping[str, Any]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in failures.get("by_reason", {}).items())


def _less(fetched: int, files: int, whole: int, at_least: str) -> str:
    """What a download would have been beside what was fetched, as a sentence; "" where it is no less."""
    if not files:
        return ""
    if not fetched:
        return "Nothing of it was fetched: all was cached."
    times = [f"{n / fetched:,.0f}" if n >= 10 * fetched else f"{n / fetched:.1f}" for n in (files, whole)]
    if files <= fetched:
        return (
            f"A download of all would have been {at_least}{times[1]} times what was fetched." if whole > fetched else ""
        )
    return (
        f"A download of those files would have been {times[0]} times what was fetched, and one of all "
        f"{at_least}{times[1]} times."
    )


def _facts(file: Mapping[str, Any]) -> str:
    read = 100 * file["bytes_read"] / file["size"] if file["size"] else 100
    share = f"{read:.0f} %" if read >= 1 or not read else "less than 1 %"
    at_most = "" if file["exact"] else "at most "
    opened = f"opened {file['opens']:,} times" if file["opens"] != 1 else "opened once"
    parts = [size(file["size"]), f"{_HOW.get(file['how'], file['how'])}: {at_most}{size(file['bytes_read'])} ({share})"]
    came = [("fetched", file["bytes_fetched"]), ("from the disk cache", file["bytes_from_disk"])]
    return ", ".join([*parts, opened, *(f"{size(n)} {how}" for how, n in came if n)])


def _waited_for(wait: Mapping[str, Any]) -> Element:
    details = [f"HTTP {wait['status']}"] if wait["status"] else []
    if wait["retries"]:
        details.append(f"after {wait['retries']} failed attempts")
    if wait["request_id"]:
        details.append(f"request {wait['request_id']}")
    told = f" ({', '.join(details)})" if details else ""
    failed = element("span", f": {wait['error']}", class_="bad") if wait["error"] else None
    return element("span", _WAITED_FOR.get(wait["cause"], wait["cause"]), told, failed)

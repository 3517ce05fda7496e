"""The parts of the page that show what happened, each made of the report's document. Pure, but for the plots."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree.ElementTree import Element

from ... import installation
from ...usage import pattern
from ..figures import duration, figures, size
from ..moments import shown
from . import maps, plots
from .elements import code, element, link, path_of
from .tables import bars, paragraph, table, tiles

Document = Mapping[str, Any]

# Of how many files the page has a map: ten thousand would open in no browser. All of them are in the JSON.
MAPS = 60

# How a file was read, as a sentence has it.
_HOW = {
    pattern.UNREAD: "not read",
    pattern.START: "its start read",
    pattern.IN_ORDER: "read in order",
    pattern.STRIDES: "read in strides",
    pattern.RANDOM: "read at random",
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
            *(
                [("from the shared cache", size(done.from_shared), f"{100 * done.from_shared / loaded:.0f} % of it")]
                if done.from_shared
                else []
            ),
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

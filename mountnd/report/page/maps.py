"""Which parts of a file were read, and which were fetched: a strip of two lines, as SVG. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element

from ..figures import size as shown_size
from .elements import element

# Units of the strip: its width, and the height of each of its lines.
WIDTH, LINE = 1000, 10
# What is narrower would not be seen.
LEAST = 2

# Lines of a strip: the ranges drawn in each, by their names in the document, which are their colours' too.
LINES = (("read",), ("fetched", "ahead", "disk"))
LABELS = {
    "read": "read by programs",
    "fetched": "fetched while a program waited",
    "ahead": "fetched ahead of programs",
    "disk": "from the disk cache",
}


def strip(file: Mapping[str, Any]) -> Element:
    """The map of one file of the document."""
    drawn = [
        element("path", d=path(file["ranges"][name], file["size"], y * (LINE + 2)), class_=name)
        for y, names in enumerate(LINES)
        for name in names
        if file["ranges"][name]
    ]
    grounds = [
        element("rect", x=0, y=y * (LINE + 2), width=WIDTH, height=LINE, class_="ground") for y in range(len(LINES))
    ]
    return element(
        "svg",
        element("title", spoken(file)),
        *grounds,
        *drawn,
        viewBox=f"0 0 {WIDTH} {2 * LINE + 2}",
        preserveAspectRatio="none",
        role="img",
        class_="strip",
    )


def path(ranges: Sequence[Sequence[int]], size: int, y: int) -> str:
    """The outline of rectangles at height `y`; what would overlap or touch is one."""
    columns: list[list[int]] = []
    for start, stop in ranges:
        left = min(start * WIDTH // max(size, 1), WIDTH - LEAST)
        right = min(max(-(-stop * WIDTH // max(size, 1)), left + LEAST), WIDTH)
        if columns and left <= columns[-1][1]:
            columns[-1][1] = max(columns[-1][1], right)
        else:
            columns.append([left, right])
    return "".join(f"M{left} {y}h{right - left}v{LINE}h-{right - left}z" for left, right in columns)


def spoken(file: Mapping[str, Any]) -> str:
    """The map in words."""
    parts = [
        f"{shown_size(sum(stop - start for start, stop in file['ranges'][name]))} {LABELS[name]}"
        for names in LINES
        for name in names
        if file["ranges"][name]
    ]
    return f"of {shown_size(file['size'])}: {', '.join(parts) or 'nothing was read'}"


def legend() -> Element:
    """What the colours mean."""
    items = [element("li", element("span", class_=f"swatch {name}"), f" {label}") for name, label in LABELS.items()]
    return element("ul", *items, class_="legend")

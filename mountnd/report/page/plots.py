"""What happened over time, as SVG: drawn by matplotlib, which the extra `report` brings.

Colours are put in as names of the page's own, so that a plot is dark or light with it. Nothing in a plot comes from
elsewhere but numbers.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from ... import stats
from ..figures import byte_unit

# Inches, at 72 of the page's pixels each: on a screen, and on a telephone; and slots that can be told apart there.
WIDE, NARROW = (13.6, 6.6), (5.0, 6.6)
WIDE_SLOTS, NARROW_SLOTS = 240, 120
# Colours that nobody sees: each is replaced by the variable of this name.
_COLOURS = {"ink": "#010101", "line": "#020202", "read": "#030303", "memory": "#040404", "fetched": "#050505",
            "disk": "#060606", "get": "#070707", "names": "#080808"}  # fmt: skip
_UNITS = ((86_400 * 2, 86_400.0, "days"), (3600 * 2, 3600.0, "hours"), (60 * 2, 60.0, "minutes"))
# In what matplotlib writes: a style with a font, decimals that nobody sees, ids that are referred to.
_FONT = re.compile(r"font: ([0-9.]+px) [^;]*|font-family: [^;]*;?")
_DIGITS = re.compile(r"(\d\.\d)\d+")
_REFERRED = re.compile(r"#([\w.-]+)")
_SVG, _XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"


class Unavailable(Exception):
    """matplotlib is not installed."""


class _Panel(NamedTuple):
    """One of the plots above each other: its title, and what is stacked in it: label, colour, a value for each slot."""

    title: str
    parts: Sequence[tuple[str, str, Sequence[float]]]
    is_bytes: bool


def panels(series: Mapping[str, Any]) -> list[_Panel]:
    """What is drawn of the document's `over_time`, by the second. Pure."""
    seconds = series["slot_seconds"]
    columns = {name: [row[at] / seconds for row in series["rows"]] for at, name in enumerate(series["counters"])}
    asked, memory = columns[stats.BYTES_ASKED], columns[stats.BYTES_FROM_MEMORY]
    waited = [max(0.0, a - m) for a, m in zip(asked, memory, strict=True)]
    at_once = [a - w for a, w in zip(asked, waited, strict=True)]
    names = [a + b for a, b in zip(columns[stats.LISTS], columns[stats.HEADS], strict=True)]
    return [
        _Panel(
            "Asked for by programs",
            (("at once, from memory", "memory", at_once), ("after waiting for it", "read", waited)),
            True,
        ),
        _Panel(
            "Brought into memory",
            (
                ("from the disk cache", "disk", columns[stats.BYTES_FROM_DISK]),
                ("fetched from the source", "fetched", columns[stats.BYTES_FETCHED]),
            ),
            True,
        ),
        _Panel("Requests", (("for bytes", "get", columns[stats.GETS]), ("for names", "names", names)), False),
    ]


def fewer(series: Mapping[str, Any], most: int) -> dict[str, Any]:
    """The same in at most `most` slots, each as long as several. Pure."""
    rows = series["rows"]
    several = -(-len(rows) // most) or 1
    parts = [rows[at : at + several] for at in range(0, len(rows), several)]
    summed = [[sum(column) for column in zip(*part, strict=True)] for part in parts]
    return {**series, "slot_seconds": series["slot_seconds"] * several, "rows": summed}


def drawn(series: Mapping[str, Any], *, narrow: bool) -> Element:
    """The plots. Raises Unavailable."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        raise Unavailable from None
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it tells of its cache directory, which is nobody's worry
    series = fewer(series, NARROW_SLOTS if narrow else WIDE_SLOTS)
    seconds = series["slot_seconds"]
    total = seconds * len(series["rows"])
    unit, unit_name = next(((unit, name) for least, unit, name in _UNITS if total >= least), (1.0, "seconds"))
    edges = [seconds * at / unit for at in range(len(series["rows"]) + 1)]
    style: dict[Any, Any] = {
        "svg.fonttype": "none", "svg.hashsalt": "narrow" if narrow else "wide",
        "font.family": "sans-serif", "font.size": 11,
        "text.color": _COLOURS["ink"], "axes.labelcolor": _COLOURS["ink"], "axes.edgecolor": _COLOURS["line"],
        "xtick.color": _COLOURS["ink"], "ytick.color": _COLOURS["ink"], "grid.color": _COLOURS["line"],
        "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False,
    }  # fmt: skip
    with matplotlib.rc_context(style):
        figure = Figure(figsize=NARROW if narrow else WIDE, layout="constrained")
        shown = panels(series)
        for panel, axes in zip(shown, figure.subplots(len(shown), 1, sharex=True), strict=True):
            _draw(panel, axes, edges, narrow)
        axes.set_xlabel(f"{unit_name} since it was mounted")
        out = io.BytesIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _for_page(out.getvalue())


def _draw(panel: _Panel, axes: Any, edges: Sequence[float], narrow: bool) -> None:
    base = [0.0] * (len(edges) - 1)
    most = max((sum(slot) for slot in zip(*(values for _, _, values in panel.parts), strict=True)), default=0.0)
    scale, unit = byte_unit(most) if panel.is_bytes else (1, "")
    for label, colour, values in panel.parts:
        top = [a + b / scale for a, b in zip(base, values, strict=True)]
        axes.stairs(top, edges, baseline=base, fill=True, color=_COLOURS[colour], label=label)
        base = top
    title = f"{panel.title}, {unit} per second" if unit else f"{panel.title} per second"
    axes.set_title(title, loc="left", fontsize=12, pad=24 if narrow else 8)
    axes.set_ylim(0, most / scale * 1.05 or 1)
    axes.set_xlim(0, edges[-1] or 1)
    axes.grid(axis="y", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.locator_params(axis="y", nbins=4)
    # Above the plot, where it hides nothing: beside the title, or below that where there is no room.
    if narrow:
        axes.legend(ncols=2, borderaxespad=0.1, fontsize=9.5, bbox_to_anchor=(0.0, 1.0), loc="lower left")
    else:
        axes.legend(ncols=2, borderaxespad=0.1, fontsize=10, bbox_to_anchor=(1.0, 1.0), loc="lower right")


def _for_page(svg: bytes) -> Element:
    """What matplotlib has drawn, as a part of a page: without name spaces, styles and metadata of its own."""
    text = svg.decode()
    for name, colour in _COLOURS.items():
        text = text.replace(colour, f"var(--{name})")
    root = ElementTree.fromstring(_DIGITS.sub(r"\1", text))
    used = set(_REFERRED.findall(text))
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{_SVG}metadata", f"{_SVG}style"):
                parent.remove(child)
    for one in root.iter():
        one.tag = one.tag.removeprefix(_SVG)
        for key in list(one.attrib):
            if key.startswith(_XLINK):
                one.set("href", one.attrib.pop(key))
        if one.tag == "text":  # in the page's font
            one.set(
                "style", _FONT.sub(lambda found: f"font-size: {found[1]}" if found[1] else "", one.get("style", ""))
            )
        if one.get("id") not in used:  # two plots of one page have the same
            one.attrib.pop("id", None)
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    root.set("role", "img")
    root.set("stroke-linejoin", "round")
    return root

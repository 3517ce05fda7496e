"""The page as a whole: one file of HTML with all that it needs in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import listings, sections
from .elements import element, lines, written

# What the browser is told to load and run: nothing but what the page itself says about its looks.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page(document: Mapping[str, Any]) -> bytes:
    """The report's document as HTML."""
    parts = [
        *sections.head(document),
        *sections.over_time(document),
        *sections.savings(document),
        *sections.datasets(document),
        *sections.file_maps(document),
        *listings.waits(document),
        *listings.requests(document),
        *listings.listed(document),
        listings.foot(document),
    ]
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="robots", content="noindex"),
        element("title", f"Read through {document['mountpoint']}"),
        lines("style", (Path(__file__).parent / "style.css").read_text(encoding="utf-8")),
    )
    return written(element("html", head, element("body", *parts), lang="en"))

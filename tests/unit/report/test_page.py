"""The page: whole, without a network, and names in it are names, whatever they hold."""

from __future__ import annotations

import builtins
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from mountnd.report.page import maps
from mountnd.report.page.document import page
from mountnd.report.page.listings import ROWS
from mountnd.report.page.plots import fewer, panels
from mountnd.report.page.sections import MAPS

from .documents import HOSTILE, document, row, source, wait


class Parsed(HTMLParser):
    """What is in a page: tags with their attributes, and all text."""

    def __init__(self, html: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self._inside: list[str] = []
        self.feed(html.decode("utf-8"))
        self.close()
        assert self._inside == [], "each element ends"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in ("meta",):
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._inside.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._inside[-1:] != ["style"]:
            self.text += data


def test_hostile_names_are_text_and_nothing_else() -> None:
    evil = "</title><script>alert(1)</script><img src=x onerror=alert(1)>"
    said = dict.fromkeys(("Name", "License", "HowToAcknowledge"), evil) | {"DatasetDOI": f"10.1000/{evil}"}
    described = {"ds000001": json.dumps(said)}
    told = document(
        *(row(f"ds000001/{name}", etag=evil) for name in HOSTILE),
        datasets=described,
        sources=[
            source(
                url=f"s3://{evil}", preset={"name": "x", "title": evil, "home": "javascript:alert(1)", "citation": evil}
            )
        ],
        waits=[wait(where=evil, request_id=evil, error=evil, cause=evil)],
    )
    told["mountpoint"] = f"/mnt/{evil}"
    found = Parsed(page(told))
    tags = {tag for tag, _ in found.tags}
    assert not tags & {"script", "img", "iframe", "object", "embed", "link", "base", "form"}
    assert not [name for _, attributes in found.tags for name in attributes if name.startswith("on")]
    links = [attributes["href"] for tag, attributes in found.tags if tag == "a"]
    assert links and all(link.startswith("https://") for link in links)
    assert "<script>alert(1)</script>.txt" in found.text and "\\x1b[31m" in found.text and "\\udcff" in found.text
    assert "\u202e" not in found.text and "\x1b" not in found.text


def test_it_loads_nothing_and_forbids_itself_to() -> None:
    html = page(document(waits=[wait()])).decode()
    assert """content="default-src 'none'; style-src 'unsafe-inline'\"""" in html
    assert not re.findall(r"<(?:script|link|img|iframe)\b", html)
    assert not re.findall(r"url\((?!#)|@import|src=", html)
    references = re.findall(r'href="([^"]*)"', html)
    assert all(one.startswith(("#", "https://")) for one in references)


def test_ten_thousand_files_are_a_page_that_opens() -> None:
    scattered = tuple(bound for k in range(100) for bound in (k * 10, k * 10 + 5))
    rows = [row(f"ds000001/sub-{i:05d}/bold.nii", ranges=(scattered,) * 4) for i in range(MAPS)]
    rows += [row(f"ds000001/sub-{i:05d}/bold.nii", ranges=((0, 9), (), (), ())) for i in range(MAPS, 10_000)]
    told = document(*rows)
    html = page(told)
    assert len(html) < 2_000_000
    found = Parsed(html)
    strips = [attributes for tag, attributes in found.tags if attributes.get("class") == "strip"]
    assert len(strips) == MAPS
    assert f"And {10_000 - MAPS:,} files more" in found.text and f"{10_000 - ROWS:,} more are in the JSON" in found.text
    assert "Files (10,000)" in found.text and len(told["files"]) == 10_000


def test_an_empty_mount_is_a_page_too() -> None:
    from mountnd.report import collecting

    from .documents import Daemon

    told = collecting.collect(Daemon([], series=[], datasets={}))
    text = Parsed(page(told)).text
    assert "No file was opened yet." in text and "Nothing was counted yet." in text


def test_the_sections_say_what_was_read_saved_and_waited_for() -> None:
    text = Parsed(
        page(document(waits=[wait(), wait(what="listing", cause="names", status=0, request_id="", retries=0)]))
    ).text
    for said in (
        "What was read through /mnt/brains", "Balloon Analog Risk-taking Task", "10.18112/openneuro.ds000001.v1.0.0",
        "read in order: 500 B (50 %)", "1.50 s", "HTTP 206, after 2 failed attempts, request ABC123",
        "names from the source", "the owner of the bucket, not you", "$0.0004 for 1,000 GETs", '"SourceDatasets"',
        "mountnd report /mnt/brains --format json",
    ):  # fmt: skip
        assert said in text


def test_what_is_a_lower_bound_is_called_one() -> None:
    text = Parsed(page(document(datasets={}))).text
    assert "at least 48.8 KiB" in text and "this is a lower bound" in text
    assert "lower bound" not in Parsed(page(document())).text


def test_without_matplotlib_the_rest_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] == "matplotlib":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    text = Parsed(page(document())).text
    assert "mountnd[report]" in text and "Which parts of the files" in text


def test_strips_show_the_smallest_range_and_stay_inside() -> None:
    assert maps.path([[0, 1], [999_999, 1_000_000]], 1_000_000, 0) == "M0 0h2v10h-2zM998 0h2v10h-2z"
    assert maps.path([[0, 5], [6, 10]], 10, 12) == "M0 12h500v10h-500zM600 12h400v10h-400z"
    assert maps.path([[0, 5], [5, 10]], 10, 0) == "M0 0h1000v10h-1000z"


def test_plots_have_a_slot_for_every_so_many_and_lose_nothing() -> None:
    series = document(series=[[i, i, 0, 2 * i, 1, 0, 0] for i in range(1000)])["over_time"]
    shorter = fewer(series, 120)
    assert len(shorter["rows"]) <= 120
    asked = next(panel for panel in panels(shorter) if panel.title.startswith("Asked"))
    per_second = [sum(values) for values in zip(*(part for _, _, part in asked.parts), strict=True)]
    assert sum(per_second) * shorter["slot_seconds"] == pytest.approx(sum(range(1000)))

"""The report's page in a real browser: it renders, says nothing in the console, asks for nothing, its plots show."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from mountnd.report.page.document import page
from tests.support import cli
from tests.support.chromium import Chromium, chromium, program
from tests.support.cli import run_mountnd
from tests.support.quirky import quirky_server
from tests.unit.report.documents import HOSTILE, document, row, wait

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(program() is None, reason="chromium is not installed")]

BODY = os.urandom(1 << 20) * 3
KEYS = ("ds000001/dataset_description.json", "ds000001/sub-01/a.nii", "ds000001/<img src=x onerror=alert(1)>.txt")
# How many shapes with an area there are in each plot, and whether it lies in what is shown.
MARKS = """[...document.querySelectorAll("SELECTOR")].map(plot => [...plot.querySelectorAll("path, rect, use")]
    .filter(one => { const box = one.getBBox(); return box.width > 0 && box.height > 0
        && getComputedStyle(one).fill != "none"; }).length)"""


class Shown(NamedTuple):
    browser: Chromium
    page: Path


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture(scope="module")
def of_a_mount(browser: Chromium, tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """The page of a mount that was read."""
    place = tmp_path_factory.mktemp("report").resolve()
    with quirky_server() as server, cli.mountpoint(place / "mnt") as where:
        server.hold({KEYS[0]: b'{"Name": "n"}', KEYS[1]: BODY, KEYS[2]: b"x"})
        done = run_mountnd(
            "s3://bkt", where, "--endpoint-url", server.url, "--anonymous", "--cache-dir", place / "cache"
        )
        assert done.returncode == 0, done.stderr
        for key in KEYS:
            (where / key).read_bytes()
        done = run_mountnd("report", where, "-o", place / "report.html")
        assert done.returncode == 0, done.stderr
    browser.console.clear()
    browser.open(f"file://{place}/report.html")
    return Shown(browser, place / "report.html")


def test_it_renders_without_a_word_or_a_request(of_a_mount: Shown) -> None:
    browser, path = of_a_mount
    assert browser.run("document.readyState") == "complete"
    assert str(browser.run("document.title")).startswith("Read through /")
    assert browser.requests == [f"file://{path}"]
    assert browser.console == []
    assert browser.run("document.querySelectorAll('script, img, iframe').length") == 0
    headings = browser.run("[...document.querySelectorAll('h2')].map(one => one.textContent)")
    assert headings == [
        "Over time", "Instead of a download", "Datasets", "Which parts of the files", "The longest waits",
        "Requests and their price", "What was read, to cite it and to get it again",
    ]  # fmt: skip


@pytest.mark.parametrize(("width", "shown"), [(1200, "wide"), (400, "narrow")])
def test_every_plot_has_marks(of_a_mount: Shown, width: int, shown: str) -> None:
    browser, _ = of_a_mount
    browser.look(width=width)
    over_time = browser.run(MARKS.replace("SELECTOR", f".plot svg.{shown}"))
    assert len(over_time) == 1 and over_time[0] > 10
    hidden = {"wide": "narrow", "narrow": "wide"}[shown]
    assert browser.run(f"getComputedStyle(document.querySelector('.plot svg.{hidden}')).display") == "none"
    strips = browser.run(MARKS.replace("SELECTOR", "svg.strip"))
    assert len(strips) == 3 and all(count >= 4 for count in strips), "two grounds, what was read, what was fetched"
    bars = browser.run(MARKS.replace("SELECTOR", "svg.bar"))
    assert len(bars) == 4 and all(count == 2 for count in bars)
    assert browser.run("document.documentElement.scrollWidth") <= width, "nothing but tables is wider than the page"


def test_dark_and_light_have_their_colours(of_a_mount: Shown) -> None:
    browser, _ = of_a_mount
    seen = []
    for dark in (False, True):
        browser.look(width=1200, dark=dark)
        ink = "getComputedStyle(document.querySelector('.plot svg.wide text')).fill"
        seen.append((browser.run("getComputedStyle(document.body).backgroundColor"), browser.run(ink)))
    assert seen[0] != seen[1] and seen[0][0] == "rgb(255, 255, 255)"
    assert all(paper != ink for paper, ink in seen)


def test_hostile_names_run_nothing(browser: Chromium, tmp_path: Path) -> None:
    """Nor would they if they had become elements: the page's policy forbids it."""
    evil = (
        "</title></style></pre><script>document.title='pwned'</script><img src='http://127.0.0.1:9/x' onerror=alert(1)>"
    )
    told = document(*(row(f"ds000001/{name}") for name in (*HOSTILE, evil)), waits=[wait(where=evil, error=evil)])
    told["mountpoint"] = evil
    path = tmp_path / "hostile.html"
    path.write_bytes(page(told))
    browser.console.clear()
    browser.open(f"file://{path}")
    assert browser.requests == [f"file://{path}"] and browser.console == []
    assert browser.run("document.title") != "pwned" and browser.run("document.querySelectorAll('img').length") == 0
    shown = browser.run("[...document.querySelectorAll('.map .path')].map(one => one.textContent)")
    assert f"ds000001/{evil}" in shown and "ds000001/<script>alert(1)</script>.txt" in shown
    path.write_bytes(page(told).replace(b"<footer>", b"<script>document.title='pwned'</script><footer>"))
    browser.open(f"file://{path}")
    assert browser.run("document.title") != "pwned" and any(
        "Content Security Policy" in said for said in browser.console
    )


def test_ten_thousand_files_open(browser: Chromium, tmp_path: Path) -> None:
    told = document(*(row(f"ds000001/sub-{i:05d}/bold.nii") for i in range(10_000)))
    path = tmp_path / "many.html"
    path.write_bytes(page(told))
    browser.console.clear()
    browser.open(f"file://{path}")
    assert browser.console == [] and browser.run("document.querySelectorAll('*').length") < 10_000

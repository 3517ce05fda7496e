"""At 60, 80 and 120 columns no line is wider than the terminal, and no word is broken; colours mean something."""

from __future__ import annotations

import re
import shlex
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from rich.cells import cell_len

from tests.support import terminal, views
from tests.support.terminal import Call, Seen
from tests.support.views import VIEWS, WIDTHS

pytestmark = pytest.mark.kernel

# As wide as no terminal is: nothing needs to be broken there.
WIDE = 2000
# A word longer than this, or with a slash, is a path, a URL or a key: where a column is too narrow it may go on behind
# one of these.
LONG = 24
MARKS = "/,;:&?=_.|@+-"

Views = Mapping[tuple[str, int], Seen]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Views]:
    """Every view at every width."""
    with views.place(tmp_path_factory.mktemp("views").resolve()) as place:
        keys = [(name, width) for name in VIEWS for width in (*WIDTHS, WIDE)]
        calls = [Call(shlex.split(VIEWS[name].format(**place.words)), width) for name, width in keys]
        yield dict(zip(keys, terminal.run(calls, place.env), strict=True))


def words(text: str) -> set[str]:
    """The words of a view. All numbers count as one: sizes and times change from one call to the next."""
    return {re.sub(r"\d+", "0", word) for word in text.split()}


def is_part(part: str, word: str) -> bool:
    """Whether `part` is a piece of a long word, cut behind marks only."""
    at = word.find(part)
    return (
        (len(word) > LONG or "/" in word)
        and at >= 0
        and (at == 0 or word[at - 1] in MARKS)
        and (at + len(part) == len(word) or part[-1] in MARKS)
    )


@pytest.mark.parametrize("name", VIEWS)
def test_no_line_is_wider_than_the_terminal_and_no_word_is_broken(name: str, seen: Views) -> None:
    wide = words(seen[name, WIDE].text)
    for width in WIDTHS:
        text = seen[name, width].text
        assert seen[name, width].code == seen[name, WIDE].code
        assert not [line for line in text.splitlines() if cell_len(line) > width]
        broken = {word for word in words(text) - wide if not any(is_part(word, whole) for whole in wide)}
        assert broken <= {"\\"}, (width, text)
        assert words(text), "it shows something"


def test_what_is_said_is_the_same_at_all_widths(seen: Views) -> None:
    for name in ("preset-hcp", "error-no-source", "error-nothing-there", "mounted-already", "mount-help"):
        flat = {"".join(seen[name, width].text.split()) for width in WIDTHS}
        assert len(flat) == 1, name


def test_colours_mean_something(seen: Views) -> None:
    doctor, presets = seen["doctor-bad", 80].coloured, seen["presets", 80].coloured
    assert "\x1b[32mok" in doctor
    assert re.search(r"\x1b\[31m(\x1b\[1m)?bad", doctor)
    assert "\x1b[32mpublic" in presets and "\x1b[33mkeys" in presets
    assert re.match(r"\x1b\[31m(\x1b\[1m)?mountnd:", seen["error-no-source", 80].coloured)


def test_no_colour_where_it_is_not_wanted() -> None:
    plain = terminal.run([Call(["presets"], 80, {"NO_COLOR": "1"}), Call(["presets"], 80, {"TERM": "dumb"})], {})
    assert not any("\x1b" in seen.raw for seen in plain)


def test_presets_are_grouped(seen: Views) -> None:
    lines = seen["presets", 80].text.splitlines()
    first, more = lines.index("Featured"), lines.index("More")
    assert more - first == 6 + 2  # with the empty line above a heading
    assert lines[first - 1] == lines[more - 1] == ""


def amount(text: str, label: str) -> float:
    """Bytes of a line of `stats`, in KiB."""
    found = re.search(rf"^ *{re.escape(label)} +([\d.]+) (B|KiB|MiB)\b", text, re.MULTILINE)
    assert found, text
    return float(found[1]) * {"B": 1 / 1024, "KiB": 1, "MiB": 1024}[found[2]]


def test_stats_add_up(seen: Views) -> None:
    text = seen["stats", 80].text
    total = amount(text, "read by programs")
    assert total > 680
    assert amount(text, "at once, from memory") + amount(text, "after waiting for it") == pytest.approx(total, abs=0.2)
    loaded = amount(text, "brought into memory")
    assert amount(text, "from the disk cache") + amount(text, "fetched from the source") == pytest.approx(
        loaded, abs=0.2
    )
    assert re.search(r"since \d{4}-\d\d-\d\d \d\d:\d\d \(\d", " ".join(text.split()))
    assert re.search(r"fetched from the source .* [\d.]+ .?i?B/s", text)
    assert re.search(r"failed GETs, seen by programs +0", text)


def test_the_cache_is_listed_by_data_set_with_totals(seen: Views) -> None:
    rows = [line.split() for line in seen["cache", 80].text.splitlines() if " " in line]
    found = {row[0]: row[1] for row in rows if len(row) > 1 and row[1].isdigit() and not row[0].endswith(":")}
    assert found == {"ds000001": "2", "ds000002": "1", "data/Projects/ABIDE": "1", "Total": "4"}
    objects = seen["cache-objects", 80].text
    assert "participants.tsv" not in objects and "dataset_description.json" in objects and "Total" in objects


def test_a_line_tells_what_is_waited_for_and_goes_again(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and never says a word
        at = ["--endpoint-url", f"http://127.0.0.1:{silent.getsockname()[1]}", "--anonymous", "--timeout", "2.5"]
        mount = ["s3://bkt", str(tmp_path / "mnt"), *at]
        doctor = ["doctor", "s3://bkt", *at]
        calls = [Call(words, 80) for words in ([*doctor, "-q"], doctor, mount, [*mount, "--foreground"])]
        quiet, asked, *mounted = terminal.run(calls, {"HOME": str(tmp_path)})
    assert quiet.code == 1 and "Asking" not in quiet.raw and "bad" in quiet.text
    for seen, said in ((asked, "Asking s3://bkt ..."), *((seen, "Connecting to s3://bkt ...") for seen in mounted)):
        assert seen.code == 1
        assert re.search(rf"\r\x1b\[K{re.escape(said)} [1-9] s", seen.raw), seen.raw
        assert said not in seen.text

"""Where lines break and how wide columns are, for any text and width."""

from __future__ import annotations

import shlex
import subprocess

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from mountnd.cli import layout

WORDS = st.lists(st.text("abcdefgh0123-/.'\"é漢", min_size=1, max_size=30), max_size=12)
WIDTHS = st.integers(8, 60)


@given(WORDS, WIDTHS, st.sampled_from(["", "  ", "    "]))
def test_wrapped_text_is_whole_and_narrow(words: list[str], width: int, indent: str) -> None:
    text = " ".join(words)
    lines = layout.wrap(text, width, indent)
    assert all(cell_len(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(words)
    said = {word for line in lines for word in line.split()}
    assert {word for word in words if cell_len(word) <= width - len(indent)} <= said


def test_a_url_is_broken_behind_a_slash() -> None:
    url = "https://example.org/storage/app/media/Data-Use-Terms-2013.pdf"
    assert layout.wrap(f"see {url}", 40) == ["see", "https://example.org/storage/app/media/", "Data-Use-Terms-2013.pdf"]
    assert layout.break_word("Data-Use-Terms-2013.pdf", 12) == ["Data-Use-", "Terms-2013.", "pdf"]


def test_what_is_copied_stays_in_one_line_where_it_fits() -> None:
    text = "/data/brains is ready. To end it: mountnd umount /data/brains"
    assert layout.wrap(text, 40) == ["/data/brains is ready. To end it:", "mountnd umount /data/brains"]
    assert (
        layout.wrap("store the keys with `aws configure --profile hcp` now", 32)[1] == "`aws configure --profile hcp`"
    )


@given(st.lists(st.text("abc -/'$\\", min_size=1, max_size=20), min_size=1, max_size=8), WIDTHS)
def test_a_command_in_several_lines_is_the_same_command(words: list[str], width: int) -> None:
    lines = layout.command(shlex.join(words), width, "  ")
    assert shlex.split("\n".join(lines).replace("\\\n", "")) == words  # which shlex, unlike a shell, leaves there


def test_a_shell_takes_such_a_command_together() -> None:
    lines = layout.command("printf %s, 'a b' cccccccccccc dddddddddddd eeeeeee", 24)
    assert len(lines) > 1
    assert subprocess.run(["sh", "-c", "\n".join(lines)], capture_output=True, text=True, check=True).stdout == (
        "a b,cccccccccccc,dddddddddddd,eeeeeee,"
    )


@given(st.lists(WORDS, min_size=1, max_size=5), st.integers(20, 120), st.sets(st.integers(0, 4)))
def test_columns_fit(columns: list[list[str]], width: int, whole: set[int]) -> None:
    cells = [[" ".join(words), *words] for words in columns]
    widths = layout.column_widths(cells, width, whole)
    if widths is not None:
        assert sum(widths) + layout.GAP * (len(widths) - 1) <= width
        assert all(w <= max(map(cell_len, column)) for w, column in zip(widths, cells, strict=True))


def test_the_widest_column_gives_way_and_numbers_stay_whole() -> None:
    cells = [["openneuro"], ["a title of several words that may be broken"], ["2.9 MiB"]]
    assert layout.column_widths(cells, 40) == [9, 20, 7]
    path = [["sub-01/anat/sub-01_T1w.nii.gz"], ["2.9 MiB"], ["today 06:19"]]
    assert layout.column_widths(path, 40, {1, 2}) == [18, 7, 11]
    assert layout.column_widths([["x" * 30], ["y" * 30]], 20) is None


def test_advice_is_a_command_with_its_remark_or_prose() -> None:
    typed = "sudo install -d -o $USER -m 0700 /data/cache   (or choose another: --cache-dir DIR)"
    assert layout.advice(typed, 90, "  ") == [f"  {typed}"]
    assert layout.advice(typed, 40, "  ") == [
        "  sudo install -d -o $USER -m 0700 \\",
        "    /data/cache",
        "  (or choose another: --cache-dir DIR)",
    ]
    prose = "ask the data's owner for new links, and pass the file with --urls FILE"
    assert not any("\\" in part for part in layout.advice(prose, 30))
    assert " ".join(layout.advice(prose, 30)) == prose

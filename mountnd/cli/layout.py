"""Where lines break, and how wide the columns of a table are. Pure: text and widths in, text out.

Widths are in columns of a terminal; a character may take two. A word is broken only where it is wider than a whole line
or column, and then at a mark of punctuation where it has one: such a word is a path or a URL.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

# After these a path, a URL or a key may go on in the next line; rather after a slash.
_SEGMENTS = re.compile(r"[^/]*/+|[^/]+")
_PARTS = re.compile(r"[^/,;:&?=_.|@+-]*[/,;:&?=_.|@+-]+|[^/,;:&?=_.|@+-]+")
# Words of a shell command, quoted ones as a whole.
_SHELL_WORDS = re.compile(r"(?:'[^']*'|\"[^\"]*\"|[^\s'\"]|['\"])+")
# What a person may copy is kept in one line where it fits: `quoted`, or a command behind a colon.
_PROGRAMS = r"(?:mountnd|sudo|kill|export|pip|aws|curl|apt-get|modprobe|fusermount3)"
_COPIED = re.compile(rf"`[^`]+`|(?<=: ){_PROGRAMS} [^;()]*")
_KEPT = "\0"

GAP = 2


def cell_len(text: str) -> int:
    """Columns of a terminal that `text` takes."""
    if text.isascii():
        return len(text)
    from rich import cells  # slow to import, and for `--help` never needed

    return cells.cell_len(text)


def chop_cells(text: str, width: int) -> list[str]:
    """`text` in parts of at most `width` columns, cut anywhere."""
    if text.isascii():
        return [text[at : at + width] for at in range(0, len(text), width)]
    from rich import cells

    return cells.chop_cells(text, width)


def wrap(text: str, width: int, indent: str = "") -> list[str]:
    """`text` in lines of at most `width`, broken between words; all but the first begin with `indent`."""
    if cell_len(text) <= width:
        return [text]
    lead = text[: len(text) - len(text.lstrip(" "))]
    kept = _COPIED.sub(lambda found: _joined(found[0], width - len(indent)), text)
    lines: list[str] = []
    line = lead
    for word in kept.split():
        word = word.replace(_KEPT, " ")
        empty = line == (indent if lines else lead)
        if not empty and cell_len(line) + 1 + cell_len(word) <= width:
            line += f" {word}"
            continue
        if not empty:
            lines.append(line)
            line = indent
        *whole, rest = break_word(word, width - max(len(line), len(indent)))
        for part in whole:
            lines.append(line + part)
            line = indent
        line += rest
    return [*lines, line]


def _joined(copied: str, width: int) -> str:
    return copied.rstrip().replace(" ", _KEPT) + copied[len(copied.rstrip()) :] if cell_len(copied) <= width else copied


def break_word(word: str, width: int) -> list[str]:
    """A word in parts of at most `width`, at least 1; one part where it fits."""
    width = max(1, width)
    if cell_len(word) <= width:
        return [word]
    parts = [""]
    for part in _parts(word, width):
        if cell_len(parts[-1]) + cell_len(part) <= width:
            parts[-1] += part
        else:
            parts.append(part)
    return [part for part in parts if part] or [word]


def _parts(word: str, width: int) -> Iterator[str]:
    """The largest parts of a word that fit into `width`."""
    for segment in _SEGMENTS.findall(word):
        if cell_len(segment) <= width:
            yield segment
            continue
        for part in _PARTS.findall(segment):
            yield from [part] if cell_len(part) <= width else chop_cells(part, width)


def command(text: str, width: int, indent: str = "") -> list[str]:
    """A shell command in lines of at most `width` where its words allow that, as a shell takes them together again."""
    if cell_len(indent) + cell_len(text) <= width:
        return [indent + text]
    lines, line = [], indent
    for word in _SHELL_WORDS.findall(text):
        if line.strip() and cell_len(line) + 1 + cell_len(word) > width - 2:
            lines.append(f"{line} \\")
            line = f"{indent}  {word}"
        else:
            line = f"{line} {word}" if line.strip() else line + word
    return [*lines, line]


def advice(text: str, width: int, indent: str = "") -> list[str]:
    """What to do, in lines of at most `width`: a command, perhaps with a remark in parentheses behind it, or prose."""
    typed, _, remark = text.partition("   (")
    if cell_len(indent) + cell_len(text) <= width or not re.match(rf"{_PROGRAMS} ", typed):
        return wrap(indent + text, width, indent)
    lines = command(typed, width, indent)
    return [*lines, *wrap(f"{indent}({remark}", width, indent)] if remark else lines


def column_widths(columns: Sequence[Sequence[str]], width: int, whole: Collection[int] = ()) -> list[int] | None:
    """How wide each column of a table of `width` is, GAP between them; None where a table cannot be that narrow.

    The widest give way first, as far as their words allow; where that is not enough, words are broken at punctuation,
    and only then cells of the columns `whole` (numbers with their units) take several lines.
    """
    widest = [max(map(cell_len, column), default=0) for column in columns]
    room = width - GAP * (len(columns) - 1)
    words, parts = _longest_words(columns), _longest_parts(columns)
    for at_least, kept in ((words, whole), (parts, whole), (words, ()), (parts, ())):
        least = [widest[at] if at in kept else n for at, n in enumerate(at_least)]
        if sum(least) > room:
            continue
        widths = list(widest)
        while sum(widths) > room:
            at = max((i for i in range(len(widths)) if widths[i] > least[i]), key=lambda i: (widths[i], i))
            widths[at] -= 1
        return widths
    return None


def _longest_words(columns: Sequence[Sequence[str]]) -> list[int]:
    return [max((cell_len(word) for cell in column for word in cell.split()), default=0) for column in columns]


def _longest_parts(columns: Sequence[Sequence[str]]) -> list[int]:
    def parts(column: Sequence[str]) -> Iterator[int]:
        for cell in column:
            yield from (cell_len(part) for word in cell.split() for part in _PARTS.findall(word))

    # A column that is nothing but long numbers or hashes may be cut anywhere, rather than all tables come apart.
    return [min(max(parts(column), default=0), 24) for column in columns]


def cut(text: str, width: int) -> str:
    """The beginning of `text`, at most `width` wide, with dots where something is missing."""
    return text if cell_len(text) <= width else chop_cells(text, max(1, width - 3))[0] + "..."


def padded(text: str, width: int, *, right: bool = False) -> str:
    """`text` with spaces up to `width`."""
    space = " " * max(0, width - cell_len(text))
    return space + text if right else text + space

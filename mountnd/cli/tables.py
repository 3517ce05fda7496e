"""Tables and labelled lines, at the width of the terminal, 80 columns where there is none.

All views have this one style: no boxes, headings in bold, columns two spaces apart. Cells are plain text, or a `Cell`
with a style that means something. Where a terminal is too narrow for a table, each row becomes labelled lines.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

import click

from ..foreign_text import line
from . import layout, terminal


class Cell(NamedTuple):
    """A cell with a style of `terminal.paint`: ok, warn, bad, head, aside."""

    text: str
    style: str = ""


class Group(NamedTuple):
    """In place of a row: an empty line and a heading above the rows that follow, where it has a title."""

    title: str


Row = Sequence[str | Cell]


def total(*cells: str) -> Row:
    """A row of sums, which stands out."""
    return [Cell(cell, "head") for cell in cells]


def show(
    head: Sequence[str],
    rows: Iterable[Row | Group],
    *,
    title: str = "",
    right: Collection[int] = (),
    whole: Collection[int] = (),
) -> None:
    """Print a table; cells wrap, and are taken as plain text, as headings are: neither markup nor controls act.

    Args:
        right: indexes of the columns that stand flush right, as numbers do; their cells take one line.
        whole: indexes of other columns whose cells take one line.
    """
    width = terminal.width()
    heads = [Cell(line(cell), "head") for cell in head]
    safe = [row if isinstance(row, Group) else [_cell(cell) for cell in row] for row in rows]
    data = [row for row in safe if not isinstance(row, Group)]
    columns = [[row[at].text for row in ([heads, *data])] for at in range(len(heads))]
    widths = layout.column_widths(columns, width, {*right, *whole})
    for part in layout.wrap(line(title), width) if title else ():
        _echo(terminal.paint(part, "head"))
    if widths is None:
        _stacked(heads, safe, width)
        return
    _row(heads, widths, right)
    for row in safe:
        if isinstance(row, Group):
            _group(row, width)
        else:
            _row(row, widths, right)


def details(rows: Iterable[tuple[str, str | Cell]]) -> None:
    """Print labelled lines; those without a text are left out."""
    shown = [(Cell(line(label), "head"), cell) for label, text in rows if (cell := _cell(text)).text]
    _labelled(shown, terminal.width())


def commands(*typed: str, indent: str = "  ") -> None:
    """Print commands, to be copied: at a terminal too narrow for one it goes on behind a backslash."""
    narrow = terminal.is_terminal(1)
    for text in typed:
        for part in layout.command(line(text), terminal.width(), indent) if narrow else [indent + line(text)]:
            _echo(part)


def item(label: Cell, text: str, indent: str) -> None:
    """Print a text behind its label; its further lines begin with `indent`, which is wider than the label.

    It breaks at a terminal only, as with `streams.show`: elsewhere a line is what is searched for.
    """
    width = terminal.width() - len(indent)
    _behind(label, layout.wrap(line(text), width) if terminal.is_terminal(1) else [line(text)], indent)


def advice(text: str, indent: str, label: Cell) -> None:
    """Print what to do about something behind a label, as `item`: a command to be copied (see `commands`), or prose."""
    width = terminal.width() - len(indent)
    _behind(label, layout.advice(line(text), width) if terminal.is_terminal(1) else [line(text)], indent)


def remedy(what: str, typed: str) -> None:
    """Print a sentence and the command that goes with it, if any: on lines of its own where both are too long."""
    text = line(f"{what}: {typed}" if typed else what)
    if not terminal.is_terminal(1) or layout.cell_len(text) <= terminal.width():
        _echo(text)
        return
    for part in layout.wrap(line(f"{what}:" if typed else what), terminal.width(), "  "):
        _echo(part)
    if typed:
        commands(typed)


def _behind(label: Cell, parts: Sequence[str], indent: str) -> None:
    head = terminal.paint(label.text, label.style) + indent[len(label.text) :]
    for at, part in enumerate(parts):
        _echo((indent if at else head) + part)


def fits(head: Sequence[str], rows: Iterable[Sequence[str]]) -> bool:
    """Whether a table of this has all of its cells in one line."""
    widest = (max(layout.cell_len(line(cell)) for cell in column) for column in zip(head, *rows, strict=True))
    return sum(widest) + layout.GAP * (len(head) - 1) <= terminal.width()


def tree(top: str, below: Iterable[tuple[int, bool, str, str]]) -> None:
    """Print a directory tree, as tree(1) does.

    Args:
        below: in the order of a walk: depth (0: in `top`), whether it is the last in its directory, name, a remark.
    """
    _echo(terminal.paint(line(top), "head"))
    open_above: list[bool] = []  # by depth: whether more follow
    width = terminal.width()
    for depth, last, name, remark in below:
        open_above[depth:] = [not last]
        stem = "".join("│   " if more else "    " for more in open_above[:-1]) + ("└── " if last else "├── ")
        for part in layout.wrap(f"{line(name)}  {line(remark)}".rstrip(), max(10, width - len(stem))):
            _echo(stem + part)
            stem = stem[:-4] + ("    " if last else "│   ")


def _cell(cell: str | Cell) -> Cell:
    return Cell(line(cell.text), cell.style) if isinstance(cell, Cell) else Cell(line(cell))


def _row(cells: Sequence[Cell], widths: Sequence[int], right: Collection[int] = ()) -> None:
    """Print one row: as many lines as its highest cell has."""
    parts = [
        layout.wrap(cell.text, width, " " * (len(cell.text) - len(cell.text.lstrip(" "))))
        for cell, width in zip(cells, widths, strict=True)
    ]
    gap = " " * layout.GAP
    for at in range(max(map(len, parts))):
        texts = [part[at] if at < len(part) else "" for part in parts]
        while texts and not texts[-1]:
            texts.pop()
        _echo(
            gap.join(
                terminal.paint(layout.padded(text, width, right=i in right), cell.style)
                if i < len(texts) - 1 or i in right
                else terminal.paint(text, cell.style)
                for i, (text, width, cell) in enumerate(zip(texts, widths, cells, strict=False))
            )
        )


def _labelled(rows: Sequence[tuple[Cell, Cell]], width: int) -> None:
    columns = [[label.text for label, _ in rows], [cell.text for _, cell in rows]]
    widths = layout.column_widths(columns, width)
    if widths is None:  # nothing but very long labels
        widths = [width // 2 - layout.GAP, width // 2]
    for row in rows:
        _row(row, widths)


def _stacked(heads: Sequence[Cell], rows: Iterable[Sequence[Cell] | Group], width: int) -> None:
    """Each row as labelled lines, an empty line after it."""
    for row in rows:
        if isinstance(row, Group):
            _group(row, width)
            continue
        _labelled([(head, cell) for head, cell in zip(heads, row, strict=True) if cell.text], width)
        _echo("")


def _group(group: Group, width: int) -> None:
    _echo("")
    for part in layout.wrap(line(group.title), width) if group.title else ():
        _echo(terminal.paint(part, "head"))


def _echo(text: str) -> None:
    click.echo(text.rstrip())  # spaces at its end are what copying and comparing trip over

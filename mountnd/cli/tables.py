"""Tables and labelled lines, at the width of the terminal, 80 columns where there is none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import click

from ..foreign_text import line


def show(head: Sequence[str], rows: Iterable[Sequence[str]], *, title: str = "") -> None:
    """Print a table; cells wrap, and are taken as plain text, as headings are: neither markup nor controls act."""
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(line(title)) if title else None, title_justify="left", box=None, pad_edge=False, header_style="bold"
    )
    for column in head:
        table.add_column(Text(line(column)), overflow="fold")
    for row in rows:
        table.add_row(*(Text(line(cell)) for cell in row))
    _print(table)


def details(rows: Iterable[tuple[str, str]]) -> None:
    """Print labelled lines; those without a text are left out."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in rows:
        if text:
            table.add_row(Text(line(label)), Text(line(text)))
    _print(table)


def _print(table: Any) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    with console.capture() as capture:
        console.print(table)
    for row in capture.get().splitlines():
        click.echo(row.rstrip())  # rich fills every line with spaces, which copying and comparing trip over

"""`mountnd help [TOPIC]`: the pages that come with the program, and the help of each verb."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click

from ...config.parsers import did_you_mean
from ...errors import UsageError
from .. import streams, tables
from ..flags import TableCommand

# What such a page says of itself, in a comment.
_REFERENCE = "<!-- reference -->"
_PAGES = Path(__file__).parents[2] / "help"
# Lines that are longer are hard to read.
_WIDTH = 100
_TABLE = re.compile(r"(?:^\|.*\n)+", re.MULTILINE)
_CELL = re.compile(r"(?<!\\)\|")
_LINK = re.compile(r"\[([^\]]*)\]\(([a-z-]+)\.md(?:#[^)]*)?\)")
# What makes text of a cell bold or code, and takes no place.
_MARKS = re.compile(r"[`*\\]")
# Between columns, and at the edges.
_GAP = 3
_COMMENT = re.compile(r"[ \t]*<!--.*?-->", re.DOTALL)


class Topic(NamedTuple):
    """A page: its title, and whether it is for who wants to know how things work or are defined."""

    title: str
    is_reference: bool


def topics() -> dict[str, Topic]:
    """The pages by name."""
    found = {}
    for path in sorted(_PAGES.glob("*.md")):
        page = path.read_text(encoding="utf-8")
        first = next((line for line in page.splitlines() if line.startswith("# ")), "")
        found[path.stem] = Topic(first.removeprefix("# ").strip(), _REFERENCE in page)
    return found


def files() -> dict[str, Path]:
    """What pages refer to and programs read, by its path below the pages: manifests of Kubernetes, a Dockerfile."""
    return {str(path.relative_to(_PAGES)): path for path in sorted(_PAGES.glob("*/*"))}


def _complete(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    return [word for word in (*topics(), *files(), *_group(ctx).list_commands(ctx)) if word.startswith(incomplete)]


@click.command(cls=TableCommand)
@click.argument("topic", required=False, shell_complete=_complete)
@click.pass_context
def help(ctx: click.Context, topic: str | None) -> None:
    """Show a page of the manual, or the help of a verb; without TOPIC: what there is.

    Pages are shown in your pager (PAGER, else less) where the output is a terminal.
    Files that they name (k8s/daemonset.yaml, docker/Dockerfile) are printed as
    they are: mountnd help k8s/daemonset.yaml > daemonset.yaml
    """
    if topic is None:
        pages = topics()
        tables.show(
            ["Page", "What it is about"], [(n, page.title) for n, page in pages.items() if not page.is_reference]
        )
        streams.show("")
        reference = ", ".join(n for n, page in pages.items() if page.is_reference)
        tables.details(
            [
                ("Reference pages", reference),
                ("To read one", "mountnd help PAGE"),
                ("A verb's own help", "mountnd help VERB"),
            ]
        )
        return
    name = topic.lower().removesuffix(".md")
    group, pages, others = _group(ctx), topics(), files()
    if topic in others:
        streams.show_as_it_is(others[topic].read_text(encoding="utf-8").rstrip("\n"))
    elif name in pages:
        text = (_PAGES / f"{name}.md").read_text(encoding="utf-8")
        streams.page(_rendered(readable(text)))
    elif (command := group.get_command(ctx, name)) is not None:
        with command.context_class(command, info_name=name, parent=ctx.parent) as context:
            streams.show_as_it_is(command.get_help(context))
    else:
        known = [*pages, *others, *group.list_commands(ctx)]
        raise UsageError(f"{topic}: no such page or verb{did_you_mean(name, known)} (`mountnd help` lists them)")


def _group(ctx: click.Context) -> click.Group:
    root = ctx.find_root().command
    assert isinstance(root, click.Group)
    return root


def readable(page: str) -> str:
    """A page as it is to be read: without comments, which name the tests that hold its sentences, and with the command
    that shows another page in place of a link to it. Pure."""
    return _LINK.sub(lambda link: _shown(link[1], link[2]), _COMMENT.sub("", page))


def _shown(text: str, page: str) -> str:
    command = f"`mountnd help {page}`"
    return command if " " not in text else f"{text} ({command})"


def _rendered(page: str) -> Iterator[str]:
    from rich.console import Console
    from rich.markdown import Markdown

    colours: dict[str, Any] = {} if sys.stdout.isatty() else {"color_system": None}
    console = Console(highlight=False, force_terminal=sys.stdout.isatty(), **colours)
    console.width = min(console.width, _WIDTH)
    with console.capture() as capture:
        console.print(Markdown(with_narrow_tables(page, console.width), hyperlinks=False))
    for line in capture.get().splitlines():
        yield line.rstrip() + "\n"


def with_narrow_tables(page: str, width: int) -> str:
    """`page` with a list in place of each table that would have a word broken to fit into `width`. Pure."""
    return _TABLE.sub(lambda table: _narrow(table[0].splitlines(), width), page)


def _narrow(lines: list[str], width: int) -> str:
    head, _, *rows = [[cell.strip() for cell in _CELL.split(line.strip().strip("|"))] for line in lines]
    if _fits([[_MARKS.sub("", cell) for cell in column] for column in zip(head, *rows, strict=False)], width):
        return "\n".join(lines) + "\n"
    told = []
    for first, *others in rows:
        named = (f"{name}: {cell}" if name else cell for name, cell in zip(head[1:], others, strict=False) if cell)
        told.append(f"- {first}: {'; '.join(named)}".replace("\\|", "|"))
    return "\n".join(told) + "\n"


def _fits(columns: list[list[str]], width: int) -> bool:
    """Whether rich, which makes the widest columns narrower until all is in, breaks no word of the cells."""
    whole = [max(map(len, column)) for column in columns]
    room = width - _GAP * len(columns)
    widest = next((w for w in range(max(whole), 0, -1) if sum(min(w, most) for most in whole) <= room), 0)
    return all(len(word) <= widest for column in columns for cell in column for word in cell.split())

"""From a Markdown page to its fenced blocks, each with the mark that says what a test makes of it.

The mark is a comment on the line behind the block, which readers of the page do not see:

    <!-- run -->              a test types its commands, against a server on this machine
    <!-- run in order -->     the same for a page that is typed from top to bottom, in one home directory
    <!-- run in order, fails -->   and is to see that it fails
    <!-- printed -->          what stands on the screen then (`...` is any text)
    <!-- saved as FILE -->    what is written into a file then, at its end
    <!-- parsed -->           a test has the product read it: commands, a config file, lines of fstab
    <!-- not run: reason -->  neither; `test_blocks.py` has the list of these
    <!-- tests: ... -->       these tests hold what it says, as for a sentence
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_FENCE = re.compile(r"^```(\S*)\n(.*?)^```\n(?:\s*<!--\s*(.*?)\s*-->)?", re.DOTALL | re.MULTILINE)
SAVED = re.compile(r"saved as (\S+)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_CODE = re.compile(r"```.*?^```|<!--.*?-->", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"(?<!`)`((?:sudo )?mountnd [^`]+)`(?!`)")


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        line: of the page, from 1, where it begins.
        section: the heading that it stands below.
        language: as written behind the fence.
        text: what it holds.
        mark: the comment behind it, "" without one.
    """

    line: int
    section: str
    language: str
    text: str
    mark: str


def blocks(page: str) -> Iterator[Block]:
    """The fenced blocks of a Markdown page, in their order."""
    for found in _FENCE.finditer(page):
        above = page[: found.start()]
        # A line of a shell's comment in a block is no heading.
        sections = _HEADING.findall(_CODE.sub("", above))
        yield Block(
            above.count("\n") + 1, (sections or [""])[-1], found[1], found[2], " ".join((found[3] or "").split())
        )


def inline_commands(page: str) -> Iterator[str]:
    """The commands of mountnd's that stand in sentences and tables, in code type."""
    for found in _INLINE.findall(_CODE.sub("", page)):
        yield " ".join(found.removeprefix("sudo ").split())

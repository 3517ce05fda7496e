"""From a Markdown page to its statements, each with the tests that it names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

PROMISES = "<!-- promises -->"  # the line of a page whose statements all name tests

_COMMENT = re.compile(r"<!--\s*(.*?)\s*-->", re.DOTALL)
_CODE = re.compile(r"(`+)(?:.|\n)*?\1")
_LINK = re.compile(r"\]\([^)\s]*\)")
_SENTENCE_END = re.compile(r"[.!?][)\"”*\]]*\s+(?=[\"“(*\[]*[A-Z])")
_BULLET = re.compile(r"\s*(?:[-*+]|\d+\.)\s+")
_RULE = re.compile(r"\|[\s:|-]+\|?$")


@dataclass(frozen=True)
class Statement:
    """One sentence, table row or code block.

    Attributes:
        line: of the page, from 1.
        text: as it stands there, without comments.
        tests: names of tests; empty for a sentence that names none.
        promise: whether it says that it is a promise at all.
        broken: whether its comment begins a line within a paragraph or item: Markdown ends that there.
    """

    line: int
    text: str
    tests: tuple[str, ...] = ()
    promise: bool = True
    broken: bool = False


@dataclass
class _Block:
    """Lines that belong together: a paragraph, an item, a table row or a code block."""

    kind: str
    line: int
    lines: list[str] = field(default_factory=list)


def promises(page: str) -> bool:
    """Whether every statement of this page must name tests."""
    return PROMISES in page.splitlines()


def statements(page: str) -> Iterator[Statement]:
    """The statements of a Markdown page, in their order."""
    for block in _blocks(page.splitlines()):
        yield from _statements(block)


def _blocks(lines: list[str]) -> Iterator[_Block]:
    block = _Block("", 0)
    fence = header = ""
    comment = False  # within a comment of several lines
    for number, line in enumerate(lines, 1):
        kind = block.kind
        if fence:
            block.lines.append(line)
            fence = "" if line.strip() == fence else fence
            continue
        if kind == "code" and not line.strip():
            continue  # its comment may stand behind an empty line
        if not comment and kind == "code" and not line.lstrip().startswith("<!-- tests") and "no promise" not in line:
            yield block
            block = _Block("", 0)
        if not comment and (not line.strip() or line.startswith("#") or line in (PROMISES, "---")):
            if block.lines:
                yield block
            block, header = _Block("", 0), ""
            continue
        if not comment and (start := re.match(r"\s*(`{3,}|~{3,})", line)):
            if block.lines:
                yield block
            block, fence = _Block("code", number, [line]), start[1]
            continue
        if not comment and line.startswith("|"):
            if block.lines:
                yield block
            block = _Block("", 0)
            if not header:
                header = line  # the first row names the columns
            elif not _RULE.match(line):
                yield _Block("row", number, [line])
            continue
        if not comment and _BULLET.match(line) and kind != "code":
            if block.lines:
                yield block
            block = _Block("text", number)
        if not block.lines and not block.kind:
            block = _Block("text", number)
        block.lines.append(line)
        comment = "<!--" in line.rpartition("-->")[2] or (comment and "-->" not in line)
    if block.lines:
        yield block


def _statements(block: _Block) -> Iterator[Statement]:
    text = "\n".join(block.lines)
    at, line = 0, block.line
    for comment in _COMMENT.finditer(text):
        before = text[at : comment.start()]
        first, _, rest = comment[1].partition(":")
        if first.strip() not in ("tests", "no promise"):
            continue
        named = tuple(rest.split()) if first == "tests" else ()
        broken = block.kind == "text" and not before.rpartition("\n")[2].strip()
        last = Statement(0, "", named, first == "tests", broken)
        yield from _sentences(before, line, block.kind, last)
        line += before.count("\n") + comment[0].count("\n")
        at = comment.end()
    rest = text[at:]
    if _COMMENT.sub("", rest).strip(" |\n"):
        yield from _sentences(rest, line, block.kind, Statement(0, ""))


def _sentences(text: str, line: int, kind: str, last: Statement) -> Iterator[Statement]:
    """The sentences of `text`, which begins at `line`; all but line and text of the last one are as in `last`."""
    ends = [len(text)]
    if kind == "text":
        masked = _LINK.sub(lambda m: "]" + "x" * (len(m[0]) - 1), _CODE.sub(lambda m: "X" * len(m[0]), text))
        ends = [*(m.end() for m in _SENTENCE_END.finditer(masked)), len(text)]
    start = 0
    for end in ends:
        sentence = text[start:end]
        shown = " ".join(_BULLET.sub("", _COMMENT.sub("", sentence), count=1).split())
        at = line + text[: start + len(sentence) - len(sentence.lstrip())].count("\n")
        yield replace(last, line=at, text=shown) if end == len(text) else Statement(at, shown)
        start = end


def pages(help_pages: Path) -> Iterator[tuple[str, str]]:
    """(name, text) of each page of the help."""
    for path in sorted(help_pages.glob("*.md")):
        yield path.name, path.read_text()

"""From a Markdown page to its statements, each with the tests that it names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

PROMISES = "<!-- promises -->"  # the line of a page whose statements all name tests
NO_PROMISES = re.compile(r"^<!-- no promises on this page: .+ -->$", re.MULTILINE)  # that of one that makes none
# What a mark of a code block means (`blocks.py`): the test that does it.
_BLOCK_TESTS = {
    "run": "test_documents.py::test_what_is_to_be_typed_works",
    "in order": "test_guides.py::test_a_guide_from_top_to_bottom",
    "parsed": "test_blocks.py::test_what_is_to_be_read_is_read",
}

_COMMENT = re.compile(r"<!--\s*(.*?)\s*-->", re.DOTALL)
_CODE = re.compile(r"(`+)(?:.|\n)*?\1")
_LINK = re.compile(r"\]\([^)\s]*\)")
_SENTENCE_END = re.compile(r"[.!?][)\"”*\]]*\s+(?=[\"“(*\[]*[A-Z])")
_BULLET = re.compile(r"\s*(?:[-*+]|\d+\.)\s+")
_SECTION = re.compile(r"<!--\s*section (tests|no promise)\b:?\s*(.*?)\s*-->$")
_OF_BLOCK = re.compile(r"\s*<!--\s*(?:tests|no promise|run|parsed|not run|printed|saved as)\b")
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
    """Lines that belong together: a paragraph, an item, a table row or a code block.

    `section`: what the page says of all statements below a heading, as the comment's kind and names.
    """

    kind: str
    line: int
    section: tuple[str, str] = ("", "")
    lines: list[str] = field(default_factory=list)


def promises(page: str) -> bool:
    """Whether every statement of this page must name tests."""
    return PROMISES in page.splitlines()


def statements(page: str) -> Iterator[Statement]:
    """The statements of a Markdown page, in their order."""
    for block in _blocks(page.splitlines()):
        kind, names = block.section
        for statement in _statements(block):
            if kind and statement.promise and not statement.tests:
                statement = replace(
                    statement, tests=tuple(names.split()) if kind == "tests" else (), promise=kind == "tests"
                )
            yield statement


def _blocks(lines: list[str]) -> Iterator[_Block]:
    block, section = _Block("", 0), ("", "")
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
        if not comment and kind == "code" and not _OF_BLOCK.match(line):
            yield block
            block = _Block("", 0)
        of_section = None if comment else _SECTION.match(line)
        if not comment and (not line.strip() or line.startswith("#") or line in (PROMISES, "---") or of_section):
            if block.lines:
                yield block
            block, header = _Block("", 0), ""
            if of_section or line.startswith("#"):
                section = (of_section[1], of_section[2]) if of_section else ("", "")
            continue
        if not comment and (start := re.match(r"\s*(`{3,}|~{3,})", line)):
            if block.lines:
                yield block
            block, fence = _Block("code", number, section, [line]), start[1]
            continue
        if not comment and line.startswith("|"):
            if block.lines:
                yield block
            block = _Block("", 0)
            if not header:
                header = line  # the first row names the columns
            elif not _RULE.match(line):
                yield _Block("row", number, section, [line])
            continue
        if not comment and _BULLET.match(line) and kind != "code":
            if block.lines:
                yield block
            block = _Block("text", number, section)
        if not block.lines and not block.kind:
            block = _Block("text", number, section)
        block.lines.append(line)
        comment = "<!--" in line.rpartition("-->")[2] or (comment and "-->" not in line)
    if block.lines:
        yield block


def _statements(block: _Block) -> list[Statement]:
    text = "\n".join(block.lines)
    at, line, found = 0, block.line, list[Statement]()
    for comment in _COMMENT.finditer(text):
        before = text[at : comment.start()]
        meant = _meaning(*comment[1].partition(":")[::2])
        if meant is None:
            continue
        broken = block.kind == "text" and not before.rpartition("\n")[2].strip()
        last = Statement(0, "", *meant, broken)
        found += _sentences(before, line, block.kind, last)
        if comment[1].startswith("paragraph"):
            found = [s if s.tests or not s.promise else replace(last, line=s.line, text=s.text) for s in found]
        line += before.count("\n") + comment[0].count("\n")
        at = comment.end()
    rest = text[at:]
    if _COMMENT.sub("", rest).strip(" |\n"):
        found += _sentences(rest, line, block.kind, Statement(0, ""))
    return found


def _meaning(kind: str, rest: str) -> tuple[tuple[str, ...], bool] | None:
    """The tests that a comment names, and whether it makes a promise; None for a comment of another kind."""
    match " ".join(kind.split()).removeprefix("paragraph "):
        case "tests":
            return tuple(rest.split()), True
        case "run" | "parsed" as mark:
            return (_BLOCK_TESTS[mark],), True
        case mark if re.match(r"run in order|printed$|saved as ", mark):
            return (_BLOCK_TESTS["in order"],), True
        case "no promise" | "not run":
            return (), False
    return None


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


def pages(root: Path) -> Iterator[tuple[str, str]]:
    """(path, text) of README and of each page of the help, in the checkout at `root`."""
    for path in [*root.glob("README.md"), *sorted(root.glob("mountnd/help/*.md"))]:
        yield str(path.relative_to(root)), path.read_text()

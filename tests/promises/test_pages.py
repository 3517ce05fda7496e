"""The help pages: what they promise names tests that exist. That these run and pass, full runs check (`plugin.py`)."""

from __future__ import annotations

import pytest

from tests.promises.nodes import TESTS, find
from tests.promises.outcomes import line, unheld
from tests.promises.statements import pages, promises

PAGES = dict(pages(TESTS.parent / "mountnd/help"))


@pytest.mark.parametrize("page", PAGES)
def test_every_statement_names_tests_that_are_there(page: str) -> None:
    problems = [line(f"mountnd/help/{page}", *problem) for problem in unheld(PAGES[page], find)]
    assert not problems, "\n" + "\n".join(problems)


def test_what_must_make_promises_does() -> None:
    assert {page for page, text in PAGES.items() if promises(text)} >= {"semantics.md", "security.md"}

"""README and the help pages name tests that exist. That these run and pass, full runs check (`plugin.py`)."""

from __future__ import annotations

import pytest

from tests.promises.nodes import TESTS, find
from tests.promises.outcomes import line, unheld
from tests.promises.statements import NO_PROMISES, pages, promises

PAGES = dict(pages(TESTS.parent))
# Pages that say of themselves that they promise nothing to a user.
WITHOUT = {"mountnd/help/internals.md", "mountnd/help/performance.md"}


@pytest.mark.parametrize("page", PAGES)
def test_every_statement_names_tests_that_are_there(page: str) -> None:
    problems = [line(page, *problem) for problem in unheld(PAGES[page], find)]
    assert not problems, "\n" + "\n".join(problems)


def test_each_page_makes_promises_or_says_that_it_does_not() -> None:
    assert {page for page, text in PAGES.items() if promises(text)} == PAGES.keys() - WITHOUT
    assert {page for page, text in PAGES.items() if NO_PROMISES.search(text)} == WITHOUT

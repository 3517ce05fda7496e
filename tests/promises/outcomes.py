"""What a run has made of the tests that a page names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from . import nodes
from .statements import Statement, promises, statements

PASSED, FAILED = "passed", "failed"


class Outcomes:
    """The outcome of each test of a run: PASSED, FAILED, or the reason why it was skipped."""

    def __init__(self) -> None:
        self._outcomes: dict[str, str] = {}

    def add(self, node: str, outcome: str) -> None:
        """One phase (set-up, call, end) of the test `node`. The worst one counts."""
        before = self._outcomes.get(node, PASSED)
        self._outcomes[node] = before if before == FAILED or outcome == PASSED else outcome

    def by_test(self) -> dict[str, set[str]]:
        """The outcomes of each test, with all of its parameters, and of each class."""
        found: dict[str, set[str]] = defaultdict(set)
        for node, outcome in self._outcomes.items():
            parts = node.partition("[")[0].split("::")
            for length in range(2, len(parts) + 1):
                found["::".join(parts[:length])].add(outcome)
        return found


def unheld(page: str, find: Callable[[str], str]) -> Iterator[tuple[Statement, str]]:
    """Statements of a page that name no test, or one that is not there, each with what is wrong.

    Args:
        find: the full id of a test, by its name; raises LookupError.
    """
    strict = promises(page)
    for statement in statements(page):
        if strict and statement.promise and not statement.tests:
            yield statement, "names no test"
        if statement.broken:
            yield statement, "its comment begins a line, which ends the paragraph there"
        for name in statement.tests:
            try:
                find(name)
            except LookupError as e:
                yield statement, str(e)


def unproven(
    page: str, outcomes: Outcomes, may_skip: Callable[[str], bool], tests: Path = nodes.TESTS
) -> Iterator[tuple[Statement, str]]:
    """Statements of a page whose tests a full run did not run, skipped or saw fail, each with what is wrong.

    Args:
        may_skip: whether a test may be skipped here for this reason.
        tests: the directory of the tests.
    """
    by_test = outcomes.by_test()
    for statement in statements(page):
        for name in statement.tests:
            try:
                found = by_test.get(nodes.node_id(name, tests), set())
            except LookupError as e:
                yield statement, str(e)
                continue
            if not found:
                yield statement, f"{name} did not run"
            if FAILED in found:
                yield statement, f"{name} failed"
            for reason in sorted(found - {PASSED, FAILED}):
                if not may_skip(reason):
                    yield statement, f"{name} was skipped: {reason}"


def line(page: str, statement: Statement, wrong: str) -> str:
    """One line for people."""
    text = statement.text if len(statement.text) <= 70 else statement.text[:67] + "..."
    return f"{page}:{statement.line}: {wrong} ({text})"

"""Part of each run: records how every test ends, and fails a full run for what no test has held.

A full run is one of all tests: no path, no -k, -m or the like, and none that ended early. With pytest-xdist the
controller gets the reports of all workers, so it alone records.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from .outcomes import FAILED, PASSED, Outcomes, line, unheld, unproven
from .skips import may_skip
from .statements import pages

# Options that leave tests away.
_PARTIAL = ("keyword", "markexpr", "deselect", "ignore", "ignore_glob", "lf", "collectonly", "maxfail", "stepwise")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(config), "promises-recorder")


class Recorder:
    """Records the outcomes of one run."""

    def __init__(self, config: pytest.Config) -> None:
        self._config, self._outcomes = config, Outcomes()
        self._problems: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        outcome = FAILED if report.failed else PASSED
        if report.skipped:
            if hasattr(report, "wasxfail"):
                outcome = f"it is expected to fail: {report.wasxfail}"
            elif isinstance(report.longrepr, tuple):
                outcome = report.longrepr[2].removeprefix("Skipped: ")
            else:
                outcome = "no reason given"
        self._outcomes.add(report.nodeid, outcome)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) or not self._full():
            return
        root = self._config.rootpath
        for name, page in pages(root):
            wrong = [*unheld(page, lambda name: name), *unproven(page, self._outcomes, may_skip, root / "tests")]
            self._problems += [line(name, *problem) for problem in wrong]
        if self._problems:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._problems:
            terminalreporter.section("promises that no test holds")
            for problem in self._problems:
                terminalreporter.write_line(problem)

    def _full(self) -> bool:
        """Whether every test was asked for."""
        if any(self._config.getoption(option, None) for option in _PARTIAL):
            return False
        asked = {Path(arg).resolve() for arg in self._config.args}
        return asked == {(self._config.rootpath / path).resolve() for path in self._config.getini("testpaths")}

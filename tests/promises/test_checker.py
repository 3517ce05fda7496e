"""The checker finds what it is there for: statements without a test, and tests that are absent, skipped or not run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.promises.nodes import TESTS, find, node_id
from tests.promises.outcomes import FAILED, PASSED, Outcomes, unheld, unproven
from tests.promises.skips import may_skip
from tests.promises.statements import PROMISES, Statement, promises, statements

PAGE = f"""# A title. It is none.

{PROMISES}

First one. <!-- tests: a.py::test_a --> Second, `see. This`
is one (as. well) [here](x.md). <!-- tests: a.py::test_b
b.py::TestC --> Third. Fourth. <!-- tests: a.py::test_d -->

- An item. <!-- no promise -->
- Another.
  With two. <!-- tests: a.py::test_e -->
  1. below

| a | b |
|---|--:|
| row. And more | x <!-- tests: a.py::test_f --> |
| bare | row |

```sh
# not a title

ls
```
<!-- tests: a.py::test_g -->

```
bare
```
The end
"""


def test_statements_of_every_kind() -> None:
    found = [(s.line, s.text[:9], s.tests, s.promise) for s in statements(PAGE)]
    assert found == [
        (5, "First one", ("a.py::test_a",), True),
        (5, "Second, `", ("a.py::test_b", "b.py::TestC"), True),
        (7, "Third.", (), True),
        (7, "Fourth.", ("a.py::test_d",), True),
        (9, "An item.", (), False),
        (10, "Another.", (), True),
        (11, "With two.", ("a.py::test_e",), True),
        (12, "below", (), True),
        (16, "| row. An", ("a.py::test_f",), True),
        (17, "| bare | ", (), True),
        (19, "```sh # n", ("a.py::test_g",), True),
        (26, "``` bare ", (), True),
        (29, "The end", (), True),
    ]
    assert promises(PAGE)
    assert not promises(PAGE.replace(PROMISES, "<!-- other -->"))


MARKED = """# A title

<!-- section tests: a.py::test_a -->
One. Two. <!-- tests: a.py::test_b -->

Three. Four. Five. <!-- no promise --> Six. <!-- paragraph
tests: a.py::test_c --> Seven.

## Another

Eight.
- Nine. Ten. <!-- paragraph no promise -->

```sh
ls
```
<!-- run -->

```toml
```
<!-- parsed -->

```sh
shutdown
```
<!-- not run: it would end -->
"""


def test_comments_for_a_section_a_paragraph_and_blocks() -> None:
    a, b, c = (f"a.py::test_{letter}" for letter in "abc")
    found = {s.text.split("\n")[0]: (s.tests, s.promise) for s in statements(MARKED)}
    assert found == {
        "One.": ((a,), True),
        "Two.": ((b,), True),
        "Three.": ((c,), True),
        "Four.": ((c,), True),
        "Five.": ((), False),
        "Six.": ((c,), True),
        "Seven.": ((a,), True),
        "Eight.": ((), True),
        "Nine.": ((), False),
        "Ten.": ((), False),
        "```sh ls ```": (("test_documents.py::test_what_is_to_be_typed_works",), True),
        "```toml ```": (("test_blocks.py::test_what_is_to_be_read_is_read",), True),
        "```sh shutdown ```": ((), False),
    }


def wrong(page: str) -> list[str]:
    return [problem for _, problem in unheld(page, find)]


def test_a_statement_without_a_test() -> None:
    page = "One. <!-- tests: test_checker.py::test_a_statement_without_a_test --> Two.\n"
    assert wrong(page) == []
    assert wrong(f"{PROMISES}\n\n{page}") == ["names no test"]


def test_a_comment_that_would_end_a_paragraph() -> None:
    name = "test_checker.py::test_a_comment_that_would_end_a_paragraph"
    assert wrong(f"- One.\n  <!-- tests: {name} --> Two.\n") == [
        "its comment begins a line, which ends the paragraph there"
    ]
    assert wrong(f"- One. <!-- tests:\n  {name} --> Two.\n\n```sh\n```\n<!-- tests: {name} -->\n") == []


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("test_checker.py::test_no_such", "there is no such test"),
        ("test_checker.py::Test_no_such::test_x", "there is no such test"),
        ("test_checker.py::wrong", "there is no such test"),
        ("test_no_such_file.py::test_x", "no file is called"),
        ("decker.py::test_x", "no file is called"),
        ("test_prefetcher.py::test_x", "several files are called"),
        ("test_checker.py", "FILE::TEST is wanted"),
    ],
)
def test_a_name_that_is_no_test(name: str, says: str) -> None:
    (problem,) = wrong(f"One. <!-- tests: {name} -->\n")
    assert says in problem


def test_names_of_tests_that_are_there() -> None:
    assert find("test_checker.py::test_a_name_that_is_no_test").startswith("tests/promises/test_checker.py::")
    assert find("contract/test_s3.py::TestMoto::test_an_archived_object_is_archived")
    assert node_id("unit/vfs/prefetch/test_prefetcher.py::TestX") == "tests/unit/vfs/prefetch/test_prefetcher.py::TestX"


HERE = f"tests/{Path(__file__).relative_to(TESTS)}"


@pytest.mark.parametrize(
    ("ran", "problem"),
    [
        ({f"{HERE}::TestT::test_t": [PASSED] * 3}, None),
        ({f"{HERE}::TestT::test_t[a::[b]": [PASSED], f"{HERE}::TestT::test_u": [PASSED]}, None),
        ({f"{HERE}::TestT::test_t": ["may"]}, None),
        ({}, "did not run"),
        ({f"{HERE}::TestTT::test_t": [PASSED], "tests/other.py::TestT": [PASSED]}, "did not run"),
        ({f"{HERE}::TestT::test_t": [PASSED, FAILED, PASSED]}, "failed"),
        ({f"{HERE}::TestT::test_t[1]": [PASSED], f"{HERE}::TestT::test_t[2]": ["no reason"]}, "was skipped: no reason"),
    ],
)
def test_what_a_run_has_made_of_a_test(ran: dict[str, list[str]], problem: str | None) -> None:
    outcomes = Outcomes()
    for node, phases in ran.items():
        for outcome in phases:
            outcomes.add(node, outcome)
    found = list(unproven("One. <!-- tests: test_checker.py::TestT -->\n", outcomes, lambda reason: reason == "may"))
    if problem is None:
        assert found == []
    else:
        ((statement, says),) = found
        assert statement == Statement(1, "One.", ("test_checker.py::TestT",))
        assert says.endswith(problem)


def test_skips_are_declared_and_only_where_they_are_so() -> None:
    assert may_skip("no-such-program-anywhere is not installed")
    assert not may_skip("sh is not installed")
    assert may_skip("needs root, for mount namespaces") == (os.getuid() != 0)
    assert not may_skip("I did not feel like it")


TESTS_OF_A_RUN = """
import pytest

def test_good(): pass

class TestMany:
    @pytest.mark.parametrize("n", [1, 2])
    def test_of_it(self, n): pass

@pytest.mark.skip(reason="some reason")
def test_skipped(): pass

@pytest.mark.xfail(reason="broken")
def test_broken(): assert False
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_small.py").write_text(TESTS_OF_A_RUN)
    (tmp_path / "mountnd/help").mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text('[tool.pytest.ini_options]\ntestpaths = ["tests"]\n')
    return tmp_path


def run(project: Path, page: str, *arguments: str) -> tuple[int, list[str]]:
    """(exit code, lines about promises) of a run of the small project."""
    (project / "mountnd/help/page.md").write_text(f"{PROMISES}\n\n{page}\n")
    command = [sys.executable, "-m", "pytest", "-p", "tests.promises.plugin", "-p", "no:cacheprovider", *arguments]
    environment = os.environ | {"PYTHONPATH": str(TESTS.parent), "PYTEST_ADDOPTS": ""}
    for name in [name for name in environment if name.startswith("PYTEST_XDIST")]:
        del environment[name]
    done = subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, [line for line in done.stdout.splitlines() if line.startswith("mountnd/help/")]


GOOD = "One. <!-- tests: test_small.py::test_good test_small.py::TestMany -->"
BAD = "\n".join(
    [
        "Two. <!-- tests: test_small.py::test_absent -->",
        "Three. <!-- tests: test_small.py::test_skipped -->",
        "Four. <!-- tests: test_small.py::test_broken --> Five.",
    ]
)
EXPECTED = [
    "mountnd/help/page.md:5: names no test (Five.)",
    "mountnd/help/page.md:3: test_small.py::test_absent did not run (Two.)",
    "mountnd/help/page.md:4: test_small.py::test_skipped was skipped: some reason (Three.)",
    "mountnd/help/page.md:5: test_small.py::test_broken was skipped: it is expected to fail: broken (Four.)",
]


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_full_run_fails_for_what_it_did_not_prove(project: Path, workers: str) -> None:
    assert run(project, GOOD, "-n", workers) == (0, [])
    assert run(project, BAD, "-n", workers) == (1, EXPECTED)


@pytest.mark.parametrize(
    "part", [("-k", "good"), ("tests/test_small.py",), ("--deselect", "tests/test_small.py::test_x")]
)
def test_a_run_of_some_tests_proves_nothing_and_need_not(project: Path, part: tuple[str, ...]) -> None:
    assert run(project, BAD, "-n", "0", *part) == (0, [])


def test_a_full_run_by_its_path(project: Path) -> None:
    assert run(project, BAD, "-n", "0", "tests") == (1, EXPECTED)

"""Sentences of the documentation name the tests that hold them, and this checks that they do.

A page that says `<!-- promises -->` on a line of its own makes promises: each of its sentences, table rows and code
blocks is followed by a comment, which readers of the page do not see:

    A change is seen at the latest TTL + 1 s after it was made. <!-- tests: test_changing_objects.py::TestCreated -->
    This page says what reads mean. <!-- no promise -->

    Several sentences that the same tests hold. The whole paragraph or item. <!-- paragraph tests: ... -->

`<!-- section tests: ... -->` or `<!-- section no promise -->` on a line of its own means all statements below the same
heading that have no comment. A page that promises nothing to a user says `<!-- no promises on this page: why -->`. Code
blocks have marks of their own (`blocks.py`).

`tests:` is followed by node ids as pytest prints them, separated by blanks; the path may be cut off at its beginning
where what is left is the end of one test file's path only. A class, or a test with parameters, stands for all of its
tests. A comment must not begin a line, where Markdown would end the paragraph; in a table row it stands in the row,
after a code block on the next line. Pages without the line may name tests, too, and need not.

- `blocks.py`: from Markdown to its code blocks; `test_blocks.py` has the product read them
- `statements.py`: from Markdown to statements
- `nodes.py`: from a name to the test it means
- `outcomes.py`: what a run has made of the tests that are named
- `skips.py`: when a test that is named may be skipped
- `plugin.py`: at the end of a full run, fails it with a line for each statement that nothing holds

A run of some tests only (`test_pages.py`) checks that each statement names tests that exist.
"""

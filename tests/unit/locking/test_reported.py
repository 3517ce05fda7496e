from __future__ import annotations

import pytest

from mountnd.errors import UsageError
from mountnd.lockfile.record import UNKNOWN_MTIME_NS, Locked
from mountnd.locking.reported import reported

from ..report import documents

KEY = "ds000001/sub-01/anat/sub-01_T1w.nii.gz"


def test_the_files_that_were_opened_become_records() -> None:
    row = documents.row(mtime_ns=5 * 10**9, version="v1")
    found = reported(documents.document(row, documents.row("ds000001/never", opens=0, path="")))
    assert found.records == [Locked(KEY, KEY, "v1", row.size, '"abc"', 5 * 10**9)]
    assert (found.header.source, found.header.origin, found.header.preset) == (
        "s3://openneuro.org",
        "report",
        "openneuro",
    )
    assert found.twice == []


def test_what_was_shown_inflated_becomes_what_is_stored() -> None:
    row = documents.row(path="sub-01/x.nii", size=5000, stored_size=70, ending=".gz", mtime_ns=1)
    assert reported(documents.document(row)).records == [Locked("sub-01/x.nii.gz", KEY, "", 70, '"abc"', 1)]


def test_of_two_versions_of_a_path_the_later_is_taken() -> None:
    rows = [documents.row(etag='"new"', opened=1_700_000_009.0), documents.row()]
    found = reported(documents.document(*rows))
    assert [(one.etag, one.mtime_ns) for one in found.records] == [('"new"', UNKNOWN_MTIME_NS)]
    assert found.twice == [KEY]


def test_a_lockfile_is_of_one_source() -> None:
    sources = [documents.source(), documents.source(name="lab", url="s3://lab/x", root="x/", preset=None)]
    rows = [documents.row(path=f"openneuro/{KEY}"), documents.row("x/a", source="lab", path="lab/a")]
    document = documents.document(*rows, sources=sources)
    with pytest.raises(UsageError, match=r"--source lab\|openneuro"):
        reported(document)
    with pytest.raises(UsageError, match="no source nowhere"):
        reported(document, "nowhere")
    assert [(one.path, one.key) for one in reported(document, "lab").records] == [("a", "x/a")]
    assert [one.path for one in reported(document, "openneuro").records] == [KEY]


def test_nothing_read_is_no_lockfile() -> None:
    with pytest.raises(UsageError, match="nothing was read yet"):
        reported(documents.document(documents.row(opens=0, path="")))

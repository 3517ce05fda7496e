"""What is said at the end of a verification, and the keys of its JSON."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import mountnd
from mountnd.checks.digest import Digest
from mountnd.checks.kinds import KINDS
from mountnd.cli import verify_summary as summary
from mountnd.jobs.report import CHECKING, ENDED
from mountnd.jobs.verify_report import FINDING, VerifyReport

from .calls import call

PAGE = Path(mountnd.__file__).parent / "help/reproducible.md"


def told(**more: Any) -> dict[str, Any]:
    report = VerifyReport()
    report.listed(10)
    for name in (b"a.nii.gz", b"b.json"):
        report.found(name, 1 << 20)
    report.phase(CHECKING)
    report.checked([Digest("etag", "md5", "0" * 32)], 1 << 20)
    report.count(done=2, verified=1, verified_bytes=1 << 20, read_bytes=2 << 20)
    report.phase(ENDED)
    return {**report.snapshot(), "what": "x", **more}


def finding(**more: Any) -> dict[str, Any]:
    digest = {"kind": "manifest", "algorithm": "md5", "value": "0" * 32, "by": "md5sums, line 2"}
    made = {
        "path": "a.nii", "what": "mismatch", "reason": "its bytes are not those that are expected", "key": "ds/a.nii",
        "version": "v1", "etag": '"e"', "size": 5, "expected": [digest], "agrees": [], "found": {"md5": "1" * 32},
        "from_source": 0, "from_disk": 5, "from_memory": 0, "source": None,
    }  # fmt: skip
    assert tuple(made) == FINDING
    return {**made, **more}


def keys(value: Any) -> set[str]:
    if isinstance(value, list):
        return set().union(*map(keys, value))
    return set(value).union(*map(keys, value.values())) if isinstance(value, dict) else set()


def test_the_keys_are_documented() -> None:
    (row,) = [line for line in PAGE.read_text().splitlines() if line.startswith("| `verify` | an object")]
    known = set(re.findall(r"`([a-z_]+)`", row))
    job = summary.as_json(told(failures=[finding(found={})], cannot={"crc64nvme": 1}))
    assert keys({"jobs": [job], "strays": []}) <= known
    assert {f"`{kind}`" for kind in KINDS} <= set(re.findall(r"^\| (`[a-z]+`) \|", PAGE.read_text(), re.MULTILINE))


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({}, "expected md5 00000000000000000000000000000000 (md5sums, line 2), found 11111111111111111111111111111111"),
        ({}, 'key ds/a.nii, version v1, ETag "e", 5 B'),
        ({}, "5 B from the disk cache; --from-source says whether"),
        ({"source": "agrees"}, "mountnd cache clear ds/a.nii"),
        ({"source": "differs"}, "it is the source that gives them"),
        ({"source": "no answer in time"}, "could not be read again past the caches: no answer in time"),
        ({"agrees": [{"kind": "etag", "algorithm": "md5", "value": "1" * 32, "by": "ETag"}]}, "but md5 (ETag) agrees"),
    ],
)
def test_a_file_that_does_not_match(more: dict[str, Any], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    summary.show_findings([finding(**more)])
    err = capsys.readouterr().err
    assert err.startswith("a.nii: its bytes are not those") and says in err


def test_many_are_counted_and_those_unknown_listed(capsys: pytest.CaptureFixture[str]) -> None:
    unknown = dict.fromkeys(FINDING) | {"path": "u.nii", "what": "unknown", "reason": "nothing is known of its content"}
    missing = dict.fromkeys(FINDING) | {"path": "m.nii", "what": "missing", "reason": "it is not there"}
    summary.show_findings([missing] * 60 + [unknown])
    shown = capsys.readouterr()
    assert shown.out == "u.nii: nothing is known of its content\n"
    assert shown.err.count("m.nii") == 50 and "and 10 more" in shown.err


def test_remarks() -> None:
    said = " ".join(
        summary.remarks(
            told(unknown=2, unknown_bytes=5, cannot={"crc64nvme": 3}, damaged=4, remarks=["sums, line 1: odd."])
            | {"not_asked": {"files": 1, "why": "access denied"}}
        )
    )
    for part in (
        "known of 2 (5 B) of the files",
        "--list-unknown",
        "crc64nvme (3 files)",
        "anycrc",
        "access denied",
        "4 blocks",
    ):
        assert part in said
    assert said.endswith("sums, line 1: odd.") and summary.remarks(told()) == []


def test_the_sum(capsys: pytest.CaptureFixture[str]) -> None:
    summary.show("x", told(mismatch=1, unreadable=2), dry_run=False)
    out = capsys.readouterr().out
    assert out.startswith("x: 1 of 2 files match, 1 MiB") and "; 1 do not match; 2 cannot be read." in out
    assert re.search(r"ETag \(an MD5\) +md5 +1 +1 MiB", out)


def test_the_help_names_every_kind() -> None:
    shown = call(["verify", "--help"]).out
    assert all(kind in shown for kind in KINDS) and max(map(len, shown.splitlines())) <= 80
    refused = call(["verify", "s3://b", "--by", "md4"])
    assert refused.code == 2 and "lockfile, etag" in str(refused.err)

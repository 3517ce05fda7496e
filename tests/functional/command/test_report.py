"""`mountnd report` of running mounts, and of one that has ended: what it tells is what programs did."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import cli
from tests.support.children import stop
from tests.support.cli import run_mountnd
from tests.support.quirky import Quirky, quirky_server, thing

pytestmark = pytest.mark.kernel

KIB, MIB = 1 << 10, 1 << 20
BIG = os.urandom(MIB) * 24
DESCRIPTION = json.dumps(
    {"Name": "A <b>study</b>", "BIDSVersion": "1.9.0", "DatasetDOI": "10.18112/openneuro.ds000001.v1.2.3"}
).encode()
ODD = "ds000001/odd/new\nline & <script>alert('x')</script> $(touch x).txt"
FILES: dict[str, Any] = {
    "ds000001/dataset_description.json": DESCRIPTION,
    "ds000001/sub-01/anat/sub-01_T1w.nii": BIG,
    "ds000001/sub-02/anat/sub-02_T1w.nii": BIG,
    "ds000001/small.tsv": b"participant_id\n",
    ODD: b"odd",
    "ds000001/broken/bold.nii": thing(b"x" * 1000, status=[503, "SlowDown"]),
}


@pytest.fixture(scope="module")
def server() -> Iterator[Quirky]:
    with quirky_server() as server:
        server.hold(FILES)
        yield server


@pytest.fixture
def where(tmp_path: Path) -> Iterator[Path]:
    with cli.mountpoint(tmp_path.resolve() / "mnt") as path:
        yield path


def mount(server: Quirky, where: Path, *options: str | Path, source: str = "s3://bkt") -> None:
    asked = (source, where, "--endpoint-url", server.url, "--anonymous", "--region", "us-east-1")
    done = run_mountnd(*asked, "--cache-dir", where.parent / "cache", *options)
    assert done.returncode == 0, done.stderr


def told(where: Path) -> dict[str, Any]:
    done = run_mountnd("report", where, "--format", "json")
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def file_of(document: dict[str, Any], key: str) -> dict[str, Any]:
    found: dict[str, Any] = next(file for file in document["files"] if file["key"] == key)
    return found


def read_parts(path: Path, *parts: tuple[int, int]) -> None:
    """Read (offset, size) of a file past the kernel's cache, just as it is asked."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    try:
        for offset, size in parts:
            assert len(os.pread(fd, size, offset)) == size
    finally:
        os.close(fd)


def covered_of(ranges: list[list[int]], stop: int) -> int:
    """How many of the bytes before `stop` the ranges hold."""
    return sum(max(0, min(b, stop) - a) for a, b in ranges)


def test_what_was_read_is_told_to_the_byte(server: Quirky, where: Path) -> None:
    mount(server, where)
    first, second = "ds000001/sub-01/anat/sub-01_T1w.nii", "ds000001/sub-02/anat/sub-02_T1w.nii"
    assert (where / first).read_bytes() == BIG
    read_parts(where / second, (0, 4096), (8 * MIB, 64 * KIB), (8 * MIB, 64 * KIB))
    assert (where / "ds000001/small.tsv").read_bytes() == FILES["ds000001/small.tsv"]
    document = told(where)
    whole = file_of(document, first)
    assert (whole["path"], whole["size"], whole["opens"], whole["how"]) == (first, len(BIG), 1, "in order")
    assert whole["bytes_read"] == len(BIG) and whole["ranges"]["read"] == [[0, len(BIG)]] and whole["exact"]
    assert whole["etag"].strip('"') == file_of(document, second)["etag"].strip('"')
    parts = file_of(document, second)
    assert parts["ranges"]["read"] == [[0, 4096], [8 * MIB, 8 * MIB + 64 * KIB]]
    assert (parts["bytes_read"], parts["bytes_asked"]) == (4096 + 64 * KIB, 4096 + 128 * KIB)
    assert parts["url"] == f"{server.url}/bkt/{second}"
    # Each byte that came from the source is some file's, and each that was asked for is.
    fetched = sum(file["bytes_fetched"] for file in document["files"]) + document["never_opened"]["bytes"]
    assert fetched == document["totals"]["bytes.fetched"]
    # The report has read a description itself, to tell the DOI: after the files, and no program has asked for that.
    assert sum(file["bytes_asked"] for file in document["files"]) == document["totals"]["bytes.asked"]
    (source,) = document["sources"]
    assert (source["url"], source["signed"], source["kind"]) == ("s3://bkt", False, "s3")
    (dataset,) = document["datasets"]
    assert (dataset["path"], dataset["version"]) == ("ds000001", "1.2.3")
    # The directory that holds the files was listed, others below it were not.
    assert not dataset["known"]["complete"] and not document["saved"]["whole_is_complete"]
    assert document["saved"]["files_whole"] == 2 * len(BIG) + len(FILES["ds000001/small.tsv"])
    slots = document["over_time"]
    totals = dict(zip(slots["counters"], map(sum, zip(*slots["rows"], strict=True)), strict=True))
    assert totals["bytes.fetched"] == document["totals"]["bytes.fetched"]


def test_the_whole_is_no_lower_bound_once_every_name_is_known(server: Quirky, where: Path) -> None:
    mount(server, where)
    for path in where.rglob("*"):
        if path.suffix == ".tsv":
            path.read_bytes()
    saved = told(where)["saved"]
    sizes = [1000 if isinstance(body, dict) else len(body) for body in FILES.values()]
    assert (saved["whole"], saved["whole_files"], saved["whole_is_complete"]) == (sum(sizes), len(sizes), True)


def test_what_comes_from_memory_and_from_disk_is_told_apart(server: Quirky, where: Path) -> None:
    path = "ds000001/sub-01/anat/sub-01_T1w.nii"
    for turn in range(2):
        mount(server, where)
        read_parts(where / path, (0, MIB), (0, MIB))
        file = file_of(told(where), path)
        assert run_mountnd("umount", where).returncode == 0
        assert file["bytes_waited"] <= (MIB if turn == 0 else 2 * MIB), "the second time it is in memory"
        # What lies behind may be fetched ahead each time.
        came = {name: covered_of(file["ranges"][name], MIB) for name in ("fetched", "ahead", "disk")}
        assert came["fetched"] + came["ahead"] == (MIB if turn == 0 else 0)
        assert came["disk"] == (MIB if turn == 1 else 0) <= file["bytes_from_disk"]


def test_each_of_several_sources_has_its_own(server: Quirky, where: Path, tmp_path: Path) -> None:
    """Also where both are parts of one bucket."""
    config = tmp_path / "config.toml"
    both = {"study": "s3://bkt/ds000001", "all": "s3://bkt"}
    config.write_text("".join(f'[sources.{name}]\nurl = "{url}"\nanonymous = true\n' for name, url in both.items()))
    options = ("--config", config, "--endpoint-url", server.url, "--region", "us-east-1", "--cache-dir", tmp_path / "c")
    done = run_mountnd("study", "all", where, *options)
    assert done.returncode == 0, done.stderr
    (where / "study/small.tsv").read_bytes()
    (where / "all/ds000001/sub-01/anat/sub-01_T1w.nii").read_bytes()
    document = told(where)
    assert {(file["source"], file["path"], file["key"]) for file in document["files"]} == {
        ("study", "study/small.tsv", "ds000001/small.tsv"),
        ("all", "all/ds000001/sub-01/anat/sub-01_T1w.nii", "ds000001/sub-01/anat/sub-01_T1w.nii"),
    }
    assert {one["path"] for one in document["datasets"]} == {"study", "all/ds000001"}
    assert [source["name"] for source in document["sources"]] == ["study", "all"]
    script = run_mountnd("report", where, "--format", "aws").stdout
    assert " s3://bkt/ds000001/small.tsv ./study/small.tsv\n" in script


def test_a_read_that_fails_is_a_wait_with_its_request(server: Quirky, where: Path) -> None:
    mount(server, where, "--timeout", "6")
    with pytest.raises(OSError, match="error"):
        (where / "ds000001/broken/bold.nii").read_bytes()
    document = told(where)
    wait = document["waits"][0]
    assert (wait["what"], wait["path"], wait["cause"]) == ("read", "ds000001/broken/bold.nii", "request")
    assert (wait["status"], wait["request_id"], wait["error"]) == (503, "QUIRKY1", "throttled")
    assert wait["retries"] >= 1 and wait["seconds"] > 1
    assert document["failures"]["count"] >= 1


def test_every_format_of_a_running_mount(server: Quirky, where: Path, tmp_path: Path) -> None:
    """Names that somebody made up to do harm are among what was read."""
    mount(server, where)
    (where / ODD).read_bytes()
    (where / "ds000001/small.tsv").read_bytes()
    page, crate = tmp_path / "report.html", tmp_path / "ro-crate-metadata.json"
    for output in (page, crate):
        done = run_mountnd("report", where, "-o", output)
        assert done.returncode == 0 and str(output) in done.stderr, done.stderr
    html = page.read_text()
    assert "<script>" not in html and "&lt;script&gt;" in html and "A &lt;b&gt;study" in html
    assert "10.18112/openneuro.ds000001.v1.2.3" in html
    graph = json.loads(crate.read_text())["@graph"]
    assert sum(entity["@type"] == "File" for entity in graph) == 2
    bids = json.loads(run_mountnd("report", where, "--format", "bids").stdout)
    assert bids["SourceDatasets"][0]["Version"] == "1.2.3"
    rows = list(csv.DictReader(io.StringIO(run_mountnd("report", where, "--format", "datalad").stdout, newline="")))
    assert {one["path"] for one in rows} == {ODD, "ds000001/small.tsv"}
    script = run_mountnd("report", where, "--format", "aws").stdout
    checked = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, timeout=60, check=False)
    assert checked.returncode == 0 and script.count("\naws s3 cp --no-sign-request --endpoint-url ") == 2
    assert (
        run_mountnd("report", where, "--format", "rclone").stdout.count("\nrclone copyto :s3,") + script.count("\n") > 2
    )
    # Without -o, and where nobody looks, the page goes to the standard output.
    assert run_mountnd("report", where / "ds000001").stdout.startswith("<!DOCTYPE html>")


def test_a_report_at_the_end_outlives_its_mount(server: Quirky, where: Path, tmp_path: Path) -> None:
    """As JSON, of which every other format can be made then."""
    output, page = tmp_path / "end.json", tmp_path / "end.html"
    mount(server, where, "--report", output)
    (where / "ds000001/small.tsv").read_bytes()
    assert not output.exists()
    assert run_mountnd("umount", where).returncode == 0
    document = json.loads(output.read_text())
    assert [file["key"] for file in document["files"]] == ["ds000001/small.tsv"]
    assert document["datasets"][0]["doi"] == "10.18112/openneuro.ds000001.v1.2.3"
    assert output.stat().st_mode & 0o077 == 0
    done = run_mountnd("report", output, "-o", page)
    assert done.returncode == 0 and page.read_bytes().startswith(b"<!DOCTYPE html>"), done.stderr


def test_a_report_that_cannot_be_written_at_the_end_is_told_in_the_log(
    server: Quirky, where: Path, tmp_path: Path
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    mount(server, where, "--report", place / "end.json")
    log = cli.daemon_record(where).log
    place.rmdir()
    assert run_mountnd("umount", where).returncode == 0
    assert f"the report was not written: {place / 'end.json'} cannot be written" in Path(log).read_text()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--report", "{tmp}/x.pdf"), "its ending does not say in which format"),
        (("--report", "{tmp}/mnt/x.html"), "lies in the mount"),
        (("--report", "{tmp}/missing/x.html"), "is no directory"),
        (("--report", "{tmp}"), "is a directory"),
    ],
)
def test_where_a_report_cannot_go_is_said_before_the_mount(
    server: Quirky, where: Path, tmp_path: Path, options: tuple[str, ...], why: str
) -> None:
    typed = [option.format(tmp=tmp_path.resolve()) for option in options]
    if why == "is a directory":
        (tmp_path / "d.html").mkdir()
        typed[-1] = str(tmp_path.resolve() / "d.html")
    done = run_mountnd("s3://bkt", where, "--endpoint-url", server.url, "--anonymous", *typed)
    assert done.returncode == 2 and why in done.stderr and not cli.is_mounted(where)
    assert done.stderr.count("\n") == 1


def test_mistakes_are_said_in_a_line(server: Quirky, where: Path, tmp_path: Path) -> None:
    mount(server, where)
    broken, other = tmp_path / "broken.json", tmp_path / "other.json"
    broken.write_text('{"format": "mountnd-report", "version": 1, "files": 7}')
    other.write_text("{}")
    for words, code, why in (
        (("report",), 2, "Missing argument"),
        (("report", tmp_path), 1, "is not a mount of yours"),
        (("report", where, "-o", "x.pdf"), 2, "its ending does not say"),
        (("report", where, "--format", "pdf"), 2, "'pdf' is not one of"),
        (("report", where, "-o", where / "x.html"), 1, "cannot be written: Read-only file system"),
        (("report", where, "-o", tmp_path / "no/x.html"), 1, "cannot be written: No such file"),
        (("report", tmp_path / "gone.json", "-o", "x.html"), 1, "cannot be read: No such file"),
        (("report", other, "-o", "x.html"), 2, "no report of mountnd's"),
        (("report", broken, "-o", "x.html"), 2, "it is no whole report"),
        (("report", tmp_path / "x.json"), 1, "cannot be read"),
    ):
        done = run_mountnd(*words)
        assert (done.returncode, done.stderr.count("\n"), done.stdout) == (code, 1, ""), (words, done)
        assert why in done.stderr and "Traceback" not in done.stderr, (words, done.stderr)


def test_a_stopped_daemon_is_told_of_in_time(server: Quirky, where: Path) -> None:
    mount(server, where)
    record = cli.daemon_record(where)
    stop(record.pid)
    try:
        done = run_mountnd("report", where, "--format", "json")
    finally:
        os.kill(record.pid, 18)
    assert done.returncode == 1 and f"kill -CONT {record.pid}" in done.stderr


def test_a_pipe_that_closes_is_no_error_worth_a_word(server: Quirky, where: Path) -> None:
    mount(server, where)
    done = run_mountnd("report", where, within=("bash", "-c", 'set -o pipefail; "$@" | head -c 10', "bash"))
    assert done.stderr == "" and done.stdout == "<!DOCTYPE "

"""`mountnd explain`: what it says of a path, and that asking it sends no request and changes nothing."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from mountnd.lockfile import writing
from mountnd.lockfile.header import Header
from mountnd.lockfile.record import Locked
from mountnd.path_facts import KEYS
from tests.support import cli, tree
from tests.support.children import stop
from tests.support.cli import run_mountnd
from tests.support.nifti_files import gzipped, image
from tests.support.proxy import Proxy
from tests.support.quirky import Quirky, thing
from tests.support.waiting import wait_until

pytestmark = pytest.mark.kernel

BODY = tree.content("explained", 3_000_000)
FILES: dict[str, Any] = {
    "d/big.nii": BODY,
    "d/small.json": b"{}",
    "d/empty": b"",
    "d/refused": b"x" * 300_000,
    "d/cold.nii": thing(b"y" * 200_000, row={"StorageClass": "GLACIER"}),
    "d/x": b"1",
    "d/x/y": b"2",
    "e/a b's \xe9.txt": b"odd",
}


@pytest.fixture
def where(tmp_path: Path) -> Iterator[Path]:
    with cli.mountpoint(tmp_path.resolve() / "mnt") as path:
        yield path


def mount(held: Quirky, where: Path, *words: str | Path) -> None:
    typed = words if words and str(words[0]).startswith("s3://") else ("s3://bkt", *words)
    options = ("--endpoint-url", held.url, "--anonymous", "--region", "us-east-1")
    done = run_mountnd(*typed[:1], where, *typed[1:], *options, "--cache-dir", where.parent / "cache")
    assert done.returncode == 0, done.stderr


@pytest.fixture
def held(quirky: Quirky) -> Quirky:
    quirky.hold(FILES, get_rules=[re.escape(key) for key in FILES if key != "d/refused"])
    return quirky


@pytest.fixture
def mounted(held: Quirky, where: Path) -> Path:
    mount(held, where)
    return where


def explain(path: str | Path, *words: str) -> dict[str, Any]:
    done = run_mountnd("explain", path, "--json", *words)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert set(told) == {*KEYS, "path", "mountpoint"}
    return told


def words(*argv: str | Path) -> str:
    """What is shown, at 80 columns, as one line."""
    done = run_mountnd("explain", *argv, env={"COLUMNS": "80"})
    assert done.returncode == 0, done.stderr
    return " ".join(done.stdout.split())


def test_what_was_never_looked_up_is_not_asked_for(mounted: Path, held: Quirky) -> None:
    held.switch()  # forgets the requests so far
    path = mounted / "d/big.nii"
    told = explain(path)
    assert (told["kind"], told["key"], told["size"], told["names"]["told_by"]) == ("unknown", "d/big.nii", None, None)
    assert told["next_read"]["outcome"] == "look-up"
    shown = words(path)
    assert "not looked up yet" in shown and f"mountnd explain --ask {path}" in shown
    assert held.log() == []
    told = explain(path, "--ask")
    assert (told["kind"], told["size"], told["names"]["believed"]) == ("file", len(BODY), True)
    assert explain(path)["kind"] == "file"
    asked = len(held.log())
    assert asked > 0
    assert explain(path, "--ask")["kind"] == "file" and len(held.log()) == asked


def test_a_file_before_while_and_after_it_is_read(mounted: Path, held: Quirky) -> None:
    path = mounted / "d/big.nii"
    os.listdir(mounted / "d")
    told = explain(path)
    assert (told["source"], told["url"], told["bucket"], told["region"]) == ("bkt", "s3://bkt", "bkt", "us-east-1")
    assert (told["key"], told["size"], told["modified"][:10]) == ("d/big.nii", len(BODY), "2020-09-13")
    assert re.fullmatch('"[0-9a-f]{32}"', told["etag"])
    assert (told["names"]["held"], told["names"]["believed"]) == ("memory", True)
    assert told["cached"] == {"memory": 0, "coming": 0, "disk": 0, "shared": 0, "any": 0}
    plan = told["next_read"]
    assert (plan["outcome"], plan["gets"], plan["is_measured"]) == ("fetch", [128 << 10], False)
    held.switch()
    with open(path, "rb", buffering=0) as file:
        assert explain(path)["open"][0]["pattern"] == "unread"
        assert held.log() == []
        while file.read(100_000):
            pass
        wait_until(lambda: explain(path)["cached"]["disk"] == len(BODY), "all of it to be on disk")
        told = explain(path)
        assert told["cached"]["memory"] == told["cached"]["any"] == len(BODY)
        (opened,) = told["open"]
        assert (opened["pattern"], opened["position"]) == ("in order", len(BODY))
        assert opened["bytes_read"] >= len(BODY)
    sent = len(held.log())
    told = explain(path)
    assert told["next_read"]["outcome"] == "memory" and told["next_read"]["gets"] == []
    shown = words(path)
    assert "100 % (2.9 MiB) in memory, 100 % (2.9 MiB) on disk" in shown
    assert "bytes 0 to 131,071 are served from memory, without a request" in shown
    assert len(held.log()) == sent
    # The next mount has it on disk alone.
    assert run_mountnd("umount", mounted).returncode == 0
    mount(held, mounted)
    chunks = {chunk: chunk.stat().st_mtime_ns for chunk in (mounted.parent / "cache/blocks").rglob("*")}
    told = explain(path)
    assert (told["names"]["held"], told["cached"]["memory"], told["cached"]["disk"]) == ("disk", 0, len(BODY))
    assert told["next_read"]["outcome"] == "disk"
    assert {chunk: chunk.stat().st_mtime_ns for chunk in chunks} == chunks, "no use was noted"
    total = json.loads(run_mountnd("stats", mounted, "--json").stdout)["total"]
    assert not {"bytes.disk", "bytes.fetched", "names.recalled.listings", "open.calls"} & set(total)


def test_a_read_that_was_refused_says_what_and_which_request(mounted: Path) -> None:
    with pytest.raises(PermissionError):
        (mounted / "d/refused").read_bytes()
    told = explain(mounted / "d/refused")
    assert (told["last_failure"]["reason"], told["last_failure"]["request_id"]) == ("access denied", "QUIRKY1")
    assert (told["next_read"]["outcome"], told["next_read"]["errno"]) == ("fails", "EACCES")
    shown = words(mounted / "d/refused")
    assert "access denied to unsigned requests" in shown and "[request QUIRKY1]" in shown
    assert 'unless that has changed, it fails with EACCES ("Permission denied")' in shown
    beside = explain(mounted / "d/big.nii")
    assert beside["last_failure"] is None and beside["last_failure_of_source"]["path"] == "/d/refused"
    assert beside["next_read"]["outcome"] == "fetch"


def test_an_archived_object_says_that_it_must_be_restored(mounted: Path) -> None:
    os.listdir(mounted / "d")
    told = explain(mounted / "d/cold.nii")
    assert told["storage_class"] == "GLACIER"
    assert (told["next_read"]["outcome"], told["next_read"]["errno"]) == ("fails", "EIO")
    assert "cannot be read until its owner has restored it" in words(mounted / "d/cold.nii")


def test_what_is_absent_and_what_is_no_directory(mounted: Path, held: Quirky) -> None:
    os.listdir(mounted / "d")
    held.switch()
    for path, why in (
        ("d/nope", None), ("nothing/of/this", "s3://bkt/nothing/ is not there"),
        ("d/small.json/below", "s3://bkt/d/small.json is a file, and no directory"),
        (f"d/{'n' * 256}", f"no b'{'n' * 256}' in s3://bkt/d/"),
    ):  # fmt: skip
        told = explain(mounted / path)
        assert (told["kind"], told["why"], told["next_read"]["errno"]) == ("absent", why, "ENOENT")
    assert held.log() == []


def test_directories_and_keys_that_are_not_shown(mounted: Path) -> None:
    told = explain(mounted)
    assert (told["kind"], told["entries"], told["names"]) == ("directory", 2, None)
    assert told["listing"]["believed"] and told["next_read"]["outcome"] == "memory"
    told = explain(mounted / "d")
    assert (told["kind"], told["key"], told["entries"], told["next_read"]["outcome"]) == (
        "directory", "d/", None, "fetch",
    )  # fmt: skip
    os.listdir(mounted / "d")
    told = explain(mounted / "d")
    assert (told["entries"], told["hidden"]["count"], told["hidden"]["key"]) == (6, 1, "d/x")
    told = explain(mounted / "d/x")
    assert (told["kind"], told["not_shown"]) == ("directory", "a directory of the same name is shown instead")
    assert "an object of this very key: a directory of the same name is shown instead" in words(mounted / "d/x")


def test_key_and_etag_are_those_of_what_is_stored(held: Quirky, where: Path, tmp_path: Path) -> None:
    packed = gzipped(image((4, 4)))
    etag = f'"{hashlib.md5(packed).hexdigest()}"'
    held.hold({"d/packed": packed})
    record = Locked("x/other.nii.gz", "d/packed", "", len(packed), etag)
    writing.write(tmp_path / "data.lock", Header(source="s3://bkt", endpoint_url=held.url, anonymous=True), [record])
    options = ("--region", "us-east-1", "--cache-dir", tmp_path / "cache")
    for more, name in ((), "other.nii.gz"), (("--view", "nii"), "other.nii"):
        assert run_mountnd(tmp_path / "data.lock", where, *options, *more).returncode == 0
        (where / "x" / name).read_bytes()
        facts = json.loads(run_mountnd("explain", where / "x" / name, "--json").stdout)
        assert run_mountnd("umount", where).returncode == 0
        assert (facts["key"], facts["etag"]) == ("d/packed", etag)


def test_an_empty_file(mounted: Path) -> None:
    os.listdir(mounted / "d")
    told = explain(mounted / "d/empty")
    assert (told["size"], told["next_read"]["outcome"], told["next_read"]["stop"]) == (0, "nothing", 0)


def test_a_path_by_any_way_to_write_it(mounted: Path, tmp_path: Path) -> None:
    """Relative, through a link above the mount, with odd characters, bytes that are not UTF-8, `..` and slashes."""
    (tmp_path / "link").symlink_to(mounted)
    (tmp_path / "into").symlink_to(mounted / "d")
    for typed, key in (
        ("mnt/d/big.nii", "d/big.nii"), ("link/d/big.nii", "d/big.nii"), ("into/small.json", "d/small.json"),
        ("mnt/../mnt//d/./big.nii", "d/big.nii"), ("mnt/e/a b's \xe9.txt", "e/a b's \xe9.txt"),
        ("mnt/new\nline", "new\nline"), (os.fsdecode(b"mnt/bad\xff"), "bad\udcff"),
    ):  # fmt: skip
        done = run_mountnd("explain", typed, "--json", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["key"] == key
        shown = run_mountnd("explain", typed, cwd=tmp_path)
        assert shown.returncode == 0 and "\udcff" not in shown.stdout


def test_several_paths_and_one_that_is_in_no_mount(mounted: Path, tmp_path: Path) -> None:
    done = run_mountnd("explain", "--json", mounted / "d", tmp_path / "local", mounted / "e")
    assert done.returncode == 1
    assert [json.loads(line)["key"] for line in done.stdout.splitlines()] == ["d/", "e/"]
    assert done.stderr == f"mountnd: {tmp_path}/local is not inside a mountnd mount (mountnd ls lists yours)\n"
    done = run_mountnd("explain", mounted / "d", mounted / "e")
    assert done.stdout.count("next ls") == 2 and "\n\n" in done.stdout


def test_what_is_no_mount_and_no_argument(tmp_path: Path) -> None:
    done = run_mountnd("explain", "/etc/passwd")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "mountnd: /etc/passwd is not inside a mountnd mount (mountnd ls lists yours)\n"
    done = run_mountnd("explain")
    assert done.returncode == 2 and "Missing argument" in done.stderr and done.stderr.count("\n") == 1


def test_an_ended_and_a_stopped_mount(mounted: Path) -> None:
    pid = cli.daemon_record(mounted).pid
    stop(pid)
    try:
        done = run_mountnd("explain", mounted / "d/big.nii")
        assert done.returncode == 1 and f"kill -CONT {pid}" in done.stderr and done.stderr.count("\n") == 1
    finally:
        os.kill(pid, signal.SIGCONT)
    assert explain(mounted / "d/big.nii")["kind"] == "unknown"
    assert run_mountnd("umount", mounted).returncode == 0
    done = run_mountnd("explain", mounted / "d/big.nii")
    assert done.returncode == 1 and "is not inside a mountnd mount" in done.stderr


def test_a_closed_output_is_no_error(mounted: Path) -> None:
    done = run_mountnd("explain", mounted, within=("sh", "-c", '"$@" | :', "sh"))
    assert (done.returncode, done.stderr) == (0, "")


def test_several_sources(held: Quirky, where: Path) -> None:
    options = ("--endpoint-url", held.url, "--anonymous", "--region", "us-east-1")
    done = run_mountnd("s3://bkt/d", "s3://bkt/e", where, *options, "--cache-dir", where.parent / "cache")
    assert done.returncode == 0, done.stderr
    assert sorted(os.listdir(where)) == ["d", "e"]
    assert (where / "d/small.json").read_bytes() == b"{}"
    told = explain(where)
    assert (told["kind"], told["entries"], told["source"], told["key"]) == ("directory", 2, None, None)
    told = explain(where / "d/small.json")
    assert (told["source"], told["url"], told["key"]) == ("d", "s3://bkt/d", "d/small.json")
    with pytest.raises(PermissionError):
        (where / "d/refused").read_bytes()
    assert explain(where / "d/refused")["last_failure"]["path"] == "/d/refused"
    assert explain(where / "e")["last_failure_of_source"] is None
    told = explain(where / "f/x")
    assert (told["kind"], told["why"]) == ("absent", "the sources of this mount are d, e")


def test_a_listing_that_is_too_old(held: Quirky, where: Path) -> None:
    mount(held, where, "--ttl", "1")
    os.listdir(where / "d")
    wait_until(lambda: not explain(where / "d/big.nii")["names"]["believed"], "the second to pass")
    told = explain(where / "d/big.nii")
    assert (told["kind"], told["size"]) == ("file", len(BODY))
    assert told["next_read"]["words"].endswith("; its name is asked for first")
    with open(where / "d/big.nii", "rb"):
        assert "asked for first" not in explain(where / "d/big.nii")["next_read"]["words"]
    wait_until(lambda: not explain(where / "d/big.nii")["names"]["believed"], "the second to pass")
    shown = words(where / "d/big.nii")
    assert "too old to be believed: the next look asks the source" in shown
    assert words(where / "d/nope").endswith("it was absent too long ago")


def test_an_object_that_was_replaced_while_it_is_open(held: Quirky, where: Path) -> None:
    mount(held, where, "--ttl", "0")
    path = where / "d/big.nii"
    with open(path, "rb", buffering=0) as file:
        assert file.read(10) == BODY[:10]
        old = explain(path)
        assert not (old["replaced"] or old["gone"])
        held.hold({**FILES, "d/big.nii": BODY[::-1]})
        file.seek(2_000_000)
        with pytest.raises(OSError) as refused:
            file.read(10)
        assert refused.value.errno == errno.ESTALE
        told = explain(path)
        assert told["kind"] == "file" and told["gone"] and told["names"]["told_by"] is None
        told = explain(path, "--ask")
        assert told["gone"] and told["etag"] == old["etag"] and told["next_read"]["errno"] == "ESTALE"
        os.listdir(where / "d")
        assert explain(path)["replaced"]


def test_offline(held: Quirky, where: Path) -> None:
    mount(held, where)
    assert (where / "d/small.json").read_bytes() == b"{}"
    wait_until(lambda: explain(where / "d/small.json")["cached"]["disk"] == 2, "it to be on disk")
    assert run_mountnd("umount", where).returncode == 0
    mount(held, where, "--offline")
    assert explain(where / "d/small.json")["next_read"]["outcome"] == "disk"
    told = explain(where / "d/big.nii")
    assert (told["offline"], told["next_read"]["outcome"], told["next_read"]["errno"]) == (True, "fails", "EIO")
    with pytest.raises(OSError) as refused:
        (where / "d/big.nii").read_bytes()
    assert refused.value.errno == errno.EIO, "as it was told"
    assert "of bytes 0 to 131,071 128 KiB are not cached, and the mount is offline" in words(where / "d/big.nii")
    assert explain(where / "never")["kind"] == "absent"
    assert explain(where / "d/x/y")["next_read"]["errno"] == "EIO"


def test_a_source_that_does_not_answer(dataset: tree.Bucket, proxy: Proxy, where: Path, tmp_path: Path) -> None:
    options = ("--endpoint-url", proxy.url, "--anonymous", "--timeout", "3", "--ttl", "1")
    done = run_mountnd(f"s3://{dataset.name}", where, *options, "--cache-dir", tmp_path / "cache")
    assert done.returncode == 0, done.stderr
    path = where / "sub-01/anat/sub-01_T1w.nii.gz"
    os.listdir(path.parent)
    proxy.down()

    told: dict[str, Any] = {}

    def is_noticed() -> bool:  # it is forgotten five seconds after each request
        with suppress(OSError):
            os.listdir(where / "sub-02/anat")
        told.update(explain(path))
        return told["out_of_reach"] is not None

    wait_until(is_noticed, "the outage to be noticed")
    assert (told["kind"], told["next_read"]["outcome"], told["timeout"]) == ("file", "fetch", 3)
    assert "did not answer a moment ago, and the read fails within 3 s unless it does now" in told["next_read"]["words"]


def test_each_key_is_documented(mounted: Path) -> None:
    """In the table of help/reports.md, with what stands in the objects of it."""
    assert (mounted / "d/big.nii").read_bytes() == BODY
    with suppress(PermissionError):
        (mounted / "d/refused").read_bytes()
    os.listdir(mounted / "d")
    page = (cli.ROOT / "mountnd/help/reports.md").read_text()
    (row,) = [line for line in page.splitlines() if line.startswith("| `explain`")]
    documented = set(re.findall(r"`([a-z_]+)`", row))
    with open(mounted / "d/big.nii", "rb"):
        for path in ("d/big.nii", "d/refused", "d", "nothing"):
            told = explain(mounted / path)
            inner = [told[name] for name in ("names", "listing", "hidden", "cached", "next_read", "last_failure")]
            for one in (told, *filter(None, inner), *(told["open"] or ())):
                assert set(one) <= documented

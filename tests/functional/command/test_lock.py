"""`mountnd lock` as a person uses it: made, mounted, checked, compared, taken from elsewhere, and all the mistakes."""

from __future__ import annotations

import csv
import errno
import gzip
import io
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mountnd.lockfile import reading
from tests.support import cli, tree
from tests.support.cli import run_mountnd
from tests.support.nifti_files import gzipped, image
from tests.support.proxy import Proxy
from tests.support.servers import s3_client

FILES = {
    f"sub-{n:02d}/anat/T1w.{ending}": tree.content(f"{n}{ending}", 2_000 + n)
    for n in range(1, 4)
    for ending in ("nii", "json")
}
ONE, TWO, THREE = "sub-01/anat/T1w.nii", "sub-02/anat/T1w.nii", "sub-03/anat/T1w.nii"


class Data:
    """A bucket that keeps versions or not, and commands about it."""

    def __init__(self, bucket: tree.Bucket, where: Path) -> None:
        self.bucket, self.where = bucket, where
        self.url = f"s3://{bucket.name}/ds"
        self.endpoint = ["--endpoint-url", bucket.url, "--anonymous"]
        bucket.put_all({f"ds/{path}": body for path, body in FILES.items()})

    def lock(self, *args: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = run_mountnd("lock", *args, cwd=self.where)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        if code:
            assert len(done.stderr.splitlines()) == 1 or code == 1
        return done

    def make(self, name: str = "data.lock", *more: str) -> Path:
        self.lock(self.url, "-o", name, *self.endpoint, *more)
        return self.where / name

    def change(self) -> None:
        self.bucket.put(f"ds/{ONE}", b"another")
        self.bucket.delete(f"ds/{TWO}")
        self.bucket.put("ds/new", b"new")


@pytest.fixture
def data(bucket: tree.Bucket, tmp_path: Path) -> Data:
    return Data(bucket, tmp_path)


@pytest.fixture
def versioned(bucket: tree.Bucket, tmp_path: Path) -> Data:
    client = s3_client(bucket.url)
    client.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"})
    return Data(bucket, tmp_path)


@pytest.fixture
def where(tmp_path: Path) -> Iterator[Path]:
    with cli.mountpoint(tmp_path.resolve() / "mnt") as path:
        yield path


def records(path: Path) -> dict[str, Any]:
    return {one.path: one for one in reading.read(path)[1]}


@pytest.mark.kernel
def test_made_mounted_and_unmounted(data: Data, where: Path) -> None:
    done = data.lock(data.url, "-o", "data.lock", *data.endpoint)
    assert "data.lock: 6 objects" in done.stderr
    assert "mountnd data.lock DIR" in done.stderr
    header, found = reading.read(data.where / "data.lock")
    assert (header.source, header.root, header.endpoint_url) == (data.url, "ds/", data.bucket.url)
    assert (header.anonymous, header.origin, header.region) == (True, "listing", "")
    assert {one.path: one.size for one in found} == {path: len(body) for path, body in FILES.items()}
    data.change()
    # where it is read from stands in it
    done = run_mountnd("data.lock", where, cwd=data.where)
    assert done.returncode == 0, done.stderr
    assert "data.lock" in done.stderr
    assert (where / THREE).read_bytes() == FILES[THREE]
    with pytest.raises(OSError) as refused:
        (where / ONE).read_bytes()
    assert refused.value.errno == errno.ESTALE
    assert not (where / "new").exists()
    counters = json.loads(run_mountnd("stats", where, "--json").stdout)
    assert counters["total"].get("lists", 0) == 0
    assert run_mountnd("umount", where).returncode == 0


@pytest.mark.kernel
def test_in_the_config_file_with_exec_and_with_prefetch(data: Data, where: Path, tmp_path: Path) -> None:
    lockfile = data.make()
    config = tmp_path / "config.toml"
    config.write_text(f'[sources.mine]\nurl = "data.lock"\n[mounts."{where}"]\nsources = ["mine"]\n')
    done = run_mountnd(where, "--config", config)
    assert done.returncode == 0, done.stderr
    assert (where / ONE).read_bytes() == FILES[ONE]
    assert run_mountnd("umount", where).returncode == 0
    (tmp_path / "one").write_bytes(FILES[ONE])
    done = run_mountnd("exec", lockfile, "--", "cmp", f"{{}}/{ONE}", tmp_path / "one")
    assert done.returncode == 0, done.stderr
    cache = tmp_path / "cache"
    done = run_mountnd("prefetch", lockfile, "--cache-dir", cache)
    assert done.returncode == 0, done.stderr
    data.bucket.delete(f"ds/{ONE}")
    done = run_mountnd(lockfile, where, "--cache-dir", cache, "--offline")
    assert done.returncode == 0, done.stderr
    assert "6 names" in done.stderr
    for path, body in FILES.items():
        assert (where / path).read_bytes() == body
    assert run_mountnd("umount", where).returncode == 0


def test_version_ids_come_with_one_listing_of_versions(versioned: Data, proxy: Proxy) -> None:
    versioned.change()
    versioned.lock(versioned.url, "-o", "data.lock", "--endpoint-url", proxy.url, "--anonymous")
    found = records(versioned.where / "data.lock")
    assert set(found) == {*FILES, "new"} - {TWO}
    client = s3_client(versioned.bucket.url)
    for path, one in found.items():
        head = client.head_object(Bucket=versioned.bucket.name, Key=f"ds/{path}")
        assert (one.version, one.etag, one.size) == (head["VersionId"], head["ETag"], head["ContentLength"])
    assert len(proxy.requests()) <= 6, "the probe, one HEAD, the top, and a page of versions"
    versioned.lock(versioned.url, "-o", "etags.lock", "--no-versions", *versioned.endpoint)
    assert {one.version for one in records(versioned.where / "etags.lock").values()} == {""}


def test_where_versions_may_not_be_listed_each_object_is_asked(versioned: Data, proxy: Proxy) -> None:
    proxy.rule("status", query="versions", status=403, code="AccessDenied")
    done = versioned.lock(versioned.url, "-o", "data.lock", "--endpoint-url", proxy.url, "--anonymous")
    assert "each object is asked for its version" in done.stderr
    assert all(one.version for one in records(versioned.where / "data.lock").values())


def test_one_object_is_locked_by_its_url(versioned: Data) -> None:
    versioned.lock(f"{versioned.url}/{ONE}", "-o", "one.lock", *versioned.endpoint)
    ((path, one),) = records(versioned.where / "one.lock").items()
    assert (path, one.size, bool(one.version)) == ("T1w.nii", len(FILES[ONE]), True)


@pytest.mark.parametrize("heads", [[], ["--heads"]])
def test_check_names_what_cannot_be_had(versioned: Data, heads: list[str]) -> None:
    lockfile, etags = versioned.make(), versioned.make("etags.lock", "--no-versions")
    for path in (lockfile, etags):
        assert "all 6 objects can be had" in versioned.lock("--check", path, *heads).stderr
    versioned.change()
    assert "all 6 objects can be had" in versioned.lock("--check", lockfile, *heads).stderr
    done = versioned.lock("--check", etags, *heads, code=1)
    assert f"changed: {ONE}: " in done.stdout
    assert f"gone: {TWO}: " in done.stdout
    assert "4 of 6 objects can be had; 1 changed, 1 gone" in done.stderr
    told = json.loads(versioned.lock("--check", etags, "--json", *heads, code=1).stdout)
    assert (told["objects"], told["ok"]) == (6, 4)
    assert [(one["path"], one["problem"]) for one in told["problems"]] == [(ONE, "changed"), (TWO, "gone")]


def test_check_tells_a_refused_version_and_a_server_that_is_gone(versioned: Data, proxy: Proxy) -> None:
    versioned.make()
    proxy.rule("status", path=versioned.bucket.path(f"ds/{ONE}"), status=403, code="AccessDenied")
    done = versioned.lock("--check", "data.lock", "--endpoint-url", proxy.url, code=1)
    assert f"refused: {ONE}" in done.stdout
    proxy.down()
    done = versioned.lock("--check", "data.lock", "--endpoint-url", proxy.url, "--timeout", "2", code=1)
    assert proxy.url.removeprefix("http://") in done.stderr
    assert done.stdout == ""


def test_diff_has_the_exit_code_of_diff(data: Data) -> None:
    old = data.make("old.lock")
    assert "0 added, 0 removed, 0 changed; 6 the same" in data.lock("--diff", old, old).stderr
    data.change()
    data.make("new.lock.gz")
    done = data.lock("--diff", "old.lock", "new.lock.gz", code=1)
    assert done.stdout.splitlines() == ["+ new  3 B", f"~ {ONE}  2.0 KiB -> 7 B", f"- {TWO}  2.0 KiB"]
    told = json.loads(data.lock("--diff", "old.lock", "new.lock.gz", "--json", code=1).stdout)
    assert (told["added"], told["removed"], told["changed"], told["same"]) == (1, 1, 1, 4)
    assert [one["change"] for one in told["differences"]] == ["added", "changed", "removed"]


def test_what_other_tools_have_listed(versioned: Data) -> None:
    client = s3_client(versioned.bucket.url)
    listing = versioned.where / "list.json"
    listing.write_text(json.dumps(client.list_objects_v2(Bucket=versioned.bucket.name), default=str))
    versioned.lock(versioned.url, "--import", listing, "-o", "aws.lock", *versioned.endpoint)
    made = records(versioned.make("made.lock", "--no-versions"))
    assert records(versioned.where / "aws.lock") == made
    whole = records(versioned.make("whole.lock"))
    inventory = versioned.where / "inventory.csv.gz"
    rows = (
        f'"{versioned.bucket.name}","{one.key}","{one.version}","true","false","{one.size}",'
        f'"2024-05-01T00:00:00.000Z",{one.etag}\n'
        for one in whole.values()
    )
    inventory.write_bytes(gzip.compress("".join(rows).encode()))
    versioned.lock(versioned.url, "--import", inventory, "-o", "inventory.lock.gz", *versioned.endpoint)
    assert "6 the same" in versioned.lock("--diff", "whole.lock", "inventory.lock.gz").stderr
    assert "all 6" in versioned.lock("--check", "inventory.lock.gz").stderr


def test_a_list_that_pins_nothing_is_completed(data: Data) -> None:
    """In a bucket that keeps no versions all are called "null", whatever becomes of them."""
    versions = [{"Key": f"ds/{path}", "Size": len(body), "VersionId": "null"} for path, body in FILES.items()]
    (data.where / "list.json").write_text(json.dumps({"Versions": versions}))
    done = data.lock(data.url, "--import", "list.json", "-o", "data.lock", *data.endpoint)
    assert "neither ETag nor version" in done.stderr
    assert all(one.etag for one in records(data.where / "data.lock").values())


def test_a_table_for_datalad_and_back(versioned: Data) -> None:
    whole = records(versioned.make("whole.lock"))
    versioned.lock("whole.lock", "-o", "urls.csv")
    table = list(csv.DictReader(io.StringIO((versioned.where / "urls.csv").read_text())))
    assert {row["path"]: row["url"] for row in table} == {
        path: f"{versioned.bucket.url}/{versioned.bucket.name}/{one.key}?versionId={one.version}"
        for path, one in whole.items()
    }
    (versioned.where / "short.csv").write_text(
        "url,path\n" + "".join(f"{row['url']},x/{row['path']}\n" for row in table)
    )
    versioned.lock(versioned.url, "--import", "short.csv", "-o", "again.lock", *versioned.endpoint)
    again = records(versioned.where / "again.lock")
    assert {f"x/{path}": (one.key, one.version, one.size, one.etag) for path, one in whole.items()} == {
        path: (one.key, one.version, one.size, one.etag) for path, one in again.items()
    }


@pytest.mark.kernel
def test_the_lockfile_of_what_a_run_read(versioned: Data, where: Path) -> None:
    done = run_mountnd(versioned.url, where, *versioned.endpoint)
    assert done.returncode == 0, done.stderr
    for path in (ONE, TWO):
        assert (where / path).read_bytes() == FILES[path]
    os.stat(where / THREE)
    # The run is over; its versions are found among the older ones.
    versioned.bucket.put(f"ds/{ONE}", b"another")
    versioned.bucket.delete(f"ds/{TWO}")
    done = run_mountnd("report", where, "--lock", "read.lock", cwd=versioned.where)
    assert done.returncode == 0, done.stderr
    assert run_mountnd("umount", where).returncode == 0
    found = records(versioned.where / "read.lock")
    assert set(found) == {ONE, TWO}
    assert all(one.version and one.mtime_ns > 1_600_000_000 * 10**9 for one in found.values())
    done = run_mountnd("read.lock", where, cwd=versioned.where)
    assert done.returncode == 0, done.stderr
    assert (where / ONE).read_bytes() == FILES[ONE]
    # and of a mount of a lockfile, which knows the ids itself
    done = run_mountnd("report", where, "--lock", "again.lock", cwd=versioned.where)
    assert done.returncode == 0, done.stderr
    assert records(versioned.where / "again.lock") == {ONE: found[ONE]}
    done = run_mountnd("report", where, "--lock", "again.lock", cwd=versioned.where)
    assert (done.returncode, "--force" in done.stderr) == (2, True)
    assert run_mountnd("umount", where).returncode == 0


def test_of_a_view_what_is_stored_is_locked(data: Data, where: Path) -> None:
    """Its names, sizes and ETags are the view's own; neither a lockfile nor a download can be made of these."""
    packed = gzipped(image((4, 4)))
    data.bucket.put("ds/x.nii.gz", packed)
    assert run_mountnd(data.url, where, *data.endpoint, "--view", "nii").returncode == 0
    assert (where / "x.nii").read_bytes() == image((4, 4))
    assert (where / ONE).read_bytes() == FILES[ONE]
    done = run_mountnd("report", where, "--lock", "read.lock", cwd=data.where)
    script = run_mountnd("report", where, "--format", "aws").stdout
    assert run_mountnd("umount", where).returncode == 0
    assert done.returncode == 0, done.stderr
    found = records(data.where / "read.lock")
    assert {one.path: (one.key, one.size) for one in found.values()} == {
        "x.nii.gz": ("ds/x.nii.gz", len(packed)),
        ONE: (f"ds/{ONE}", len(FILES[ONE])),
    }
    assert "/ds/x.nii.gz ./x.nii.gz\n" in script
    data.lock("--check", "read.lock")
    for more, name, body in ((), "x.nii.gz", packed), (("--view", "nii"), "x.nii", image((4, 4))):
        assert run_mountnd(data.where / "read.lock", where, *more).returncode == 0
        assert (where / name).read_bytes() == body
        assert run_mountnd("umount", where).returncode == 0


def test_files_of_this_machine_and_python(tmp_path: Path) -> None:
    import fsspec

    for name in ("sub/one", "two"):
        (tmp_path / "src" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "src" / name).write_text(name)
    done = run_mountnd("lock", f"file://{tmp_path}/src", "-o", "data.lock", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (tmp_path / "src/three").write_text("new")
    (tmp_path / "src/two").write_text("replaced")
    system = fsspec.filesystem("mountnd", source=str(tmp_path / "data.lock"), cache_dir=str(tmp_path / "cache"))
    assert sorted(system.find("")) == ["sub/one", "two"]
    assert system.cat("sub/one") == b"sub/one"
    with pytest.raises(OSError) as refused:
        system.cat("two")
    assert refused.value.errno == errno.ESTALE
    done = run_mountnd("lock", "--check", "data.lock", cwd=tmp_path)
    assert (done.returncode, done.stdout.split(":")[:2]) == (1, ["changed", " two"])


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ([], "name one source"),
        (["URL"], "say where to write it"),
        (["URL", "URL", "-o", "x.lock"], "name one source"),
        (["URL", "-o", "there.lock"], "--force"),
        (["URL", "-o", "."], "is a directory"),
        (["URL", "-o", "none/x.lock"], "is no directory"),
        (["none.lock", "-o", "x.lock"], "no such lockfile"),
        (["bad.lock", "-o", "x.lock"], "not a lockfile of mountnd"),
        (["fastmri", "-o", "x.lock"], "links"),
        (["--check"], "lock --check FILE"),
        (["--check", "URL"], "is no lockfile"),
        (["--check", "bad.lock"], "not a lockfile of mountnd"),
        (["--check", "cut.lock"], "line 14: cut off"),
        (["--check", "none.lock"], "no such lockfile"),
        (["--check", "--diff", "there.lock"], "exclude each other"),
        (["--diff", "there.lock"], "lock --diff OLD NEW"),
        (["--diff", "there.lock", "none.lock"], "none.lock: no such file"),
        (["--diff", "there.lock", "bad.lock"], "not a lockfile of mountnd"),
        (["--heads", "there.lock"], "--heads goes with --check"),
        (["URL", "--json", "-o", "x.lock"], "--json goes with"),
        (["URL", "--import", "elsewhere.json", "-o", "x.lock"], "of 1 objects there none lies below"),
        (["URL", "--import", "none.csv", "-o", "x.lock"], "none.csv: cannot be read"),
        (["URL", "--import", "bad.lock", "-o", "x.lock"], "bad.lock, line 1"),
    ],
)
def test_mistakes_get_a_line_and_change_nothing(data: Data, args: list[str], told: str) -> None:
    there = data.make("there.lock").read_bytes()
    (data.where / "bad.lock").write_text("conda says hello\n")
    (data.where / "elsewhere.json").write_text('[{"Key": "other/x", "Size": 1, "ETag": "x"}]')
    (data.where / "cut.lock").write_bytes(b"".join(there.splitlines(keepends=True)[:13]))
    before = sorted(os.listdir(data.where))
    words = [data.url if one == "URL" else one for one in args]
    done = data.lock(*words, *(data.endpoint if "URL" in args else []), code=2)
    assert told in done.stderr
    assert sorted(os.listdir(data.where)) == before
    assert (data.where / "there.lock").read_bytes() == there


def test_a_prefix_with_nothing_below_it_is_no_lockfile(data: Data) -> None:
    done = data.lock(f"s3://{data.bucket.name}/dx", "-o", "x.lock", *data.endpoint, code=1)
    assert "nothing lies below this prefix" in done.stderr
    assert not (data.where / "x.lock").exists()


@pytest.mark.kernel
@pytest.mark.parametrize("more", [["--ttl", "5"], ["--no-probe"]])
def test_options_that_have_no_effect_are_refused(data: Data, where: Path, more: list[str]) -> None:
    data.make()
    done = run_mountnd("data.lock", where, *more, cwd=data.where)
    assert (done.returncode, "a lockfile says which names there are" in done.stderr) == (2, True)
    done = run_mountnd("data.lock", cwd=data.where)
    assert (done.returncode, "the mountpoint is missing" in done.stderr) == (2, True)


@pytest.mark.kernel
def test_a_damaged_lockfile_is_not_mounted(data: Data, where: Path) -> None:
    lockfile = data.make()
    text = lockfile.read_text()
    lockfile.write_text(text.replace(f"{THREE}\t", f"{THREE}\tx", 1))
    done = run_mountnd(lockfile, where)
    assert done.returncode == 2
    assert f"{lockfile}, line " in done.stderr
    assert "size 'x" in done.stderr
    assert not cli.is_mounted(where)


def test_overwriting_is_asked_for_and_ctrl_c_leaves_what_was_there(data: Data, proxy: Proxy) -> None:
    lockfile = data.make()
    before = lockfile.read_bytes()
    data.change()
    data.lock(data.url, "-o", lockfile, "--force", *data.endpoint)
    changed = lockfile.read_bytes()
    assert changed != before
    proxy.rule("hold", lists=True)
    process = subprocess.Popen(
        [*cli.MOUNTND, "lock", data.url, "-o", str(lockfile), "--force", "--endpoint-url", proxy.url, "--anonymous"],
        env=cli.environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        proxy.await_request(lambda request: request.is_list)
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=cli.COMMAND_S)
        assert time.monotonic() - begun < 30, "it does not wait for the answer"
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    assert process.returncode == 130, told
    assert "Traceback" not in told
    assert lockfile.read_bytes() == changed
    assert os.listdir(data.where) == ["data.lock"]


def test_it_goes_to_the_standard_output_and_a_closed_pipe_is_no_error(data: Data) -> None:
    done = data.lock(data.url, "-o", "-", *data.endpoint)
    assert done.stdout.startswith("# mountnd lockfile")
    assert done.stdout.endswith("# 6 objects\n")
    done = run_mountnd("lock", data.url, "-o", "-", *data.endpoint, within=["sh", "-c", 'exec "$@" | head -1', "sh"])
    assert done.stdout.startswith("# mountnd lockfile")
    assert "Traceback" not in done.stderr

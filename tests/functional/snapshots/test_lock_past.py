"""`mountnd lock SOURCE@TAG` and `mountnd lock SOURCE --as-of DATE`, and mounts of what they write."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mountnd.lockfile.reading import read, read_header
from mountnd.lockfile.record import Locked
from tests.support.cli import mountpoint, run_mountnd
from tests.support.proxy import Proxy
from tests.support.servers import s3_client
from tests.support.snapshots import Exported, annex_key, blob_hash

from .conftest import SECRET, TREES, Stage


def lock(*args: str | Path, code: int = 0) -> str:
    """What `mountnd lock ARGS` says on stderr."""
    done = run_mountnd("lock", *map(str, args))
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def records(path: Path) -> dict[str, Locked]:
    _, found = read(path)
    return {one.path: one for one in found}


def shown(lockfile: Path, where: Path, *flags: str) -> dict[str, bytes | int]:
    """What a mount of a lockfile shows: bytes by path; the errno of what cannot be read."""
    with mountpoint(where / "mnt") as path:
        done = run_mountnd(str(lockfile), str(path), "--cache-dir", str(where / "cache"), *flags)
        assert done.returncode == 0, done.stderr
        found: dict[str, bytes | int] = {}
        for file in path.rglob("*"):
            if file.is_file():
                try:
                    found[str(file.relative_to(path))] = file.read_bytes()
                except OSError as error:
                    found[str(file.relative_to(path))] = error.errno or -1
        return found


class TestSnapshot:
    def test_a_lockfile_of_a_snapshot(self, stage: Stage, tmp_path: Path) -> None:
        target = tmp_path / "data.lock.gz"
        said = lock("openneuro/ds000001@1.0.1", "-o", target, *stage.flags)
        tree = TREES["1.0.1"]
        assert f"{len(tree)} objects" in said
        header = read_header(target)
        assert (header.origin, header.tag, header.doi) == ("snapshot", "1.0.1", "10.18112/openneuro.ds000001.v1.0.1")
        assert (header.source, header.root, header.preset) == ("s3://openneuro.org/ds000001", "ds000001/", "openneuro")
        for path, one in records(target).items():
            key = annex_key(path, tree[path])
            digests = {f"md5:{key.split('--')[1].split('.')[0]}", f"git-sha1:{blob_hash(tree[path])}"}
            assert one.digest in digests
            assert one.size == len(tree[path])
            assert one.version
        stage.service.switch(fault={"status": 503})
        assert shown(target, tmp_path) == tree  # which asks nobody: the endpoint is in the file

    def test_latest_is_written_by_its_tag(self, stage: Stage, tmp_path: Path) -> None:
        lock("ds000001@latest", "-o", tmp_path / "a.lock", *stage.flags)
        assert read_header(tmp_path / "a.lock").tag == "1.0.2"

    def test_the_same_snapshot_is_the_same_lines(self, stage: Stage, tmp_path: Path) -> None:
        for name in ("a.lock", "b.lock"):
            lock("openneuro/ds000001@1.0.1", "-o", tmp_path / name, *stage.flags)
        texts = [(tmp_path / name).read_text().partition("---\n")[2] for name in ("a.lock", "b.lock")]
        assert texts[0] == texts[1]

    def test_a_directory_of_it(self, stage: Stage, tmp_path: Path) -> None:
        lock("openneuro/ds000001@1.0.1/sub-01/anat", "-o", tmp_path / "anat.lock", *stage.flags)
        assert set(records(tmp_path / "anat.lock")) == {"sub-01_T1w.nii.gz", "sub-01_T1w.json"}
        said = lock("openneuro/ds000001@1.0.1/sub-09", "-o", tmp_path / "none.lock", *stage.flags, code=1)
        assert "ds000001@1.0.1 has no directory sub-09" in said
        assert not (tmp_path / "none.lock").exists()

    def test_what_is_missing_is_said_and_refused_versions_are_named_by_check(
        self, stage: Stage, bucket_proxy: Proxy, tmp_path: Path
    ) -> None:
        lost = {"filename": "lost.nii.gz", "size": 77, "id": f"MD5E-s77--{'0' * 32}.nii.gz", "urls": []}
        (first, *others) = stage.exported.snapshots
        stage.service.know({"ds000001": [{**first, "files": [*first["files"], lost]}, *others]})
        target = tmp_path / "data.lock"
        refused = stage.exported.version("1.0.0", SECRET)
        bucket_proxy.rule("status", query=f"versionId={refused}", status=403, code="AccessDenied")
        flags = [*stage.flags, "--endpoint-url", bucket_proxy.url]
        said = lock("openneuro/ds000001@1.0.0", "-o", target, *flags)
        assert "1 of 11 files are missing in the bucket" in said
        assert "lost.nii.gz (the bucket has no version of it)" in said
        done = run_mountnd("lock", "--check", target)
        assert done.returncode == 1
        assert "lost.nii.gz" in done.stdout + done.stderr
        assert SECRET in done.stdout + done.stderr

    def test_a_wrong_tag(self, stage: Stage, tmp_path: Path) -> None:
        said = lock("openneuro/ds000001@2", "-o", tmp_path / "data.lock", *stage.flags, code=1)
        assert "ds000001 has no snapshot 2; it has 1.0.0, 1.0.1, 1.0.2" in said
        assert list(tmp_path.iterdir()) == []


class TestAsOf:
    @pytest.fixture
    def history(self, server: str, request: pytest.FixtureRequest) -> tuple[Exported, list[datetime]]:
        """Three exports, and a moment after each, whole seconds apart."""
        exported = Exported(server, "study", f"history-{abs(hash(request.node.name)) % 10**8}")
        moments = []
        for tree in STATES:
            exported.export(f"{len(moments)}", tree)
            moments.append(_next_second())
        return exported, moments

    def test_each_moment(self, history: tuple[Exported, list[datetime]], stage: Stage, tmp_path: Path) -> None:
        exported, moments = history
        for number, (moment, state) in enumerate(zip(moments, STATES, strict=True)):
            target = tmp_path / f"{number}.lock"
            lock(*_source(exported, stage), "--as-of", moment.isoformat(), "-o", target)
            header = read_header(target)
            assert header.origin == "as-of"
            assert datetime.fromisoformat(header.as_of) == moment
            where = tmp_path / f"{number}"
            where.mkdir()
            assert shown(target, where) == state

    def test_today_is_what_there_is_of_it(
        self, history: tuple[Exported, list[datetime]], stage: Stage, tmp_path: Path
    ) -> None:
        exported, _ = history
        lock(*_source(exported, stage), "--as-of", datetime.now(UTC).date().isoformat(), "-o", tmp_path / "a.lock")
        lock(*_source(exported, stage), "-o", tmp_path / "b.lock")
        assert records(tmp_path / "a.lock") == records(tmp_path / "b.lock")

    def test_before_the_first_object(
        self, history: tuple[Exported, list[datetime]], stage: Stage, tmp_path: Path
    ) -> None:
        said = lock(*_source(history[0], stage), "--as-of", "2001-01-01", "-o", tmp_path / "a.lock", code=1)
        assert "nothing was there at 2001-01-01T23:59:59Z; the first object came at" in said
        assert list(tmp_path.iterdir()) == []

    def test_a_bucket_that_keeps_no_versions(self, server: str, stage: Stage, tmp_path: Path) -> None:
        client = s3_client(server)
        client.create_bucket(Bucket="plain-bucket")
        client.put_object(Bucket="plain-bucket", Key="study/a", Body=b"x", ACL="public-read")
        flags = ["s3://plain-bucket/study", "--endpoint-url", stage.url, "--anonymous"]
        said = lock(*flags, "--as-of", _next_second().isoformat(), "-o", tmp_path / "a.lock", code=1)
        assert "s3://plain-bucket/study: the bucket keeps no versions" in said
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("args", "said"),
        [
            (["s3://bucket", "--as-of", "yesterday"], "'yesterday' is not a date"),
            (["s3://bucket", "--as-of", "2999-01-01"], "has not come yet"),
            (["openneuro/ds000001@1.0.1", "--as-of", "2020-01-01"], "is a snapshot, which is the same at all times"),
            (["file:///tmp", "--as-of", "2020-01-01"], "only buckets of S3 keep older versions"),
            (["s3://bucket", "--as-of", "2020-01-01", "--import", "x.json"], "--as-of does not go with --import"),
        ],
    )
    def test_what_cannot_be(self, args: list[str], said: str, tmp_path: Path) -> None:
        assert said in lock(*args, "-o", tmp_path / "a.lock", code=2)


STATES: list[Mapping[str, bytes]] = [
    {"a.txt": b"one", "sub/b.txt": b"two", "c.txt": b"three"},
    {"a.txt": b"ONE", "c.txt": b"three", "new.txt": b"new"},
    {"a.txt": b"ONE", "sub/b.txt": b"two", "new.txt": b"newer"},
]


def _source(exported: Exported, stage: Stage) -> list[str]:
    return [f"s3://{exported.bucket}/{exported.dataset}", "--endpoint-url", stage.url, "--anonymous"]


def _next_second() -> datetime:
    """A moment after everything so far, and before all that follows: the server tells whole seconds."""
    start = datetime.now(UTC)
    while datetime.now(UTC).timestamp() < int(start.timestamp()) + 2:
        time.sleep(0.05)
    return datetime.fromtimestamp(int(start.timestamp()) + 1, UTC)

"""`mountnd doctor`: what is wrong, and the command that fixes it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from mountnd.cli.remedies import suggest_fix
from mountnd.config.options import SourceConfig
from mountnd.config.presets import find
from mountnd.daemon.unmount import wait_gone
from mountnd.errors import (
    Forbidden,
    LinkExpired,
    NoCredentials,
    NoSuchBucket,
    StoreError,
    Throttled,
    Unreachable,
    WrongRegion,
)
from tests.support import cli, tree
from tests.support.children import stop
from tests.support.cli import daemon_record, run_mountnd
from tests.support.proxy import Proxy
from tests.support.quirky import quirky_server, thing

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def kept(server: str) -> tree.Bucket:
    """A bucket with keys that can, and keys that cannot, be shown."""
    bucket = tree.Bucket(server, "doctored")
    bucket.put_all(
        {
            "ok/file.json": b"{}",
            "ok/deeper/odd/../key": b"x",
            "odd//empty segment": b"x",
            "both": b"file",
            "both/inside": b"x",
        }
    )
    return bucket


@pytest.fixture
def where(tmp_path: Path) -> Iterator[Path]:
    with cli.mountpoint(tmp_path.resolve() / "mnt") as path:
        yield path


def doctor(*args: str | Path) -> tuple[int, str]:
    done = run_mountnd("doctor", *args)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def flat(text: str) -> str:
    """Without line breaks that a table made."""
    return " ".join(text.split())


def test_a_machine_that_can_mount() -> None:
    code, said = doctor()
    assert code == 0, said
    for word in ("/dev/fuse", "libfuse 3.", "fusermount3", "allow-other", "cache directory", "run directory"):
        assert word in said


def test_a_source_that_can_be_read(kept: tree.Bucket) -> None:
    code, said = doctor(f"s3://{kept.name}", "--endpoint-url", kept.url, "--anonymous")
    assert code == 0, said
    assert f"s3://{kept.name} can be listed" in flat(said)
    assert "requests are not signed" in flat(said)


def test_a_source_without_keys_says_that_it_is_read_unsigned(kept: tree.Bucket) -> None:
    code, said = doctor(f"s3://{kept.name}", "--endpoint-url", kept.url)
    assert code == 0, said
    assert "unsigned" in flat(said)


def test_a_bucket_that_is_not_there(server: str) -> None:
    code, said = doctor("s3://no-such-bucket-here", "--endpoint-url", server, "--anonymous")
    assert code == 1
    assert "bad" in said
    assert "check the bucket's name" in said


def test_a_server_that_is_not_there(proxy: Proxy) -> None:
    proxy.down()
    code, said = doctor(
        "s3://bucket", "--endpoint-url", proxy.url, "--region", "us-east-1", "--anonymous", "--timeout", "10"
    )
    assert code == 1
    assert f"curl -I {proxy.url}" in said


def test_keys_that_the_tree_cannot_show(kept: tree.Bucket) -> None:
    source = (f"s3://{kept.name}", "--endpoint-url", kept.url, "--anonymous")
    code, said = doctor(*source, "--keys", "")
    assert code == 0
    assert "odd//" in said
    assert "both" in said
    assert "ok/deeper/odd/../" in said
    assert "ok/file.json" not in said
    code, said = doctor(*source, "--keys", "ok/deeper")
    assert code == 0
    assert "ok/deeper/odd/../" in said
    assert "odd//" not in said
    code, said = doctor(*source, "--keys", "ok/none")
    assert code == 1


def test_keys_that_are_all_shown(server: str) -> None:
    bucket = tree.Bucket(server, "plain")
    bucket.put("a/b.json", b"{}")
    code, said = doctor("s3://plain", "--endpoint-url", server, "--anonymous", "--keys", "/")
    assert code == 0
    assert "Every key is shown under its own name." in said


def test_keys_need_a_source() -> None:
    assert doctor("--keys", "x")[0] == 2


def test_live_and_dead_mounts(kept: tree.Bucket, where: Path) -> None:
    assert run_mountnd(f"s3://{kept.name}", where, "--endpoint-url", kept.url, "--anonymous").returncode == 0
    record = daemon_record(where)
    code, said = doctor()
    assert code == 0, said
    assert f"{where}showss3://{kept.name}" in "".join(said.split())  # the table breaks long words
    assert f"process {record.pid}" in flat(said)
    os.kill(record.pid, signal.SIGKILL)
    assert wait_gone(record, 20)
    code, said = doctor()
    assert code == 1
    assert f"fix   mountnd umount --lazy {where}\n" in said
    assert run_mountnd("umount", "--lazy", where).returncode == 0
    assert doctor()[0] == 0


def test_a_mount_that_hangs(kept: tree.Bucket, where: Path) -> None:
    assert run_mountnd(f"s3://{kept.name}", where, "--endpoint-url", kept.url, "--anonymous").returncode == 0
    record = daemon_record(where)
    stop(record.pid)
    try:
        code, said = doctor()
        assert code == 1
        assert "does not answer" in flat(said)
    finally:
        os.kill(record.pid, signal.SIGCONT)


def test_a_cache_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, said = doctor("-o", f"cache_dir={tmp_path}/file/cache")
    assert code == 1
    assert f"sudo install -d -o $USER -m 0700 {tmp_path}/file/cache" in said


def test_a_run_directory_that_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a variable that names a directory of somebody else, another place is found."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/proc/1")
    monkeypatch.delenv("MOUNTND_RUN_DIR")
    _, said = doctor()
    assert "run directory" in said
    assert "/proc/1" not in said


def test_a_run_directory_that_is_named_and_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOUNTND_RUN_DIR", str(tmp_path / "absent" / "run"))
    code, said = doctor()
    assert code == 1
    assert "absent/run is missing" in said and "export MOUNTND_RUN_DIR=$(mktemp -d)" in said


SOURCE = SourceConfig(name="x", url="s3://x")
FIXES: list[tuple[StoreError, SourceConfig, str]] = [
    (NoSuchBucket(""), SOURCE, "check the bucket's name"),
    (NoCredentials(""), SOURCE, "aws configure "),
    (NoCredentials(""), SourceConfig(name="x", url="s3://x", profile="my lab"), "aws configure --profile 'my lab'"),
    (Forbidden(""), SOURCE, "--anonymous"),
    (Forbidden(""), SourceConfig(name="x", url="s3://x", anonymous=True), "--profile NAME"),
    (LinkExpired(""), SOURCE, "--urls FILE"),
    (WrongRegion("", region="eu-west-1"), SOURCE, "--region eu-west-1"),
    (Unreachable(""), SOURCE, "curl -I https://s3.amazonaws.com"),
    (Throttled(""), SOURCE, "try again"),
]


@pytest.mark.parametrize(("error", "source", "words"), FIXES)
def test_each_error_of_a_source_has_its_remedy(error: StoreError, source: SourceConfig, words: str) -> None:
    assert words in suggest_fix(error, source, None)


def test_a_preset_that_needs_keys_says_how_to_get_them() -> None:
    hcp = find("hcp")
    assert hcp is not None
    assert suggest_fix(NoCredentials(""), SOURCE, hcp) == hcp.keys


def test_etags_that_mean_nothing_are_named() -> None:
    with quirky_server() as quirky:
        flags = ("--anonymous", "--endpoint-url", quirky.url, "--region", "us-east-1")
        quirky.hold({"a/k": thing(b"one", etag="same"), "b/k": thing(b"another", etag="same")})
        assert "one ETag stands for different objects" in " ".join(
            run_mountnd("doctor", "s3://bkt", *flags).stdout.split()
        )
        quirky.hold({"a/k": b"one", "b/k": b"another"}, bucket="behaves")
        assert "ETag" not in run_mountnd("doctor", "s3://behaves", *flags).stdout

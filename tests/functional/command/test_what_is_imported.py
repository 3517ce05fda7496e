"""A start is quick because it imports little: counted here by what is imported, not timed."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import cli
from tests.support.cli import run_mountnd
from tests.support.quirky import Quirky
from tests.support.servers import file_server
from tests.support.waiting import holds_within

pytestmark = pytest.mark.kernel

# Whatever is mounted, and whoever asks: these are of other programs, of tests, or of a part that is not used.
NEVER = ("boto3", "moto", "numpy", "nibabel", "pandas", "PIL", "matplotlib", "pytest", "pkg_resources", "rich",
         "prometheus_client", "wsgiref", "mountnd.metrics",
         "botocore.docs", "botocore.waiter", "s3transfer", "mountnd.demo")  # fmt: skip
# What s3fs needs beside, of which signing needs a little.
OF_S3FS = ("s3fs", "fsspec", "aiobotocore", "aiohttp", "yarl", "botocore.session", "botocore.client")
OF_SIGNING = ("botocore.auth", "botocore.credentials", "urllib3", "asyncio")
# What only serves a mount.
OF_DAEMONS = ("mountnd.serve", "mountnd.assembly", "mountnd.vfs", "mountnd.catalog", "mountnd.blocks", "mountnd.fuse",
              "mountnd.stores", "mfusepy", "ssl", "http.client")  # fmt: skip


def imported(log: str) -> set[str]:
    """The modules that `-X importtime` told of."""
    return set(re.findall(r"^import time:.*\| +(\S+)$", log, re.MULTILINE))


def among(modules: set[str], names: tuple[str, ...]) -> set[str]:
    """Those of `names` that were imported, or something inside them."""
    return {name for name in names if any(one == name or one.startswith(f"{name}.") for one in modules)}


@pytest.fixture
def where(tmp_path: Path) -> Iterator[Path]:
    with cli.mountpoint(tmp_path.resolve() / "mnt") as path:
        yield path


@pytest.fixture
def bucket(quirky: Quirky) -> list[str]:
    quirky.hold({"a/f": b"x" * 70_000, "g": b"y"})
    return ["s3://bkt", "--endpoint-url", quirky.url, "--region", "us-east-1"]


@pytest.fixture
def web(tmp_path: Path) -> Iterator[list[str]]:
    (tmp_path / "files").mkdir()
    (tmp_path / "files/f").write_bytes(b"x")
    with file_server(tmp_path / "files") as url:
        yield [f"{url}/"]


def started(words: list[str], where: Path, tmp_path: Path, env: dict[str, str]) -> set[str]:
    """What a mount in the foreground has imported when it is there."""
    log = tmp_path / "log"
    quiet = {"HOME": str(tmp_path / "home"), "AWS_EC2_METADATA_DISABLED": "true"}
    quiet["AWS_CONFIG_FILE"] = str(tmp_path / "home/.aws/config")
    quiet["AWS_SHARED_CREDENTIALS_FILE"] = str(tmp_path / "home/.aws/credentials")
    with log.open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, "-X", "importtime", "-m", "mountnd", *words, str(where), "--foreground",
             "--cache-dir", str(tmp_path / "cache")],
            env={**cli.environment(), **quiet, **env}, stdin=subprocess.DEVNULL, stderr=err,
        )  # fmt: skip
    try:
        told = lambda: b"Ctrl-C unmounts it" in log.read_bytes() or process.poll() is not None  # noqa: E731
        assert holds_within(told, cli.COMMAND_S) and process.poll() is None, log.read_text()[-2000:]
        assert run_mountnd("umount", where).returncode == 0
        return imported(log.read_text())
    finally:
        process.kill()
        process.wait()


def test_an_unsigned_bucket_needs_no_library(bucket: list[str], where: Path, tmp_path: Path) -> None:
    modules = started([*bucket, "--anonymous"], where, tmp_path, {})
    assert "mountnd.stores.s3.store" in modules
    assert among(modules, (*NEVER, *OF_S3FS, *OF_SIGNING, "botocore")) == set()


def test_with_aws_files_it_needs_a_parser(bucket: list[str], where: Path, tmp_path: Path) -> None:
    (tmp_path / "home/.aws").mkdir(parents=True)
    (tmp_path / "home/.aws/config").write_text("[default]\nregion = eu-west-1\n")
    modules = started([*bucket, "--anonymous"], where, tmp_path, {})
    assert "botocore.configloader" in modules
    assert among(modules, (*NEVER, *OF_S3FS, *OF_SIGNING)) == set()


@pytest.mark.parametrize("profile", [False, True])
def test_keys_that_are_written_down_need_what_signs(
    bucket: list[str], where: Path, tmp_path: Path, profile: bool
) -> None:
    env = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "secret"}
    if profile:
        (tmp_path / "home/.aws").mkdir(parents=True)
        text = "".join(f"{name.lower()} = {value}\n" for name, value in env.items())
        (tmp_path / "home/.aws/credentials").write_text(f"[lab]\n{text}")
        env, bucket = {}, [*bucket, "--profile", "lab"]
    modules = started(bucket, where, tmp_path, env)
    assert "botocore.auth" in modules
    assert among(modules, (*NEVER, *OF_S3FS)) == set()


def test_keys_of_a_program_need_s3fs(bucket: list[str], where: Path, tmp_path: Path) -> None:
    (tmp_path / "home/.aws").mkdir(parents=True)
    said = '{"Version": 1, "AccessKeyId": "AKIA", "SecretAccessKey": "secret"}'
    (tmp_path / "home/.aws/config").write_text(f"[profile lab]\ncredential_process = echo '{said}'\n")
    modules = started([*bucket, "--profile", "lab"], where, tmp_path, {})
    assert among(modules, ("s3fs", "aiobotocore")) == {"s3fs", "aiobotocore"}
    assert among(modules, ("boto3", "moto", "numpy", "nibabel", "rich", "mountnd.demo")) == set()


def test_a_web_server_needs_no_library(web: list[str], where: Path, tmp_path: Path) -> None:
    modules = started(web, where, tmp_path, {})
    assert "mountnd.stores.directory.http_backend" in modules
    assert among(modules, (*NEVER, *OF_S3FS, *OF_SIGNING, "botocore", "mountnd.stores.s3")) == set()


def test_whoever_waits_for_the_daemon_imports_none_of_it(bucket: list[str], where: Path, tmp_path: Path) -> None:
    tells = {"PYTHONPROFILEIMPORTTIME": "1", "HOME": str(tmp_path)}
    done = run_mountnd(*bucket, where, "--anonymous", "--cache-dir", tmp_path / "cache", env=tells)
    assert done.returncode == 0, done.stderr
    try:
        assert among(imported(done.stderr), (*NEVER, *OF_S3FS, *OF_SIGNING, *OF_DAEMONS)) == set()
        for words in (("ls",), ("stats", where), ("explain", where), ("umount", where)):
            done = run_mountnd(*words, env=tells)
            assert done.returncode == 0, done.stderr
            modules = imported(done.stderr)
            assert among(modules, (*NEVER, *OF_S3FS, *OF_SIGNING, "mountnd.config.resolve", *OF_DAEMONS)) == set()
    finally:
        run_mountnd("umount", where)


def test_importing_mountnd_imports_nothing() -> None:
    """What programs use of it is imported when they do."""
    code = "import sys; before = set(sys.modules); import mountnd; print(*set(sys.modules) - before); mountnd.mount"
    done = subprocess.run([sys.executable, "-c", code], cwd=cli.ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["mountnd"]


def test_a_mount_from_python_imports_none_of_what_serves_it(bucket: list[str], tmp_path: Path) -> None:
    code = (
        "import sys, mountnd\n"
        f"with mountnd.mount({bucket[0]!r}, endpoint_url={bucket[2]!r}, anonymous=True, region='us-east-1',"
        f" cache_dir={str(tmp_path / 'cache')!r}) as root:\n    assert (root / 'g').read_bytes() == b'y'\n"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cli.ROOT, env=cli.environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    modules = set(done.stdout.split())
    assert among(modules, (*NEVER, *OF_S3FS, "mountnd.serve", "mountnd.assembly", "mountnd.vfs", "click")) == set()

"""The Dockerfile of the help: built and run by podman."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import mountnd
from tests.support import tree
from tests.support.servers import moto_server
from tests.support.tree import Bucket

from .containers import IMAGE, CannotRun, Podman, podman

pytestmark = [pytest.mark.cluster, pytest.mark.kernel, pytest.mark.root]

KEY = "sub-01/anat/sub-01_T1w.nii.gz"
BODY = tree.content("container", 700_001)


@pytest.fixture(scope="module")
def engine() -> Iterator[Podman]:
    try:
        stack = podman()
        one = stack.__enter__()
    except CannotRun as e:
        pytest.skip(f"podman cannot be used here: {e}")
    try:
        yield one
    finally:
        stack.__exit__(None, None, None)


@pytest.fixture(scope="module")
def source() -> Iterator[list[str]]:
    """What names the source."""
    with moto_server() as url:
        Bucket(url, "boxed").put(KEY, BODY)
        yield ["s3://boxed", "--endpoint-url", url, "--region", "us-east-1", "--anonymous"]


def test_the_image_mounts_for_an_ordinary_user(engine: Podman, source: list[str]) -> None:
    script = f"id -u; sha256sum {{}}/{KEY}"
    done = engine.run(*engine.may_mount, IMAGE, "exec", "-q", *source, "--", "sh", "-c", script)
    assert done.returncode == 0, done.stderr
    user, digest = done.stdout.splitlines()
    assert user == "1000" and digest.split()[0] == hashlib.sha256(BODY).hexdigest()


def test_one_cache_for_several_containers(engine: Podman, source: list[str], tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o755)
    cache.chmod(0o755)
    words = (*engine.may_mount, f"--volume={cache}:/cache", "--user=0", IMAGE, "exec")
    for expected in ("fetched", "0 B fetched"):
        done = engine.run(*words, *source, "--", "md5sum", f"{{}}/{KEY}")
        assert done.returncode == 0, done.stderr
        assert hashlib.md5(BODY).hexdigest() in done.stdout
        assert expected in done.stderr


def test_without_the_device_it_says_what_is_missing(engine: Podman, source: list[str]) -> None:
    done = engine.run(IMAGE, "exec", *source, "--", "true")
    assert done.returncode == 1
    assert "/dev/fuse" in done.stderr and "Traceback" not in done.stderr


def test_the_help_is_in_the_image(engine: Podman) -> None:
    done = engine.run(IMAGE, "help", "k8s/pod.yaml")
    assert done.returncode == 0 and "kind: Pod" in done.stdout
    assert "Usage: mountnd" in engine.run(IMAGE).stdout


def test_a_mount_of_the_host_is_seen_in_a_container(engine: Podman, source: list[str], tmp_path: Path) -> None:
    """By a volume, as another user, with --allow-other."""
    where = tmp_path / "ds"
    options = {"endpoint_url": source[2], "region": "us-east-1", "anonymous": True, "allow_other": True}
    with mountnd.mount(source[0], where, cache_dir=tmp_path / "cache", **options):
        volume = f"--volume={where}:/data:ro,rslave"
        done = engine.run(volume, "--entrypoint=md5sum", IMAGE, f"/data/{KEY}")
        assert done.returncode == 0, done.stderr
        assert hashlib.md5(BODY).hexdigest() in done.stdout

"""What a source is, through real mounts: settled endpoint, bucket, and who asks; each source by its own store and keys.

What the identity is made of is `tests/unit/stores/test_s3_identity.py`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mountnd.daemon.unmount import wait_gone
from tests.support import cli
from tests.support.cli import daemon_record, run_mountnd
from tests.support.quirky import Quirky, Request, quirky_server, thing

pytestmark = pytest.mark.kernel

GONE_S = 60.0
PROBED = "bytes=999-999"


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Quirky, Quirky]]:
    with quirky_server() as one, quirky_server() as other:
        yield one, other


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory for AWS files, which variables name."""
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "aws-credentials"))
    return tmp_path


@contextmanager
def mounted(where: Path, *args: str) -> Iterator[Path]:
    """The command in the background, with the cache that all mounts of a test share."""
    with cli.mountpoint(where / "mnt") as path:
        done = run_mountnd(*args, path, "--cache-dir", where / "cache")
        assert done.returncode == 0, done.stderr
        (where / "said").write_text(done.stderr)
        yield path
        record = daemon_record(path)
        assert run_mountnd("umount", path).returncode == 0
        assert wait_gone(record, GONE_S)


def asker(request: Request) -> str:
    """The access key id that signed it; "" for none."""
    found = re.search(r"Credential=([^/]+)/", request.headers.get("authorization", ""))
    return found[1] if found else ""


def test_servers_that_variables_name_are_told_apart(
    servers: tuple[Quirky, Quirky], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("first", "other")
    for server, word in zip(servers, words, strict=True):
        server.hold({"d/same": thing(word.encode(), etag="0" * 31 + "1"), f"d/{word}": b"x"})
    for _ in range(2):  # the second time from the cache
        for server, word in zip(servers, words, strict=True):
            monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
            with mounted(tmp_path, "s3://bkt", "--region", "us-east-1", "--anonymous") as path:
                assert sorted(os.listdir(path / "d")) == sorted(["same", word])
                assert (path / "d/same").read_bytes() == word.encode()
    asked = [request.target for server in servers for request in server.log() if request.method == "GET"]
    assert asked.count("/bkt/d/same") == 2


def test_servers_that_profiles_name_are_told_apart_in_one_mount(servers: tuple[Quirky, Quirky], files: Path) -> None:
    one, other = servers
    one.hold({"same.txt": b"one!!"}, keys=["ONE"])
    other.hold({"same.txt": b"other"}, keys=["OTHER"])
    (files / "aws-config").write_text(
        f"[profile one]\nregion = us-east-1\nendpoint_url = {one.url}\n"
        f"[profile other]\nregion = us-east-1\nservices = lab\n[services lab]\ns3 =\n  endpoint_url = {other.url}\n"
    )
    (files / "aws-credentials").write_text(
        "[one]\naws_access_key_id = ONE\naws_secret_access_key = s\n"
        "[other]\naws_access_key_id = OTHER\naws_secret_access_key = s\n"
    )
    (files / "mountnd.toml").write_text(
        '[sources.one]\nurl = "s3://bkt"\nprofile = "one"\nregion = "us-east-1"\n'
        '[sources.other]\nurl = "s3://bkt"\nprofile = "other"\nregion = "us-east-1"\n'
        f'[mounts."{files / "mnt"}"]\nsources = ["one", "other"]\n'
    )
    with mounted(files, "--config", str(files / "mountnd.toml")) as path:
        assert (path / "one/same.txt").read_bytes() == b"one!!"
        assert (path / "other/same.txt").read_bytes() == b"other"


def test_each_source_of_a_bucket_asks_with_its_own_keys(servers: tuple[Quirky, Quirky], files: Path) -> None:
    server, _ = servers
    names = ("public", "lab", "home", "payer")
    server.hold({f"{name}/{i}.txt": name.encode() for name in (*names, "shared") for i in range(2)})
    (files / "aws-credentials").write_text(
        "[lab]\naws_access_key_id = LAB\naws_secret_access_key = s\n"
        "[home]\naws_access_key_id = HOME\naws_secret_access_key = s\n"
    )
    how = {
        "public": "anonymous = true",
        "lab": 'profile = "lab"',
        "home": 'profile = "home"',
        "payer": 'profile = "lab"\nrequester_pays = true',
    }
    at = f'endpoint_url = "{server.url}"\nregion = "us-east-1"\n'
    tables = [
        f'[sources.{name}]\nurl = "s3://bkt/{name}"\n{at}{said}\n'
        f'[sources.all-{name}]\nurl = "s3://bkt/shared"\n{at}{said}\n'
        for name, said in how.items()
    ]
    listed = ", ".join(f'"{name}", "all-{name}"' for name in names)
    (files / "mountnd.toml").write_text("".join(tables) + f'[mounts."{files / "mnt"}"]\nsources = [{listed}]\n')
    keys = {"public": "", "lab": "LAB", "home": "HOME", "payer": "LAB"}
    with mounted(files, "--config", str(files / "mountnd.toml")) as path:
        for name in names:
            assert (path / name / "0.txt").read_bytes() == name.encode()
        asked = server.log()
        for name in names:
            own = [r for r in asked if f"/bkt/{name}/" in r.target or f"prefix={name}%2F" in r.target]
            assert {r.method for r in own} == {"GET"}
            assert {asker(r) for r in own} == {keys[name]}, name
            assert {"x-amz-request-payer" in r.headers for r in own} == {name == "payer"}, name
        server.switch()  # forget the requests
        # The same object for all of them: nobody is given what another one's keys have opened.
        for name in names:
            assert (path / f"all-{name}" / "0.txt").read_bytes() == b"shared"
        gets = [(asker(r), "x-amz-request-payer" in r.headers) for r in server.log() if r.target.endswith("/0.txt")]
        assert sorted(gets) == [("", False), ("HOME", False), ("LAB", False), ("LAB", True)]


def askers(server: Quirky) -> list[str]:
    """Who read the object, less the byte that each mount reads when it begins."""
    gets = [r for r in server.log() if r.target == "/bkt/k" and r.method == "GET"]
    return [asker(r) for r in gets if r.headers["range"] != PROBED]


def test_the_cache_outlives_the_keys_of_an_hour(
    servers: tuple[Quirky, Quirky], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, _ = servers
    server.hold({"k": b"x" * 1000}, keys=["ASIAFIRST", "ASIASECOND"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    for key in ("ASIAFIRST", "ASIASECOND"):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
        with mounted(tmp_path, "s3://bkt", "--region", "us-east-1", "--endpoint-url", server.url) as path:
            assert (path / "k").read_bytes() == b"x" * 1000
    assert askers(server) == ["ASIAFIRST"]


def test_what_was_cached_without_saying_for_whom_is_set_aside_and_that_is_said_once(
    servers: tuple[Quirky, Quirky], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, _ = servers
    server.hold({"k": b"x" * 1000})
    how = ("s3://bkt", "--region", "us-east-1", "--endpoint-url", server.url)
    with mounted(tmp_path, *how, "--anonymous") as path:  # as every mount's was kept before
        assert (path / "k").read_bytes() == b"x" * 1000
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "KEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    said = []
    for _ in range(2):
        with mounted(tmp_path, *how) as path:
            assert (path / "k").read_bytes() == b"x" * 1000
            said.append("does not say whose keys read it" in (tmp_path / "said").read_text())
    assert said == [True, False]
    assert askers(server) == ["", "KEY"]

"""Secrets planted wherever one may stand; then every output, file and table that others may read is searched."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from mountnd.daemon import rundir
from tests.support import cli
from tests.support.cli import daemon_record, run_mountnd
from tests.support.quirky import Quirky
from tests.support.servers import SCRIPTS, script_server

pytestmark = pytest.mark.kernel

# In every secret below.
MARK = b"PLANTED"
KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "PLANTED/secretKey+0001",
    "AWS_SESSION_TOKEN": "PLANTED//sessionToken+0002==",
}
SIGNED = (
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=PLANTED%2F20200101%2Fus-east-1%2Fs3%2Faws4_request"
    "&X-Amz-Date=20200101T000000Z&X-Amz-Expires={expires}&X-Amz-Security-Token=PLANTEDtoken&X-Amz-Signature=PLANTED5f"
)
VERSION_2 = "AWSAccessKeyId=PLANTEDid&Signature=PLANTED%2Bsig&Expires=1700000000"
OTHERS = "sig=PLANTEDazure&X-Goog-Signature=PLANTEDgoog&Policy=PLANTEDp&Key-Pair-Id=PLANTEDpair&token=PLANTEDt"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """host:port of a web server with a file."""
    root = tmp_path_factory.mktemp("web")
    (root / "file.nii").write_bytes(b"b" * 100_000)
    with script_server(SCRIPTS / "file_server.py", str(root)) as port:
        yield f"127.0.0.1:{port}"


class Searched:
    """Runs commands, and keeps what they print. `cache`, `log`: where mounts keep what they keep."""

    def __init__(self, tmp: Path) -> None:
        self.cache, self.log, self.where = tmp / "cache", tmp / "log", tmp / "mnt"
        self._printed: list[tuple[Sequence[object], str]] = []

    def run(self, *args: str | Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        done = run_mountnd(*args, env={"MOUNTND_CACHE_DIR": str(self.cache), **(env or {})})
        self._printed.append((args, done.stdout + done.stderr))
        return done

    def mount(self, *args: str | Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return self.run(*args, self.where, "--debug", "--log-file", self.log, "--timeout", "5", env=env)

    def look_at_mount(self) -> None:
        """Every verb that shows something of a mount; its process; the tables that everybody may read."""
        for args in (["stats"], ["stats", "--json"]):
            assert self.run(*args, self.where).returncode == 0
        self.run("doctor")
        self.run("cache", "ls")
        pid = daemon_record(self.where).pid
        tables = ["/proc/self/mounts", "/proc/self/mountinfo", f"/proc/{pid}/cmdline", f"/proc/{pid}/comm"]
        self._printed += [([path], Path(path).read_text(errors="replace")) for path in tables]
        done = subprocess.run(["df", "-a"], capture_output=True, text=True, check=False)
        self._printed.append((["df"], done.stdout + done.stderr))

    def check(self) -> None:
        assert [(args, text) for args, text in self._printed if MARK.decode() in text] == []
        for top in (self.log.parent, rundir.run_dir()):
            for path in top.rglob("*"):
                if stat.S_ISREG(path.lstat().st_mode) and path.name != "planted":
                    assert MARK not in path.read_bytes(), path
                assert MARK.decode() not in path.name


@pytest.fixture
def searched(tmp_path: Path) -> Iterator[Searched]:
    found = Searched(tmp_path.resolve())
    with cli.mountpoint(found.where):
        yield found


def test_keys_of_s3(quirky: Quirky, searched: Searched) -> None:
    """What libraries tell of signed requests with --debug, of working ones and refused ones."""
    quirky.hold({"a/f": b"x" * 70_000, "b/g": b"y"})
    source = ["s3://bkt", "--endpoint-url", quirky.url, "--region", "us-east-1", "--ttl", "0"]
    searched.log.write_text("kept\n")
    searched.log.chmod(0o644)
    done = searched.mount(*source, env=KEYS)
    assert done.returncode == 0, done.stderr
    assert len((searched.where / "a/f").read_bytes()) == 70_000
    searched.look_at_mount()
    quirky.switch(refusal=[403, "SignatureDoesNotMatch"], keys=["nobody"])
    with pytest.raises(OSError):
        (searched.where / "b/g").read_bytes()
    searched.run("doctor", *source[:-2], "--debug", env=KEYS)
    assert searched.run("umount", searched.where).returncode == 0
    assert searched.mount(*source, env=KEYS).returncode == 1
    searched.run("config", *source, searched.where, env=KEYS)
    text = searched.log.read_text()
    assert text.startswith("kept\n")
    assert "botocore" in text  # libraries did speak
    assert stat.S_IMODE(searched.log.stat().st_mode) == 0o600
    searched.check()


def test_urls_of_web_servers(web: str, searched: Searched) -> None:
    """A password and signatures in the URL: of a mount that works, then of one that does not."""
    for query in (SIGNED.format(expires=900), VERSION_2, OTHERS):
        url = f"http://me:PLANTED%2Fpw@{web}/file.nii?{query}"
        done = searched.mount(url)
        assert done.returncode == 0, done.stderr
        assert (searched.where / "file.nii").read_bytes() == b"b" * 100_000
        searched.look_at_mount()
        assert searched.run("umount", searched.where).returncode == 0
        assert searched.run("config", url, searched.where).returncode == 0
        assert searched.run("doctor", url).returncode == 0
    for url in (f"http://me:PLANTED@{web}/none.nii?{VERSION_2}", f"http://me:PLANTED@127.0.0.1:1/x?{OTHERS}"):
        assert searched.mount(url).returncode == 1
        assert searched.run("doctor", url, "--debug").returncode == 1
    names = [path.parent for path in searched.cache.rglob("source")]
    assert names  # something was kept on disk, by an identity
    searched.check()


@pytest.mark.parametrize("expires", [900, 2_000_000_000])
def test_signed_links(web: str, searched: Searched, expires: int) -> None:
    """Links that have ended (only one is asked for), links that are refused, and a file that is none."""
    planted = searched.log.with_name("planted")
    planted.write_text(
        f'curl -C - "http://me:PLANTED@{web}/file.nii?{SIGNED.format(expires=expires)}" --output file.nii\n'
        f'curl "http://{web}/secret.nii?{SIGNED.format(expires=2_000_000_000)}" --output other.nii\n'
    )
    if searched.mount("fastmri", "--urls", planted).returncode == 0:
        for name in ("file.nii", "other.nii"):
            try:
                (searched.where / name).read_bytes()
            except OSError:
                pass
        searched.look_at_mount()
        assert searched.run("umount", searched.where).returncode == 0
    searched.run("doctor", "fastmri", "--urls", planted, "--debug")
    planted.write_text(f"http://[PLANTED@{web}/x?{VERSION_2}\n")
    assert searched.mount("fastmri", "--urls", planted).returncode in (1, 2)
    searched.check()


@pytest.mark.parametrize(
    "args",
    [
        ["s3://AKIA:PLANTED/key@bucket/prefix"],
        ["s3://PLANTED:x@bucket"],
        ["htp://me:PLANTED@host/x"],
        ["https://me:PLANTED@host:port/x"],
        ["ftp://me:PLANTED@127.0.0.1:1/x"],
        ["sftp://me:PLANTED@127.0.0.1:1/x"],
        ["https://me:PLA#PLANTED/x@127.0.0.1:1/"],
        ["s3://bucket", "--endpoint-url", "http://me:PLANTED@127.0.0.1:1", "--no-anonymous"],
        ["s3://bucket", "--endpoint-url", "ftp://me:PLANTED@host", "--no-anonymous"],
        ["s3://bucket", "-o", "secret_key=PLANTED"],
        ["s3://bucket", "--region", "a b?sig=PLANTED"],
    ],
)
def test_what_was_typed_wrong_is_not_repeated_with_its_secret(searched: Searched, args: list[str]) -> None:
    for verb in (["mount", *args, searched.where], ["doctor", *args], ["config", *args, searched.where]):
        searched.run(*verb, "--debug", env=KEYS)
    searched.check()


def test_proxies_and_config_files(searched: Searched, tmp_path: Path) -> None:
    config = tmp_path / "planted"
    config.write_text(
        "[defaults]\ntimeout = 2\n[sources.lab]\nurl = 'https://me:PLANTED@127.0.0.1:1/x?sig=PLANTED'\n"
        f"[mounts.'{searched.where}']\nsources = ['lab']\n"
    )
    assert searched.run(searched.where, "--config", config, "--debug").returncode == 1
    for args in (["config", searched.where], ["config"], ["doctor", "lab"]):
        searched.run(*args, "--config", config)
    config.write_text("[sources.lab]\nurl = 's3://bucket'\nsecret_key = 'PLANTED'\n")
    assert searched.run(searched.where, "--config", config, "--debug").returncode == 2
    env = {**KEYS, **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy"), "http://me:PLANTED%40@127.0.0.1:1")}
    for source in ("s3://bucket", "https://example.org/x/"):
        assert searched.mount(source, env=env).returncode == 1
        searched.run("doctor", source, "--debug", env=env)
    searched.check()


@pytest.mark.root
@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to give a file away")
def test_a_log_of_somebody_else_is_refused(quirky: Quirky, searched: Searched) -> None:
    quirky.hold({"f": b"x"})
    searched.log.write_text("his\n")
    os.chown(searched.log, 1234, 1234)
    done = searched.mount("s3://bkt", "--endpoint-url", quirky.url, "--anonymous")
    assert done.returncode == 1
    assert "it belongs to user 1234, who could read it" in done.stderr
    assert searched.log.read_text() == "his\n"


def test_the_daemon_dumps_no_core(quirky: Quirky, searched: Searched) -> None:
    quirky.hold({"f": b"x"})
    source = ["s3://bkt", "--endpoint-url", quirky.url, "--region", "us-east-1", "--anonymous"]
    assert searched.mount(*source).returncode == 0
    limits = Path(f"/proc/{daemon_record(searched.where).pid}/limits").read_text()
    (core,) = [line.split() for line in limits.splitlines() if line.startswith("Max core file size")]
    assert core[4:6] == ["0", "0"]


@pytest.mark.parametrize(("anonymous", "said"), [(False, 1), (True, 0)])
def test_signed_requests_without_encryption_are_told_of_once(
    quirky: Quirky, searched: Searched, anonymous: bool, said: int
) -> None:
    """Labs do it on purpose: no error. The name leads to another address of this machine than the loopback's."""
    quirky.hold({"f": b"x"})
    # The scripted server listens on 127.0.0.1 only; a proxy is what takes requests for any name to it.
    host = "http://s3.lab.example:9000"
    env = {**KEYS, "HTTP_PROXY": quirky.url, "http_proxy": quirky.url}
    source = ["s3://bkt", "--endpoint-url", host, "--region", "us-east-1", *(["--anonymous"] if anonymous else [])]
    done = searched.mount(*source, env=env)
    assert done.stderr.count("unencrypted; others on the network can read") == said, done.stderr
    loop = ["s3://bkt", "--endpoint-url", quirky.url, "--region", "us-east-1"]
    assert "unencrypted" not in searched.run("doctor", *loop, env=KEYS).stdout

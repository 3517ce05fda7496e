"""Caches that sites have, as Debian brings them: what `mountnd doctor --via` says of them, and what mounts read."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mountnd.stores.via.trial import AT_ONCE
from tests.support.caches import needs
from tests.support.certificates import PrivateCA
from tests.support.children import killed_after
from tests.support.cli import run_mountnd
from tests.support.mounts import kernel_mount
from tests.support.quirky import Quirky, quirky_server, thing
from tests.support.servers import START_S, free_port
from tests.support.waiting import wait_until

pytestmark = pytest.mark.cluster

BODY = bytes(range(256)) * 36_000  # long enough that what lies far behind a part can be told from it

SQUID = """
http_port 127.0.0.1:{port}
http_access allow all
cache_mem 128 MB
maximum_object_size 64 MB
maximum_object_size_in_memory 64 MB
pid_filename {where}/squid.pid
cache_log {where}/cache.log
access_log none
cache_store_log none
netdb_filename none
coredump_dir {where}
shutdown_lifetime 0 seconds
pinger_enable off
visible_hostname squid.test
"""
WHOLE_OBJECTS = "range_offset_limit none\nquick_abort_min -1 KB\ncollapsed_forwarding on\n"


@pytest.fixture
def origin(quirky: Quirky) -> Quirky:
    quirky.hold({"sub-01/bold.nii": thing(BODY), "README": b"read me" * 10_000}, numbered=True)
    return quirky


@contextlib.contextmanager
def running(argv: list[str], port: int, log: Path) -> Iterator[str]:
    """A server in the foreground; yields its URL once it listens."""
    with log.open("wb") as out:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def listens() -> bool:
        assert process.poll() is None, log.read_text(errors="replace")
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        return False

    try:
        wait_until(listens, f"{argv[0]} listens", START_S)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        with killed_after(20, process):
            process.wait()


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A directory that other users may reach and write: these servers, started by root, become others."""
    where = Path(tempfile.mkdtemp(prefix="mountnd-site-"))
    where.chmod(0o777)
    try:
        yield where
    finally:
        shutil.rmtree(where, ignore_errors=True)


@contextlib.contextmanager
def squid(more: str = "") -> Iterator[str]:
    program, port = needs("squid"), free_port()
    with scratch() as where:
        conf = where / "squid.conf"
        conf.write_text(SQUID.format(port=port, where=where) + more)
        with running([program, "-N", "-f", str(conf)], port, where / "log") as url:
            yield url


@contextlib.contextmanager
def varnish(origin: Quirky) -> Iterator[str]:
    program, port = needs("varnishd"), free_port()
    backend = origin.url.removeprefix("http://")
    with scratch() as where:
        argv = [program, "-j", "none", "-F", "-n", str(where / "work"), "-a", f"127.0.0.1:{port}", "-b", backend]
        with running([*argv, "-s", "malloc,128m"], port, where / "log") as url:
            yield url


def doctor(origin: Quirky, via: str) -> tuple[int, str]:
    options = ("--endpoint-url", origin.url, "--region", "us-east-1", "--anonymous", "--via", via)
    done = run_mountnd("doctor", "s3://bkt", *options)
    assert "Traceback" not in done.stderr
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def is_read_through(origin: Quirky, via: str, where: Path) -> None:
    """A mount reads the right bytes through it, of one version each: an open file's may still be in the cache."""
    where.mkdir()
    with kernel_mount(where, origin.url, ["s3://bkt"], {"via": via, "ttl": 0}) as mount:
        path = mount.path / "sub-01/bold.nii"
        with path.open("rb", buffering=0) as file:
            assert file.read(1000) == BODY[:1000]
            origin.switch(buckets={"bkt": {"sub-01/bold.nii": thing(BODY[::-1], mtime=1_700_000_000)}})
            try:
                assert os.pread(file.fileno(), 1000, 8_000_000) == BODY[8_000_000:8_001_000]
            except OSError as error:
                if error.errno != errno.ESTALE:
                    raise
        assert path.read_bytes() == BODY[::-1]


def test_squid_as_it_comes(origin: Quirky, tmp_path: Path) -> None:
    with squid() as url:
        code, said = doctor(origin, url)
        assert code == 0, said
        assert f"{url} gives the right bytes; it is asked as a proxy" in said, said
        assert "keeps no ranges" in said and "heeds If-Match" in said, said
        assert f"{AT_ONCE} requests for the same at once were {AT_ONCE} there" in said, said
        is_read_through(origin, url, tmp_path / "m")


def test_squid_that_fetches_whole_objects(origin: Quirky, tmp_path: Path) -> None:
    with squid(WHOLE_OBJECTS) as url:
        code, said = doctor(origin, url)
        assert code == 0, said
        assert "fetches whole objects" in said and "heeds If-Match" in said, said
        assert "asks the source once" in said, said
        is_read_through(origin, url, tmp_path / "m")


def test_squid_that_is_to_fetch_https(private_ca: PrivateCA) -> None:
    """As from S3. Debian's `squid`, built with GnuTLS, may not, and `squid-openssl` does: it is said."""
    with quirky_server((private_ca.named_certificate, private_ca.key)) as origin, scratch() as where:
        origin.hold({"sub-01/bold.nii": thing(BODY)}, numbered=True)
        endpoint = origin.url.replace("127.0.0.1", "localhost")
        trusted = Path(shutil.copy(private_ca.authority, where / "ca.pem"))  # which Squid's own user can read
        with squid(f"{WHOLE_OBJECTS}tls_outgoing_options cafile={trusted}\n") as url:
            options = ("--endpoint-url", endpoint, "--region", "us-east-1", "--anonymous", "--via", url)
            done = run_mountnd("doctor", "s3://bkt", *options, env={"SSL_CERT_FILE": str(private_ca.authority)})
            said = " ".join((done.stdout + done.stderr).split())
            if done.returncode:
                assert f"{url} takes whole URLs, and could not fetch this one" in said, said
            else:
                assert f"{url} gives the right bytes; it is asked as a proxy" in said, said


def test_varnish_as_it_comes(origin: Quirky, tmp_path: Path) -> None:
    with varnish(origin) as url:
        code, said = doctor(origin, url)
        assert code == 0, said
        assert "gives the right bytes; it is asked as a server" in said, said
        assert "fetches whole objects" in said and "does not heed If-Match" in said, said
        assert "asks the source once" in said, said
        is_read_through(origin, url, tmp_path / "m")

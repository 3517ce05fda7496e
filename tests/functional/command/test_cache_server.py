"""`mountnd cache-server`: nginx as a node, what it refuses, what its mounts read through it, and that nothing stays."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import caches
from tests.support.caches import Node, ask, cache_server
from tests.support.certificates import PrivateCA
from tests.support.cli import run_mountnd
from tests.support.mounts import kernel_mount
from tests.support.quirky import Quirky, quirky_server
from tests.support.servers import free_port
from tests.support.waiting import wait_until

BODY = bytes(range(251)) * 20_000  # some 5 MB: ten slices
ETAG = '"27ab5cd2b2ae0dc9a1a2bc1ab1aa2d5f"'


@pytest.fixture(scope="module")
def origin() -> Iterator[Quirky]:
    with quirky_server() as server:
        yield server


@pytest.fixture(scope="module")
def node(origin: Quirky, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with cache_server(tmp_path_factory.mktemp("node"), "s3://bkt", origin.url) as running:
        yield running


@pytest.fixture(autouse=True)
def _filled(origin: Quirky) -> None:
    origin.hold({"sub-01/bold.nii": BODY, "a+b c.nii": BODY[:1000]})


def etag_of(origin: Quirky, path: str) -> str:
    return ask(origin.url, f"HEAD {path} HTTP/1.1\nHost: x")[1]["etag"]


def place(origin: Quirky) -> str:
    return origin.url.removeprefix("http://")


def gets(origin: Quirky) -> list[str]:
    """The ranges of the long object that the source was asked for."""
    return [r.headers["range"] for r in origin.log() if r.method == "GET" and "/bold.nii" in r.target]


def test_it_caches_slices_by_version(origin: Quirky, node: Node) -> None:
    etag = etag_of(origin, "/bkt/a%2Bb%20c.nii")
    origin.switch()
    head = f"GET /bkt/a%2Bb%20c.nii HTTP/1.1\nHost: {place(origin)}\nIf-Match: {etag}\nRange: bytes=10-19"
    for told in ("MISS", "HIT"):
        status, headers, body = ask(node.url, head)
        assert (status, body, headers["etag"]) == (206, BODY[10:20], etag)
        assert headers["content-range"] == "bytes 10-19/1000"
        assert headers["x-cache-status"] == told
    (request,) = origin.log()
    assert request.target == "/bkt/a%2Bb%20c.nii" and request.headers["host"] == place(origin)
    assert request.headers["if-match"] == etag and request.headers["range"] == "bytes=0-524287"


def test_of_many_who_want_the_same_one_asks_the_source(origin: Quirky, node: Node) -> None:
    etag = etag_of(origin, "/bkt/sub-01/bold.nii")
    origin.switch()
    head = f"GET /bkt/sub-01/bold.nii HTTP/1.1\nHost: {place(origin)}\nIf-Match: {etag}\nRange: bytes=0-999999"
    bodies: list[bytes] = []
    threads = [threading.Thread(target=lambda: bodies.append(ask(node.url, head)[2])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert bodies == [BODY[:1_000_000]] * 8
    assert sorted(gets(origin)) == ["bytes=0-524287", "bytes=524288-1048575"]


def test_a_version_that_is_gone_is_refused_unless_it_is_there(origin: Quirky, node: Node) -> None:
    path = "/bkt/sub-01/bold.nii"
    etag = etag_of(origin, path)
    head = f"GET {path} HTTP/1.1\nHost: {place(origin)}\nIf-Match: {etag}\nRange: bytes="
    assert ask(node.url, head + "0-9")[0] == 206
    origin.hold({"sub-01/bold.nii": BODY[::-1]})
    assert ask(node.url, head + "10-19")[2] == BODY[10:20], "of the slice that is cached"
    for _ in range(2):  # and it is not cached that it was refused
        assert ask(node.url, head + "4000000-4000009")[0] == 412
    assert len(gets(origin)) == 2


def test_a_version_id_is_a_part_of_the_key(origin: Quirky, node: Node) -> None:
    """Old versions, which lockfiles and snapshots name, are cached beside the current one."""
    path = "/bkt/sub-01/bold.nii"
    etag = etag_of(origin, path)
    origin.switch()
    for target in (path, f"{path}?versionId=3_L4kqtJ.~-", f"{path}?versionId=a%2Fb%2B%3D"):
        for told in ("MISS", "HIT"):
            head = f"GET {target} HTTP/1.1\nHost: {place(origin)}\nIf-Match: {etag}\nRange: bytes=1500000-1500009"
            status, headers, body = ask(node.url, head)
            assert (status, headers["x-cache-status"], body) == (206, told, BODY[1500000:1500010])
        assert origin.log()[-1].target == target
    assert len(origin.log()) == 3


REFUSED = {
    "another bucket": ("GET /other/k HTTP/1.1\nHost: {place}\nIf-Match: {etag}", 421),
    "another host": ("GET /bkt/k HTTP/1.1\nHost: internal.lab.org\nIf-Match: {etag}", 421),
    "another host's URL": ("GET http://internal.lab.org/bkt/k HTTP/1.1\nHost: internal.lab.org\nIf-Match: {etag}", 421),
    "another port": ("GET /bkt/k HTTP/1.1\nHost: 127.0.0.1:1\nIf-Match: {etag}", 421),
    "out of the bucket": ("GET /bkt/../other/k HTTP/1.1\nHost: {place}\nIf-Match: {etag}", 421),
    "out of it, quoted": ("GET /bkt/%2e%2e/other/k HTTP/1.1\nHost: {place}\nIf-Match: {etag}", 421),
    "out of it, with a quoted slash": ("GET /bkt/..%2Fother/k HTTP/1.1\nHost: {place}\nIf-Match: {etag}", 421),
    "into it from elsewhere": ("GET /other/../bkt/k HTTP/1.1\nHost: {place}\nIf-Match: {etag}", 421),
    "a listing": ("GET /bkt/?list-type=2 HTTP/1.1\nHost: {place}\nIf-Match: {etag}", 421),
    "the bucket": ("GET /bkt/ HTTP/1.1\nHost: {place}\nIf-Match: {etag}", 421),
    "a subresource": ("GET /bkt/sub-01/bold.nii?acl HTTP/1.1\nHost: {place}\nIf-Match: {etag}", 421),
    "a signed link": ("GET /bkt/sub-01/bold.nii?X-Amz-Signature=0 HTTP/1.1\nHost: {place}\nIf-Match: {etag}", 421),
    "a version and a subresource": ("GET /bkt/k?versionId=1&acl HTTP/1.1\nHost: {place}\nIf-Match: {etag}", 421),
    "a subresource and a version": ("GET /bkt/k?acl&versionId=1 HTTP/1.1\nHost: {place}\nIf-Match: {etag}", 421),
    "two versions": ("GET /bkt/k?versionId=1?versionId=2 HTTP/1.1\nHost: {place}\nIf-Match: {etag}", 421),
    "no version id": ("GET /bkt/k?versionId= HTTP/1.1\nHost: {place}\nIf-Match: {etag}", 421),
    "a version of the bucket": ("GET /bkt/?versionId=1 HTTP/1.1\nHost: {place}\nIf-Match: {etag}", 421),
    "a version of another bucket": ("GET /other/k?versionId=1 HTTP/1.1\nHost: {place}\nIf-Match: {etag}", 421),
    "a version, and no ETag": ("GET /bkt/sub-01/bold.nii?versionId=1 HTTP/1.1\nHost: {place}", 428),
    "no version": ("GET /bkt/sub-01/bold.nii HTTP/1.1\nHost: {place}", 428),
    "any version": ("GET /bkt/sub-01/bold.nii HTTP/1.1\nHost: {place}\nIf-Match: *", 428),
    "several versions": ('GET /bkt/sub-01/bold.nii HTTP/1.1\nHost: {place}\nIf-Match: {etag}, "b"', 428),
    "a weak version": ("GET /bkt/sub-01/bold.nii HTTP/1.1\nHost: {place}\nIf-Match: W/{etag}", 428),
    "a PUT": ("PUT /bkt/sub-01/bold.nii HTTP/1.1\nHost: {place}\nIf-Match: {etag}\nContent-Length: 0", 405),
    "a HEAD": ("HEAD /bkt/sub-01/bold.nii HTTP/1.1\nHost: {place}\nIf-Match: {etag}", 405),
    "a DELETE": ("DELETE /bkt/sub-01/bold.nii HTTP/1.1\nHost: {place}\nIf-Match: {etag}", 405),
    "a tunnel": ("CONNECT {place} HTTP/1.1\nHost: {place}", 405),
}


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_no_open_proxy(origin: Quirky, node: Node, what: str) -> None:
    """Nothing but versions of keys of its bucket; of what else is asked the source is never told."""
    head, status = REFUSED[what]
    got = ask(node.url, head.format(place=place(origin), etag=ETAG))[0]
    assert got == status or (what == "a tunnel" and got in (400, 405))
    assert origin.log() == []


def test_no_secret_of_a_client_is_passed_on_or_cached(origin: Quirky, node: Node) -> None:
    etag = etag_of(origin, "/bkt/sub-01/bold.nii")
    origin.switch()
    status, _, _ = ask(
        node.url,
        f"GET /bkt/sub-01/bold.nii HTTP/1.1\nHost: {place(origin)}\nIf-Match: {etag}\nRange: bytes=3000000-3000009\n"
        "Authorization: Bearer secret-token\nCookie: session=1\nx-amz-security-token: secret\nX-Forwarded-For: 1.2.3.4",
    )
    assert status == 206
    (request,) = origin.log()
    assert set(request.headers) == {"host", "if-match", "range", "user-agent"}


@pytest.mark.kernel
def test_two_mounts_fetch_each_byte_once(origin: Quirky, tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        nodes = [stack.enter_context(cache_server(tmp_path / f"n{n}", "s3://bkt", origin.url)) for n in range(2)]
        via = ",".join(running.url for running in nodes)
        origin.switch()
        for number in range(2):
            (tmp_path / str(number)).mkdir()
            mount = stack.enter_context(kernel_mount(tmp_path / str(number), origin.url, ["s3://bkt"], {"via": via}))
            assert (mount.path / "sub-01/bold.nii").read_bytes() == BODY
            said = run_mountnd("stats", mount.path)
            assert nodes[0].url in said.stdout and nodes[1].url in said.stdout
            told = run_mountnd("explain", mount.path / "sub-01/bold.nii").stdout
            assert "2 caching proxies" in " ".join(told.split())
        assert sum(running.cached() for running in nodes) >= len(BODY)
        ranges = gets(origin)
        assert len(ranges) == len(set(ranges)) == 10, ranges


class TestEnd:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_it_ends_well_and_leaves_nothing(self, origin: Quirky, tmp_path: Path, number: signal.Signals) -> None:
        with cache_server(tmp_path, "s3://bkt", origin.url) as running:
            assert len(running.processes()) >= 2
            running.process.send_signal(number)
            assert running.process.wait(30) == 0, running.log
            assert running.processes() == []
            assert "Traceback" not in running.log

    def test_nginx_reads_its_configuration_again_and_keeps_what_it_has(self, origin: Quirky, tmp_path: Path) -> None:
        """As every few minutes, to look up the names of sources anew."""
        etag = etag_of(origin, "/bkt/sub-01/bold.nii")
        head = f"GET /bkt/sub-01/bold.nii HTTP/1.1\nHost: {place(origin)}\nIf-Match: {etag}\nRange: bytes=0-9"
        with cache_server(tmp_path, "s3://bkt", origin.url) as running:
            assert ask(running.url, head)[1]["x-cache-status"] == "MISS"
            before = set(running.processes())
            os.kill(running.master, signal.SIGHUP)
            wait_until(lambda: bool(set(running.processes()) - before), "new workers")
            assert ask(running.url, head)[1]["x-cache-status"] == "HIT"

    def test_killed_it_takes_nginx_along(self, origin: Quirky, tmp_path: Path) -> None:
        with cache_server(tmp_path, "s3://bkt", origin.url) as running:
            running.process.kill()
            running.process.wait(30)
            wait_until(lambda: running.processes() == [], "nginx is gone")

    def test_nginx_that_is_killed_takes_its_workers_along_and_is_told_of(self, origin: Quirky, tmp_path: Path) -> None:
        with cache_server(tmp_path, "s3://bkt", origin.url) as running:
            workers = [pid for pid in running.processes() if pid != running.master]
            os.kill(running.master, signal.SIGKILL)
            assert running.process.wait(30) == 1
            assert "nginx has ended" in running.log and "Traceback" not in running.log
            wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), "the workers are gone")

    def test_what_was_cached_is_there_after_a_restart(self, origin: Quirky, tmp_path: Path) -> None:
        etag = etag_of(origin, "/bkt/sub-01/bold.nii")
        head = f"GET /bkt/sub-01/bold.nii HTTP/1.1\nHost: {place(origin)}\nIf-Match: {etag}\nRange: bytes=0-9"
        for count in (1, 0):
            with cache_server(tmp_path, "s3://bkt", origin.url) as running:
                origin.switch()
                assert ask(running.url, head)[2] == BODY[:10]
                assert len(gets(origin)) == count


class TestMistakes:
    @pytest.mark.parametrize(
        ("words", "code", "says"),
        [
            (["hcp"], 2, "is read with keys"),
            (["gs://bucket"], 2, "is not on S3"),
            (["https://example.org/data"], 2, "is not on S3"),
            (["s3://bkt", "--size", "much"], 2, "--size"),
            (["s3://bkt", "--size", "1M"], 2, "--size"),
            (["s3://bkt", "--listen", "nowhere"], 2, "--listen"),
            (["s3://bkt", "--peers", "a b"], 2, "--peers"),
            (["no-such-preset"], 2, "no such source"),
            (["s3://bkt", "--dir", "/proc/nowhere"], 1, "--dir DIR"),
        ],
    )
    def test_each_says_what_is_wrong(self, words: list[str], code: int, says: str) -> None:
        caches.needs("nginx")
        extra = ["--region", "us-east-1"] if words[0].startswith("s3") else []
        done = run_mountnd("cache-server", *words, *extra)
        assert (done.returncode, says in done.stderr) == (code, True), done.stderr
        assert len(done.stderr.strip().splitlines()) == 1 and "Traceback" not in done.stderr

    def test_without_nginx_its_package_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "nginx").write_text("#!/bin/sh\necho nginx version: nginx/1.31.3 >&2\n")
        (tmp_path / "nginx").chmod(0o755)
        options = ("s3://bkt", "--region", "us-east-1", "--dir", tmp_path / "d")
        done = run_mountnd("cache-server", *options, env={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
        assert done.returncode == 1
        assert "http_slice_module" in done.stderr and "apt-get install nginx-light" in done.stderr

    def test_a_directory_in_use_and_a_port_in_use(self, origin: Quirky, tmp_path: Path) -> None:
        with cache_server(tmp_path, "s3://bkt", origin.url) as running:
            options = ("s3://bkt", "--region", "us-east-1", "--endpoint-url", origin.url)
            done = run_mountnd("cache-server", *options, "--dir", running.directory, "--listen", str(free_port()))
            assert (done.returncode, "another cache-server" in done.stderr) == (1, True), done.stderr
            port = running.url.rpartition(":")[2]
            done = run_mountnd("cache-server", *options, "--dir", tmp_path / "other", "--listen", port)
            assert done.returncode == 1 and port in done.stderr, done.stderr

    def test_a_directory_that_others_may_write(self, tmp_path: Path) -> None:
        caches.needs("nginx")
        (tmp_path / "open").mkdir()
        (tmp_path / "open").chmod(0o777)
        done = run_mountnd("cache-server", "s3://bkt", "--region", "us-east-1", "--dir", tmp_path / "open")
        assert (done.returncode, "--dir DIR" in done.stderr) == (1, True), done.stderr


class TestWhoMayRead:
    def test_loopback_by_default_and_a_network_is_told_of(self, tmp_path: Path) -> None:
        options = ("s3://bkt", "--region", "us-east-1", "--endpoint-url", "http://127.0.0.1:9", "--print")
        assert "listen 127.0.0.1:8090 " in run_mountnd("cache-server", *options).stdout
        done = run_mountnd("cache-server", *options, "--listen", "0.0.0.0:8091", "--peers", "10.0.0.0/24,10.1.0.7")
        assert "listen 0.0.0.0:8091 " in done.stdout
        assert "allow 10.0.0.0/24;" in done.stdout and "allow 10.1.0.7" in done.stdout and "deny all;" in done.stdout

    def test_a_network_is_warned_of(self, origin: Quirky, tmp_path: Path) -> None:
        with cache_server(tmp_path, "s3://bkt", origin.url, "--listen", f"0.0.0.0:{free_port()}") as running:
            assert "everybody who can reach it" in " ".join(running.log.split())

    def test_who_is_no_peer_is_refused(self, origin: Quirky, tmp_path: Path) -> None:
        """127.0.0.2 is another address of this machine: peers are let in by address."""
        port = free_port()
        options = ("--listen", f"0.0.0.0:{port}", "--peers", f"http://127.0.0.1:{port}")
        with cache_server(tmp_path, "s3://bkt", origin.url, *options) as running:
            assert f"--via http://127.0.0.1:{port}" in running.log
            etag = etag_of(origin, "/bkt/sub-01/bold.nii")
            head = f"GET /bkt/sub-01/bold.nii HTTP/1.1\nHost: {place(origin)}\nIf-Match: {etag}\nRange: bytes=0-9"
            assert ask(f"http://127.0.0.1:{port}", head)[0] == 206
            done = subprocess.run(
                ["curl", "-s", "-o", os.devnull, "-w", "%{http_code}", "--interface", "127.0.0.2",
                 "-H", f"Host: {place(origin)}", "-H", f"If-Match: {etag}", f"http://127.0.0.1:{port}/bkt/sub-01/bold.nii"],
                capture_output=True, text=True, timeout=30, check=False,
            )  # fmt: skip
            assert done.stdout == "403"


class TestTls:
    def test_the_source_is_spoken_to_by_verified_tls(self, private_ca: PrivateCA, tmp_path: Path) -> None:
        """By its name (SNI), against what this environment trusts; else nothing is given."""
        with quirky_server((private_ca.named_certificate, private_ca.key)) as origin:
            origin.hold({"k": BODY[:1000]})
            endpoint = origin.url.replace("127.0.0.1", "localhost")
            host = endpoint.removeprefix("https://")
            etag = f'"{hashlib.md5(BODY[:1000]).hexdigest()}"'
            head = f"GET /bkt/k HTTP/1.1\nHost: {host}\nIf-Match: {etag}\nRange: bytes=0-9"
            trusting = {"SSL_CERT_FILE": str(private_ca.authority)}
            with cache_server(tmp_path / "trusting", "s3://bkt", endpoint, env=trusting) as running:
                assert ask(running.url, head)[::2] == (206, BODY[:10])
            with cache_server(tmp_path / "not", "s3://bkt", endpoint) as running:
                assert ask(running.url, head)[0] == 502
                assert "certificate verify" in running.log

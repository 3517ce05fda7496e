"""A laptop that sleeps, a network that goes and comes back, a daemon that is stopped for a while: then all is well."""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.soak.world import BUCKET, World, content
from tests.support import cli
from tests.support.children import TIMED_READ, child, killed_after, run_python, stop
from tests.support.cli import ROOT, daemon_record, run_mountnd
from tests.support.doors import errno_from
from tests.support.key_sources import key_source
from tests.support.mounts import kernel_mount
from tests.support.proxy import proxied
from tests.support.quirky import quirky_server
from tests.support.tree import Bucket
from tests.support.waiting import holds_within

pytestmark = pytest.mark.kernel

TIMEOUT_S = 3.0
BOUND_S = TIMEOUT_S + 5.0 + 4.0  # the last for a busy machine
RECOVERY_S = 20.0
NIGHT_S = 9 * 3600
OBJECTS = {f"d{i}/f{j}": bytes([i, j]) * 50_000 for i in range(3) for j in range(3)}
BEFORE, HELD, AFTER = "d0/f0", "d1/f0", "d2/f0"


# libfaketime 0.9.10 takes the monotonic end of a clock_nanosleep(2), which is what Python sleeps with, for a faked one.
SLEEP = """
import select, time
time.sleep = lambda seconds: select.select([], [], [], seconds) and None
"""


def faketime() -> str:
    """The library that gives one program a clock of its own. Skips the test where it is not installed."""
    found = [path for at in ("lib/*/", "lib/", "lib64/") for path in glob.glob(f"/usr/{at}faketime/libfaketimeMT.so.1")]
    if not found:
        pytest.skip("needs libfaketime")
    return found[0]


def test_a_night_of_sleep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a read waits the machine sleeps: clocks jump (the monotonic one does not), connections die, keys end."""
    library, clock, home = faketime(), tmp_path / "clock", tmp_path / "home"
    home.mkdir()
    clock.write_text("+0\n")
    (home / "sitecustomize.py").write_text(SLEEP)
    with quirky_server() as server, proxied(server.url) as proxy, key_source(home, "file") as keys:
        server.hold(OBJECTS, keys=["evening"])
        keys.put("evening")
        with monkeypatch.context() as patch:
            for name, value in keys.environment.items():
                patch.setenv(name, value)
            patch.setenv("LD_PRELOAD", library)
            patch.setenv("PYTHONPATH", str(home))
            patch.setenv("FAKETIME_TIMESTAMP_FILE", str(clock))
            for name in ("FAKETIME_NO_CACHE", "FAKETIME_DONT_FAKE_MONOTONIC", "NO_FAKE_STAT"):
                patch.setenv(name, "1")
            opened = kernel_mount(tmp_path, proxy.url, ["s3://bkt"], {"anonymous": None, "timeout": 20})
            mount = opened.__enter__()
        with contextlib.ExitStack() as stack:
            stack.push(opened.__exit__)
            assert (mount.path / BEFORE).read_bytes() == OBJECTS[BEFORE]
            handle = os.open(mount.path / AFTER, os.O_RDONLY)
            stack.callback(os.close, handle)
            proxy.rule("hold", path=f"/bkt/{HELD}")
            reader = stack.enter_context(child(["cat", str(mount.path / HELD)]))
            proxy.await_request(lambda r: r.path == f"/bkt/{HELD}")
            stop(mount.process.pid)
            clock.write_text(f"+{NIGHT_S}s\n")
            server.switch(skew=NIGHT_S, keys=["morning"])
            keys.put("morning")
            proxy.down()
            proxy.behave()
            proxy.up()
            os.kill(mount.process.pid, signal.SIGCONT)
            out, err = reader.communicate(timeout=60)
            assert (out, err) == (OBJECTS[HELD], b""), err
            assert os.pread(handle, 200_000, 0) == OBJECTS[AFTER]
            assert sorted(os.listdir(mount.path)) == ["d0", "d1", "d2"]
            assert (mount.path / BEFORE).read_bytes() == OBJECTS[BEFORE]
            signed = {r.headers["authorization"].partition("Credential=")[2].partition("/")[0] for r in server.log()}
            assert "morning" in signed
            assert "Traceback" not in mount.log, mount.log


class Network:
    """A network namespace with nothing but loopback, which can be taken away: a server in it, and mounts."""

    def __init__(self, process: subprocess.Popen[str], port: str) -> None:
        self._process, self.url = process, f"http://127.0.0.1:{port}"
        self.within = ["nsenter", f"--net=/proc/{process.pid}/ns/net"]

    def set(self, state: str) -> None:
        """ "down": packets are lost, and there is no route. "up": as before."""
        subprocess.run([*self.within, "ip", "link", "set", "lo", state], check=True, timeout=20)


@contextlib.contextmanager
def network(world: World) -> Iterator[Network]:
    if os.getuid() != 0 or not all(map(shutil.which, ("ip", "unshare", "nsenter"))):
        pytest.skip("needs root, ip, unshare and nsenter, to make a network")
    command = f'ip link set lo up && exec {sys.executable} -m tests.soak.server "$0" 0 0 0'
    process = subprocess.Popen(
        ["unshare", "--net", "sh", "-c", command, world.to_json()],
        cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        with killed_after(60, process):
            line = process.stdout.readline()
        if not line:
            pytest.skip("a network namespace cannot be made here")
        yield Network(process, line.split()[0])
    finally:
        process.kill()
        process.communicate(timeout=20)


@pytest.mark.root
def test_a_network_that_goes_and_comes_back(tmp_path: Path) -> None:
    world = World(volumes=4, volume_size=3 << 20, small=20, replaced=0, walk=400)
    known, other = world.below("volumes")[:2]
    with network(world) as net, cli.mountpoint(tmp_path.resolve() / "mnt") as where:
        args = ["--endpoint-url", net.url, "--region", "us-east-1", "--anonymous", "--cache-dir", tmp_path / "cache"]
        args += ["--timeout", f"{TIMEOUT_S:g}", "--log-file", tmp_path / "log"]
        done = run_mountnd(f"s3://{BUCKET}", where, *args, within=net.within)
        assert done.returncode == 0, done.stderr
        names = sorted(os.listdir(where / "volumes"))
        body = (where / known).read_bytes()
        assert body == content(known, 0, 0, world.size(known))
        handle = os.open(where / other, os.O_RDONLY)
        try:
            assert os.pread(handle, 1000, 0) == content(other, 0, 0, 1000)
            at = world.size(other) - 50_000
            net.set("down")
            for _ in range(2):
                what, *found, seconds = run_python(TIMED_READ, str(where / other), str(at), "1000").split()
                assert what == "read" and found != ["0"], "an error, for nobody can know these bytes"
                assert float(seconds) <= BOUND_S
            assert (where / known).read_bytes() == body, "what is cached stays"
            assert sorted(os.listdir(where / "volumes")) == names
            net.set("up")
            assert holds_within(lambda: errno_from(os.pread, handle, 1000, at) == 0, RECOVERY_S)
            assert os.pread(handle, 1000, at) == content(other, 0, at, at + 1000)
            assert len([1 for _, _, files in os.walk(where / "walk") for _ in files]) == 400
        finally:
            os.close(handle)
        assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.fixture(scope="module")
def objects(server: str) -> str:
    """A bucket's URL."""

    Bucket(server, "stopped").put_all(OBJECTS)
    return server


@pytest.mark.parametrize("seconds", [1.0, TIMEOUT_S + 1.0], ids=["shortly", "past the deadline"])
def test_a_daemon_that_is_stopped_and_continued(objects: str, tmp_path: Path, seconds: float) -> None:
    """A program that reads meanwhile waits, and has its bytes, or after the deadline perhaps an error; the next has."""
    with cli.mountpoint(tmp_path.resolve() / "mnt") as where:
        args = ["--endpoint-url", objects, "--region", "us-east-1", "--anonymous", "--timeout", f"{TIMEOUT_S:g}"]
        done = run_mountnd("s3://stopped", where, *args, "--cache-dir", tmp_path / "cache")
        assert done.returncode == 0, done.stderr
        pid = daemon_record(where).pid
        assert (where / BEFORE).read_bytes() == OBJECTS[BEFORE]
        stop(pid)
        try:
            with child(["cat", str(where / HELD)]) as reader:
                time.sleep(seconds)
                assert reader.poll() is None, "it waits"
                os.kill(pid, signal.SIGCONT)
                out, err = reader.communicate(timeout=BOUND_S)
        finally:
            os.kill(pid, signal.SIGCONT)
        assert out == OBJECTS[HELD] or (seconds > TIMEOUT_S and reader.returncode != 0 and err), (len(out), err)
        assert holds_within(lambda: errno_from(Path.read_bytes, where / HELD) == 0, RECOVERY_S)
        assert (where / HELD).read_bytes() == OBJECTS[HELD]
        assert (where / AFTER).read_bytes() == OBJECTS[AFTER]

"""Servers, mounts and readers of one part of the soak. Whatever is started here is ended, also after a failure."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mountnd.daemon import mounts
from tests.support import cli
from tests.support.children import killed_after
from tests.support.servers import ROOT, module_server

from .tally import Tally
from .world import BUCKET, World

START_S = 60.0

_KEYS = """#!/bin/sh
# Access keys that change every PERIOD seconds, without a word on when they end.
echo '{"Version": 1, "AccessKeyId": "K'$(( $(date +%s) / PERIOD ))'", "SecretAccessKey": "s", "SessionToken": "t"}'
"""


class Server(NamedTuple):
    """A running `soak.server`."""

    url: str
    control: str
    world: World

    def set_rate(self, rate: float) -> None:
        """The part of the requests that go wrong from now on."""
        request = urllib.request.Request(self.control, json.dumps({"rate": rate}).encode(), method="PUT")
        urllib.request.urlopen(request, timeout=START_S).close()

    def report(self) -> dict[str, Any]:
        """Requests and faults so far, and the GETs since the last report."""
        with urllib.request.urlopen(self.control, timeout=START_S) as answer:
            found: dict[str, Any] = json.load(answer)
            return found


@contextlib.contextmanager
def server(world: World, *, rate: float = 0.0, seed: int = 0, key_period: int = 0) -> Iterator[Server]:
    with module_server("tests.soak.server", world.to_json(), str(rate), str(seed), str(key_period)) as line:
        port, control = line.split()
        yield Server(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{control}/", world)


def changing_keys(where: Path, period: int) -> dict[str, str]:
    """Variables with which a daemon finds keys that change every `period` seconds."""
    program, config = where / "keys.sh", where / "aws-config"
    program.write_text(_KEYS.replace("PERIOD ))", f"{period} ))"))
    program.chmod(0o755)
    config.write_text(f"[default]\nregion = us-east-1\ncredential_process = {program}\n")
    return {"AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}


class Mounted:
    """The real command in the background, at `path`; `pid` is its daemon's."""

    def __init__(self, path: Path, args: list[str | Path], env: Mapping[str, str]) -> None:
        self.path, self._args, self._env = path, args, env
        self.pid = 0

    def start(self) -> str:
        """Mount. Returns what the command said; raises AssertionError when it is refused."""
        done = cli.run_mountnd(*self._args, env=self._env)
        assert done.returncode == 0, f"refused: {done.stderr}"
        self.pid = cli.daemon_record(self.path).pid
        return done.stderr

    def kill(self) -> None:
        """kill -9, and wait until it has ended."""
        os.kill(self.pid, signal.SIGKILL)
        assert mounts.wait_exit(self.pid, START_S)

    def counters(self) -> dict[str, int]:
        done = cli.run_mountnd("stats", self.path, "--json")
        assert done.returncode == 0, done.stderr
        total: dict[str, int] = json.loads(done.stdout)["total"]
        return total


@contextlib.contextmanager
def mount(where: Path, at: Server, *options: str, env: Mapping[str, str] | None = None) -> Iterator[Mounted]:
    """A mount of the server's bucket at `where`/mnt with a cache of its own, and its end."""
    with cli.mountpoint(where / "mnt") as path:
        args = [f"s3://{BUCKET}", path, "--endpoint-url", at.url, "--region", "us-east-1"]
        args += ["--cache-dir", where / "cache", "--log-file", where / "log", *options]
        if env is None:
            args.append("--anonymous")
        mounted = Mounted(path, args, env or {})
        mounted.start()
        yield mounted


class ReaderProcess:
    """`soak.reader` in a process of its own."""

    def __init__(self, kind: str, mounted: Mounted, world: World, seed: int, seconds: float, pause: float) -> None:
        self.kind = kind
        argv = [sys.executable, "-m", "tests.soak.reader", kind, str(mounted.path), world.to_json()]
        argv += [str(seed), str(seconds), str(pause)]
        self.process = subprocess.Popen(
            argv, cwd=ROOT, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def wait_until_it_reads(self) -> None:
        assert self.process.stdout is not None
        with killed_after(START_S, self.process):
            line = self.process.stdout.readline()
        assert line == "ready\n", f"the reader did not start: {line}"

    def end(self, by: float) -> Tally:
        """Its tally. One that still waits at `by` (monotonic seconds) hangs: it is killed, and that is a violation."""
        try:
            out, err = self.process.communicate(timeout=max(1.0, by - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.kill()
            return Tally(violations=[f"{self.kind}: a reader hangs"])
        if self.process.returncode != 0:
            last = (err.strip().splitlines() or ["nothing"])[-1]
            return Tally(violations=[f"{self.kind}: a reader ended with {self.process.returncode} and said: {last}"])
        return Tally.from_json(out)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(START_S)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError, ValueError):
                    pipe.close()


@contextlib.contextmanager
def readers(
    kinds: list[str], mounted: Mounted, world: World, *, seed: int, seconds: float, pause: float
) -> Iterator[list[ReaderProcess]]:
    """A process for each of `kinds`, all of them reading; killed afterwards where not ended."""
    started: list[ReaderProcess] = []
    try:
        for n, kind in enumerate(kinds):
            started.append(ReaderProcess(kind, mounted, world, seed * 1000 + n, seconds, pause))
        for one in started:
            one.wait_until_it_reads()
        yield started
    finally:
        for one in started:
            one.kill()


def together(started: list[ReaderProcess], by: float) -> Tally:
    """The tallies of all, when they have come to their end."""
    tally = Tally()
    for one in started:
        tally.merge(one.end(by))
    return tally

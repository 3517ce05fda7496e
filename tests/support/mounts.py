"""Mounts for tests: the vfs built in this process, and the real command in a process of its own.

A test's process never serves what it reads. Everything started is ended by its own pid, everything
mounted is unmounted, also after a failure.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mountnd import assembly
from mountnd.config.lockfiles import is_named_so
from mountnd.config.options import MountConfig, SourceConfig
from mountnd.errors import MountndError
from mountnd.fuse.errnos import errno_of
from mountnd.lockfile.reading import read_header

ROOT = Path(__file__).parents[2]
START_S = 60.0  # the command grants itself 20, and a busy machine takes its time to start a Python
STOP_S = 30.0


@contextlib.contextmanager
def errors_as_errnos() -> Iterator[None]:
    """What the vfs raises becomes the OSError that a program would see."""
    try:
        yield
    except MountndError as e:
        number = errno_of(e)
        raise OSError(number, os.strerror(number)) from e


def _sources(url: str, sources: Sequence[str], options: Mapping[str, Any]) -> tuple[SourceConfig, ...]:
    ttl = float("inf") if options.get("ttl") == "indefinite" else float(options.get("ttl", 300))
    return tuple(
        SourceConfig(
            name=source.removeprefix("s3://").strip("/").replace("/", "-"),
            url=read_header(Path(source)).source if is_named_so(source) else source,
            endpoint_url=url,
            region="us-east-1",
            anonymous=True,
            lockfile=Path(source) if is_named_so(source) else None,
            ttl=float("inf") if is_named_so(source) else ttl,
        )
        for source in sources
    )


@contextlib.contextmanager
def vfs_mount(where: Path, url: str, sources: Sequence[str], options: Mapping[str, Any]) -> Iterator[assembly.Mount]:
    """The vfs over `sources`, without a kernel."""
    rest = {"cache_dir": where / "cache", **options}
    rest.pop("ttl", None)
    rest.pop("probe", None)  # nothing is asked before the first call
    config = MountConfig(mountpoint=where / "nowhere", sources=_sources(url, sources, options), **rest)
    mount = assembly.build(config)
    try:
        yield mount
    finally:
        mount.close()


class Mounted:
    """A mount served by a process of ours. `path` is the mountpoint, `log` its standard error."""

    def __init__(self, process: subprocess.Popen[bytes], path: Path, log: Path) -> None:
        self.process, self.path, self._log = process, path, log
        self.killed = False

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def kill(self) -> None:
        """End the daemon at once: whoever waits for it gets ENOTCONN."""
        self.killed = True
        self.process.kill()


_live: set[Mounted] = set()


@contextlib.contextmanager
def watchdog(seconds: float) -> Iterator[None]:
    """Within it, mounts are killed after `seconds`: a test of one that no longer answers fails and never hangs.

    Only for waits that release the GIL: a page fault on a mapped file belongs into a process of its own.
    """

    def kill_all() -> None:
        for mount in list(_live):
            mount.kill()

    timer = threading.Timer(seconds, kill_all)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def mountinfo(path: Path) -> str | None:
    """The line of mountinfo for exactly this mountpoint. Asks no file system, so it cannot hang."""
    escaped = re.sub(r"[ \t\n\\]", lambda m: f"\\{ord(m[0]):03o}", str(path))
    lines = Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines()
    return next((line for line in reversed(lines) if line.split(" ")[4] == escaped), None)


def _flags(options: Mapping[str, Any]) -> list[str]:
    flags: list[str] = []
    for name, value in options.items():
        if isinstance(value, bool):
            flags.append(f"--{'' if value else 'no-'}{name.replace('_', '-')}")
            continue
        text = f"{value:04o}" if name.endswith("_mode") else str(value)
        flags += [f"--{name.replace('_', '-')}", text]
    return flags


def _config_file(where: Path, url: str, sources: Sequence[str], options: Mapping[str, Any]) -> list[str]:
    """Several sources come from a configuration file."""
    lines: list[str] = []
    configs = _sources(url, sources, options)
    for source in configs:
        lines += [f"[sources.{source.name}]", f'url = "{source.url}"', f'endpoint_url = "{url}"', "anonymous = true"]
        lines += ['region = "us-east-1"', f'ttl = "{options["ttl"]}"' if "ttl" in options else ""]
    names = ", ".join(f'"{source.name}"' for source in configs)
    lines += [f'[mounts."{where / "mnt"}"]', f"sources = [{names}]"]
    (where / "config.toml").write_text("\n".join(lines))
    return [str(where / "mnt"), "--config", str(where / "config.toml")]


def command(where: Path, url: str, sources: Sequence[str], options: Mapping[str, Any]) -> list[str]:
    """The command line that mounts `sources` on `where`/mnt in the foreground, with a cache of its own.

    `options`: `anonymous` is True where they do not say otherwise; None leaves it to the AWS chain.
    """
    options = {"cache_dir": where / "cache", **options}
    sign = {True: ["--anonymous"], False: ["--no-anonymous"], None: []}[options.pop("anonymous", True)]
    if len(sources) == 1:
        args = [sources[0], str(where / "mnt"), "--endpoint-url", url, "--region", "us-east-1", *sign]
        args += _flags(options)
    else:
        args = _config_file(where, url, sources, options)
        args += _flags({k: v for k, v in options.items() if k != "ttl"})
    return [sys.executable, "-m", "mountnd", *args, "--foreground"]


@contextlib.contextmanager
def kernel_mount(where: Path, url: str, sources: Sequence[str], options: Mapping[str, Any]) -> Iterator[Mounted]:
    """The real command in front, in a process of its own; yields when the kernel knows the mount."""
    path, log = where / "mnt", where / "log"
    path.mkdir(exist_ok=True)
    with log.open("ab") as err:
        process = subprocess.Popen(
            command(where, url, sources, options), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=err, stderr=err
        )
    mount = Mounted(process, path, log)
    try:
        end = time.monotonic() + START_S
        while mountinfo(path) is None:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"no mount (exit {process.poll()}): {process.args!r}\n{mount.log}")
            time.sleep(0.02)
        _live.add(mount)
        with watchdog(START_S):
            os.stat(path)  # held by the kernel until the daemon has greeted it
        yield mount
    finally:
        _live.discard(mount)
        _end(mount)


def _end(mount: Mounted) -> None:
    """Unmount as a person would. Raises RuntimeError when that alone did not do it."""
    process, why = mount.process, ""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            why = f"did not end within {STOP_S:.0f} s of SIGTERM"
            process.kill()
            process.wait()
    if mountinfo(mount.path) is not None:
        why = why or f"ended with {process.returncode} and left its mount behind"
        subprocess.run(["fusermount3", "-uz", str(mount.path)], check=False, timeout=20)
    if why and not mount.killed:
        raise RuntimeError(f"the daemon {why}\n{mount.log}")

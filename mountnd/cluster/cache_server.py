"""Runs nginx as a node until it is ended, and leaves nothing running.

nginx is a child in a session of its own, so that Ctrl-C comes to this process alone, which ends it. Were this process
killed, the kernel would end nginx's master (PR_SET_PDEATHSIG), and that its workers.

S3's addresses change, and nginx looks them up when it reads its configuration: it is told to read it again every few
minutes. Workers then finish what they do, and the cache stays.
"""

from __future__ import annotations

import ctypes
import fcntl
import grp
import os
import pwd
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..daemon import notify, signals
from ..errors import MountError
from ..private_directory import PrivateDirectory
from ..regular_file import UntrustedDirectory
from .nginx_config import Plan, configuration
from .program import Nginx

CONF, LOCK = "nginx.conf", "lock"
# How often the names of the sources are looked up anew: S3's answers may be believed for seconds to minutes, and its
# addresses stay for hours.
LOOK_UP_S = 600.0
# Until it listens, and until it has ended.
_START_S, _END_S = 30.0, 10.0
# linux/prctl.h
_PR_SET_PDEATHSIG = 1
_ROOT = "root root"


def prepare(directory: Path, user: str) -> PrivateDirectory:
    """The directory that a node keeps everything in, made where it is missing.

    Args:
        user: whom nginx's workers run as; where that is another one, he may pass through.

    Raises MountError where it cannot be used.
    """
    try:
        held = PrivateDirectory.open(directory, make=True)
        if user not in ("", _ROOT):
            os.chmod(directory, 0o711)
    except UntrustedDirectory as e:
        raise MountError(f"{e.filename} is not used: {e.strerror}. Choose another: --dir DIR") from e
    except OSError as e:
        raise MountError(f"{directory} cannot be used ({e.strerror}). Choose another: --dir DIR") from e
    return held


def worker_user(directory: Path) -> str:
    """Whom nginx's workers run as: "" for whoever starts it. Where that is root: `nobody` with his group, unless he
    cannot reach the directory; then root."""
    if os.geteuid():
        return ""
    try:
        nobody = pwd.getpwnam("nobody")
        group = grp.getgrgid(nobody.pw_gid).gr_name
    except KeyError:
        return _ROOT
    above = (path for path in directory.parents if path.exists())
    return f"nobody {group}" if all(path.stat().st_mode & 0o001 for path in above) else _ROOT


@contextmanager
def _locked(directory: PrivateDirectory) -> Iterator[None]:
    """Only one nginx keeps a cache in a directory: it counts what it has put there itself."""
    path = os.path.join(directory.path, LOCK)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise MountError(f"{directory.path} is used by another cache-server; choose another: --dir DIR") from None
        except OSError:
            pass  # a file system without locks
        yield
    finally:
        os.close(fd)


def run(nginx: Nginx, plan: Plan, address: tuple[str, int], ready: Callable[[], None]) -> None:
    """Run a node until SIGINT, SIGTERM or SIGHUP; call `ready` once it listens. Call it in the main thread.

    Args:
        address: host and port that `plan.listen` names.

    Raises MountError where nginx does not start, or ends.
    """
    directory = prepare(Path(plan.directory), plan.user)
    with _locked(directory):
        directory.write(CONF, configuration(plan, nginx.features).encode())
        command = [nginx.path, "-p", f"{directory.path}/", "-c", os.path.join(directory.path, CONF)]
        if nginx.features.version >= (1, 19, 5):
            command += ["-e", "stderr"]  # else it looks for a log where only root may write
        _check(command)
        with signals.raised():
            try:
                with _running([*command, "-g", "daemon off;"]) as process:
                    _await(process, address)
                    ready()
                    notify.ready()
                    _watch(process)
            except (KeyboardInterrupt, SystemExit):
                pass
            finally:
                notify.stopping()


def _check(command: list[str]) -> None:
    """That nginx takes its configuration. Raises MountError with what it says."""
    try:
        told = subprocess.run(
            [*command, "-t", "-q"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_START_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        raise MountError(f"nginx cannot be run: {getattr(e, 'strerror', None) or 'it does not answer'}") from e
    if told.returncode:
        lines = [line for line in told.stderr.splitlines() if "[emerg]" in line or "[crit]" in line] or [
            "it says nothing"
        ]
        # "2026/11/26 20:28:32 [emerg] 17508#17508: what is wrong"
        raise MountError(f"nginx does not start: {re.sub(r'^.*?] (?:[0-9]+#[0-9]+: )?', '', lines[0])}")


@contextmanager
def _running(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    parent, libc = os.getpid(), ctypes.CDLL(None)

    def in_child() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    process = None
    try:
        with signals.deferred():
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
                preexec_fn=in_child,  # noqa: PLW1509  # there is no other thread
            )
        yield process
    finally:
        if process is not None:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End nginx, with its workers."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_END_S)
    with suppress(ProcessLookupError, PermissionError):  # a master that was killed leaves its workers
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _await(process: subprocess.Popen[bytes], address: tuple[str, int]) -> None:
    """Return when it listens. Raises MountError."""
    end, host = time.monotonic() + _START_S, address[0]
    target = {"0.0.0.0": "127.0.0.1", "::": "::1", "*": "127.0.0.1"}.get(host, host)
    while process.poll() is None and time.monotonic() < end:
        try:
            socket.create_connection((target, address[1]), 1.0).close()
        except OSError:
            time.sleep(0.05)
        else:
            if process.poll() is None:
                return
    raise MountError("nginx ended at its start" if process.poll() is not None else f"nginx does not listen at {target}")


def _watch(process: subprocess.Popen[bytes]) -> None:
    """Wait until nginx ends, which it should not. Raises MountError then."""
    while True:
        try:
            code = process.wait(LOOK_UP_S)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGHUP)
            continue
        raise MountError(f"nginx has ended with {code}; what it said stands above")

"""The control socket: requests, answers, and whoever comes with something else."""

from __future__ import annotations

import os
import socket
import stat
import threading
from pathlib import Path

import pytest

from mountnd.daemon import control, rundir
from mountnd.errors import MountError, NotFound

MOUNT = Path("/mnt/somewhere")


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A run directory with a name longer than a socket's may be, and a record of this process in it."""
    runtime = tmp_path / ("long" * 40)
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv(rundir.VARIABLE, str(runtime / "mountnd"))
    started = rundir.started(os.getpid())
    assert started is not None
    rundir.claim(rundir.Record(mountpoint=str(MOUNT), pid=os.getpid(), started=started, since=0.0))
    return runtime / "mountnd"


def refuse(request):
    raise NotFound("no such path")


def break_down(request):
    raise ZeroDivisionError("unheard of")


HANDLERS = {"stats": lambda request: {"n": 1}, "echo": dict, "refuse": refuse, "break": break_down}


@pytest.fixture
def served():
    with control.serving(MOUNT, HANDLERS):
        yield


def sockets(place):
    return [path for path in place.iterdir() if stat.S_ISSOCK(path.lstat().st_mode)]


def test_an_answer(served):
    assert control.request(MOUNT, "stats") == {"n": 1}
    assert control.request(MOUNT, "echo", path="/ä\udcff") == {"verb": "echo", "path": "/ä\udcff"}


def test_refusals_are_for_people(served):
    with pytest.raises(MountError, match=f"^{MOUNT}: no such path$"):
        control.request(MOUNT, "refuse")
    with pytest.raises(MountError, match="internal error: ZeroDivisionError: unheard of"):
        control.request(MOUNT, "break")
    with pytest.raises(MountError, match="unknown request"):
        control.request(MOUNT, "no-such-verb")
    assert control.request(MOUNT, "stats") == {"n": 1}


@pytest.mark.parametrize("raw", [b"\n", b"{\n", b"[]\n", b'"x"\n', b"\xff\n", b"", b"x" * 100_000 + b"\n"])
def test_nonsense_is_answered_or_dropped_and_the_next_is_served(served, place, raw):
    (path,) = sockets(place)
    fd = os.open(place, os.O_PATH)
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(20)
        s.connect(f"/proc/self/fd/{fd}/{path.name}")
        try:
            s.sendall(raw)
            s.shutdown(socket.SHUT_WR)
            assert b'"error"' in s.recv(1000)
        except (BrokenPipeError, ConnectionResetError):
            assert len(raw) > 64 << 10
    os.close(fd)
    assert control.request(MOUNT, "stats") == {"n": 1}


def test_a_silent_one_does_not_hold_up_the_others(served, place):
    (path,) = sockets(place)
    fd = os.open(place, os.O_PATH)
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(f"/proc/self/fd/{fd}/{path.name}")
        assert control.request(MOUNT, "stats", seconds=20) == {"n": 1}
    os.close(fd)


def test_many_at_once(served):
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(control.request(MOUNT, "stats"))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [{"n": 1}] * 16


def test_it_goes_with_the_mount_and_replaces_a_dead_ones(place):
    with control.serving(MOUNT, HANDLERS):
        (path,) = sockets(place)
    assert sockets(place) == []
    path.touch()
    with control.serving(MOUNT, HANDLERS):
        assert control.request(MOUNT, "stats") == {"n": 1}


def test_another_daemons_socket_is_left_alone(place):
    with control.serving(MOUNT, HANDLERS):
        (path,) = sockets(place)
        path.unlink()
        path.touch()
    assert path.exists()


def test_a_handler_that_waits(place):
    waiting, go = threading.Event(), threading.Event()

    def wait(request):
        waiting.set()
        go.wait(60)

    with control.serving(MOUNT, {"wait": wait}):
        with pytest.raises(MountError, match="does not answer"):
            control.request(MOUNT, "wait", seconds=0.05)
        assert waiting.wait(20)
    # The end of the mount did not wait for it.
    assert not go.is_set()
    go.set()


def test_no_mount_there_and_no_socket(place):
    with pytest.raises(MountError, match="is not a mount of yours"):
        control.request(Path("/mnt/else"), "stats")
    with pytest.raises(MountError, match="has no control socket"):
        control.request(MOUNT, "stats")

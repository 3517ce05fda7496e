"""Hundreds of programs that wait for a server that does not answer: the others go on, and a killed one is gone."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from mountnd.daemon import mounts
from tests.support.children import run_program
from tests.support.cli import MOUNTND, environment
from tests.support.doors import KernelDoor, open_kernel_door
from tests.support.hanging import BUCKET, Hanging, Programs, content, hanging_server, programs
from tests.support.waiting import wait_until

from .conftest import SLACK_S

pytestmark = pytest.mark.kernel

# Waits that nothing but a signal ends within a test.
TIMEOUT_S = 100
# Each more than there are threads for the kernel (64), for bytes (48) and for names (16).
COUNT = 120
# What never is answered: bytes below `hung`, and what is below the directories of `deep`.
SILENT = ("GET /bkt/hung/", "prefix=deep/d")
# What a program takes that is answered, on a machine that is busy starting and ending hundreds of others.
SOON_S = 15.0
# A signal ends a reader within a second, all of hundreds on a busy machine within a few more.
GONE_S = 1.0 + SLACK_S

KINDS = ("stat", "open", "list", "read", "pread", "mmap", "threads")


class Mount(NamedTuple):
    door: KernelDoor
    server: Hanging

    def wait(self, kind: str, count: int, first: int = 0) -> contextlib.AbstractContextManager[Programs]:
        """`count` programs that wait, each for something else."""
        below = {"stat": "deep/d{:04}/x", "open": "deep/d{:04}/f", "list": "deep/d{:04}"}.get(kind, "hung/f{:04}")
        # Not one after the other, as that would be a sequence to read ahead.
        places = [(first + i * 7) % 1000 for i in range(count)]
        return programs(kind, [self.door.path(below.format(place)) for place in places])


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """Names are known but below the directories of `deep`; bytes of nothing."""
    with (
        hanging_server() as server,
        open_kernel_door(tmp_path, server.url, BUCKET, timeout=TIMEOUT_S, cache_size=0) as door,
    ):
        for directory in ("", "hung", "well", "deep"):
            door.listdir(directory)
        server.hang(*SILENT)
        yield Mount(door, server)
        server.hang()


_files = iter(range(0, 3000, 11))


def others_go_on(mount: Mount) -> None:
    """A directory that is known, a name that is not there, and bytes that nobody has read."""
    assert len(run_program(["ls", mount.door.path("hung")], seconds=SOON_S).split()) == 3000
    run_program(["stat", mount.door.path("well/none")], seconds=SOON_S, check=False)
    key = f"well/f{next(_files):04}"
    got = run_program(["sha256sum", mount.door.path(key)], seconds=SOON_S).split()[0]
    assert got == hashlib.sha256(content(key)).hexdigest()


def daemon(mount: Mount, what: str) -> int:
    """`Threads`, or `VmRSS` in kB, of the daemon; `fd`: its open files."""
    place = Path(f"/proc/{mount.door.mount.process.pid}")
    if what == "fd":
        return len(os.listdir(place / "fd"))
    line = next(line for line in (place / "status").read_text().splitlines() if line.startswith(f"{what}:"))
    return int(line.split()[1])


@pytest.mark.parametrize("kind", KINDS)
def test_programs_that_wait_hold_up_nobody(mount: Mount, kind: str) -> None:
    """Nor do they stay when they are killed, and nothing stays of what they asked for."""
    threads, files = daemon(mount, "Threads"), daemon(mount, "fd")
    with mount.wait(kind, COUNT) as waiting:
        mount.server.await_held(COUNT)
        others_go_on(mount)
        assert waiting.ended() == 0, "they wait all the while"
        assert waiting.seconds_to_end(signal.SIGKILL) <= GONE_S
        others_go_on(mount)
    # What is fetched ahead for somebody is no more than a few requests, whoever has gone.
    wait_until(lambda: mount.server.state().held <= COUNT // 2, "requests cancelled that nobody waits for")
    wait_until(lambda: daemon(mount, "fd") <= files + COUNT // 2 + 48, "their connections closed")
    wait_until(lambda: daemon(mount, "Threads") <= threads + COUNT, "their threads ended")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda n: n.name)
def test_a_signal_ends_each_of_many(mount: Mount, number: signal.Signals) -> None:
    with contextlib.ExitStack() as stack:
        groups = [stack.enter_context(mount.wait(kind, 40, 100 * i)) for i, kind in enumerate(KINDS)]
        mount.server.await_held(40 * len(KINDS))
        assert all(group.ended() == 0 for group in groups)
        assert max(group.seconds_to_end(number) for group in groups) <= GONE_S
        others_go_on(mount)


def test_every_verb_ends_while_hundreds_wait_and_so_does_the_mount(mount: Mount) -> None:
    """More look-ups than there are threads for the kernel, several times; the daemon itself goes on."""
    where, process = mount.door.mount.path, mount.door.mount.process
    with mount.wait("stat", 4 * 64) as waiting:
        mount.server.await_held(COUNT)
        verbs = (["stats", where], ["refresh", where / "well"], ["doctor"], ["umount", where])
        with ThreadPoolExecutor(len(verbs)) as pool:
            stats, refresh, doctor, umount = pool.map(in_time, verbs)
        assert (stats.returncode, refresh.returncode) == (0, 0), (stats.stderr, refresh.stderr)
        assert str(where) in "".join(doctor.stdout.split())
        assert umount.returncode == 1 and "busy" in umount.stderr, umount.stderr
        assert waiting.ended() == 0, "they wait all the while"
        lazy = in_time(["umount", "--lazy", where])
        assert lazy.returncode == 0, lazy.stderr
        assert mounts.mount_at(where) is None
        assert waiting.seconds_to_end(signal.SIGKILL) <= GONE_S
    assert process.wait(SOON_S) == 0


def in_time(words: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
    """What a verb says. Raises TimeoutExpired where it does not end soon."""
    return subprocess.run(
        [*MOUNTND, *map(str, words)], cwd="/", env=environment(), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=SOON_S, check=False,
    )  # fmt: skip


def test_whoever_still_waits_gets_the_answer(mount: Mount) -> None:
    """Two wait for each object, and one of them is killed: what the other waits for is not cancelled."""
    with mount.wait("read", 30) as killed, mount.wait("read", 30) as patient:
        mount.server.await_held(30)
        assert killed.seconds_to_end(signal.SIGKILL) <= GONE_S
        left = mount.server.state().left
        # At once: after ten silent seconds the daemon hangs up by itself, and asks again.
        with pytest.raises(AssertionError):
            wait_until(lambda: mount.server.state().left > left + 15, seconds=3.0)
        others_go_on(mount)
        assert patient.ended() == 0
        mount.server.hang()
        wait_until(lambda: mount.server.state().held == 0, "all answered")
        mount.server.hang(*SILENT)
        assert sum_until(patient, 30) == 30


def sum_until(group: Programs, count: int) -> int:
    """How many have ended, as soon as these are `count`."""
    ended = 0

    def all_ended() -> bool:
        nonlocal ended
        ended += group.ended()
        return ended >= count

    wait_until(all_ended, f"{count} programs that end")
    return ended

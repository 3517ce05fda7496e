"""Whether a thread that asked for something is still there."""

from __future__ import annotations

import os
import threading

from mountnd.fuse.readers import KernelReader, is_gone


def nobody(thread: int, number: int) -> None:
    raise ProcessLookupError


def another_users(thread: int, number: int) -> None:
    raise PermissionError


def test_a_thread_that_runs_is_there() -> None:
    assert not is_gone(os.getpid())
    assert not is_gone(threading.get_native_id())
    assert not is_gone(1, signal=another_users)


def test_a_thread_that_has_ended_is_gone() -> None:
    numbers: list[int] = []
    thread = threading.Thread(target=lambda: numbers.append(threading.get_native_id()))
    thread.start()
    thread.join()
    # Its number is free a moment after.
    assert any(is_gone(numbers[0]) or threading.Event().wait(0.05) for _ in range(200))


def test_a_process_that_nobody_has_asked_for_yet_is_gone() -> None:
    """A zombie can still be sent signals."""
    ended, end = os.pipe()
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.close(end)
    try:
        os.read(ended, 1)  # its end of the pipe is closed: it has ended, or is about to
        assert any(is_gone(pid) or threading.Event().wait(0.05) for _ in range(200))
    finally:
        os.close(ended)
        os.waitpid(pid, 0)
    assert is_gone(pid)


def test_what_cannot_be_known_is_there() -> None:
    """One of another process namespace has no number here; a name may be anything; /proc may be hidden."""
    assert not is_gone(0)
    assert is_gone(5, signal=nobody)
    assert not is_gone(5, signal=another_users, read=lambda _: "5 (a) Z) R) S 1 2")
    assert is_gone(5, signal=another_users, read=lambda _: "5 (S S) Z 1 2")

    def hidden(_: str) -> str:
        raise FileNotFoundError

    assert not is_gone(5, signal=another_users, read=hidden)
    assert not is_gone(5, signal=another_users, read=lambda _: "")


def test_a_thread_that_serves_nobody_has_no_reader() -> None:
    reader = KernelReader()
    assert not reader.has_signal() and not reader.is_gone()

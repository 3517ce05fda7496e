"""Signals in the middle of something."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from mountnd.daemon import signals


@pytest.fixture(autouse=True)
def _handlers_come_back():
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    yield
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_they_raise(number):
    with pytest.raises(SystemExit) as e, signals.raised():
        os.kill(os.getpid(), number)
        raise AssertionError("not reached")
    assert e.value.code == 128 + number


def test_ctrl_c_stays_what_it_is():
    with pytest.raises(KeyboardInterrupt), signals.raised():
        os.kill(os.getpid(), signal.SIGINT)


def test_only_the_first_one_raises_and_again_the_next_time():
    for _ in range(2):
        with pytest.raises(SystemExit), signals.raised():
            try:
                os.kill(os.getpid(), signal.SIGTERM)
            finally:
                os.kill(os.getpid(), signal.SIGHUP)
                os.kill(os.getpid(), signal.SIGINT)


def test_deferred_ones_come_at_the_end():
    done = []
    with pytest.raises(SystemExit) as e, signals.raised():
        with signals.deferred():
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGHUP)
            done.append("all of it")
        raise AssertionError("not reached")
    assert (e.value.code, done) == (128 + signal.SIGTERM, ["all of it"])


def test_ignored_ones_stay_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals.raised():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_another_thread_may_not_and_does_not():
    failed = []

    def work():
        try:
            with signals.raised(), signals.deferred():
                pass
        except BaseException as e:
            failed.append(e)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not failed

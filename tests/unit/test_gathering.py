"""Threads on one processor for a while, and where they were before afterwards."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator

import pytest

from mountnd.gathering import APART, Gathering, processor
from tests.support.children import run_program

needs_two = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one processor")


@pytest.fixture
def parties() -> Iterator[list[threading.Thread]]:
    """Two threads that wait: one that may be moved, one that receives long answers."""
    done = threading.Event()
    made = [threading.Thread(target=done.wait, args=(60,), name=name) for name in ("fuse-1", f"{APART}1")]
    for thread in made:
        thread.start()
    yield made
    done.set()
    for thread in made:
        thread.join()


def allowed(thread: threading.Thread) -> set[int]:
    assert thread.native_id is not None
    return os.sched_getaffinity(thread.native_id)


@needs_two
def test_all_but_those_of_long_answers_come_to_where_the_caller_runs(parties: list[threading.Thread]) -> None:
    usual = os.sched_getaffinity(0)
    here = min(usual)
    gathering = Gathering(lambda: here)
    try:
        gathering(True)
        assert [allowed(thread) for thread in parties] == [{here}, usual]
        assert os.sched_getaffinity(0) == {here}
        late = threading.Thread(target=(go := threading.Event()).wait, args=(60,), name=f"{APART}2")
        late.start()
        assert allowed(late) == {here}, "it runs where its maker does"
        gathering(True)
        assert allowed(late) == usual
    finally:
        gathering(False)
        go.set()
        late.join()
    assert [allowed(thread) for thread in parties] == [usual, usual]
    assert os.sched_getaffinity(0) == usual


@needs_two
def test_twice_is_once(parties: list[threading.Thread]) -> None:
    usual = os.sched_getaffinity(0)
    gathering = Gathering(lambda: max(usual))
    try:
        gathering(False)
        assert os.sched_getaffinity(0) == usual
        gathering(True)
        gathering(True)
    finally:
        gathering(False)
    assert os.sched_getaffinity(0) == usual


def test_where_the_system_does_not_tell_nothing_is_moved() -> None:
    usual = os.sched_getaffinity(0)
    Gathering(lambda: -1)(True)
    assert os.sched_getaffinity(0) == usual


def test_a_thread_that_has_ended_is_passed_by() -> None:
    usual = os.sched_getaffinity(0)
    gone = Gathering(lambda: min(usual), lambda: [(2**22 - 1, True)])
    gone(True)
    gone(False)
    assert os.sched_getaffinity(0) == usual


def test_the_processor_is_one_of_those_that_are_allowed() -> None:
    assert processor() in os.sched_getaffinity(0)


@pytest.mark.parametrize(("what", "gathers"), [("serve", True), ("opened_alone", False)])
def test_only_a_daemon_gathers_its_threads(what: str, gathers: bool) -> None:
    """In a process of its own, as a daemon sets much else for all of it. What would be mounted fails to open."""
    code = f"""
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from mountnd import serve
from mountnd.errors import MountError
from mountnd.gathering import Gathering
from mountnd.stores.http.event_loop import event_loop

def refused(*_):
    raise MountError("nothing is opened here")

serve.opened = refused
config = SimpleNamespace(metrics=None)
with suppress(MountError):
    if {what == "serve"}:
        serve.serve(config, print, SimpleNamespace())
    else:
        with serve.opened_alone(config):
            pass
print(isinstance(event_loop.on_many, Gathering))
"""
    assert run_program([sys.executable, "-c", code]).split() == [str(gathers)]

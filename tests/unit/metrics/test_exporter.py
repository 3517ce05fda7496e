"""The HTTP server: whom it lets wait, whom it cuts off, and how it ends."""

from __future__ import annotations

import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress

import pytest

from mountnd.errors import MountError
from mountnd.metrics import exporter as module
from mountnd.metrics.exporter import AT_ONCE, Exporter
from mountnd.metrics.measures import Measures
from tests.support.waiting import wait_until

from .samples import measures

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@pytest.fixture
def exporter() -> Iterator[Exporter]:
    made = Exporter("127.0.0.1", 0)
    try:
        made.serve(measures)
        yield made
    finally:
        made.close()


def get(url: str) -> bytes:
    with OPENER.open(url, timeout=30) as answer:
        body: bytes = answer.read()
        return body


def connected(exporter: Exporter) -> socket.socket:
    port = int(exporter.url.rpartition(":")[2].partition("/")[0])
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def test_it_answers_and_ends(exporter: Exporter) -> None:
    assert b"mountnd_read_bytes_total" in get(exporter.url)
    assert b"process_resident_memory_bytes" in get(exporter.url)
    exporter.close()
    exporter.close()
    with pytest.raises(OSError):
        connected(exporter)
    again = Exporter("127.0.0.1", int(exporter.url.rpartition(":")[2].partition("/")[0]))  # the port is free
    again.close()


def test_silent_and_trickling_clients_are_cut_off_and_hold_up_nobody(
    exporter: Exporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REQUEST_S", 1.0)
    silent = [connected(exporter) for _ in range(AT_ONCE + 4)]
    ended = threading.Event()
    trickling = connected(exporter)

    def trickle() -> None:
        with suppress(OSError):
            while not ended.wait(0.1):
                trickling.sendall(b"G")

    thread = threading.Thread(target=trickle)
    thread.start()

    def answers() -> bool:
        try:
            return b"mountnd_read_bytes_total" in get(exporter.url)
        except (OSError, urllib.error.URLError):
            return False

    try:
        wait_until(answers, "an answer beside them", 60)
        for one in silent:
            with suppress(ConnectionError):
                assert one.recv(1) == b""
    finally:
        ended.set()
        thread.join()
        for one in (*silent, trickling):
            one.close()


def test_it_ends_while_clients_are_connected(exporter: Exporter) -> None:
    with connected(exporter):
        exporter.close()
    assert not any(thread.name == "metrics" for thread in threading.enumerate())


def test_a_fault_is_an_answer_and_stands_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Measures:
        raise ZeroDivisionError("unheard of")

    made = Exporter("127.0.0.1", 0)
    try:
        made.serve(broken)
        with pytest.raises(urllib.error.HTTPError) as refused:
            get(made.url)
        assert refused.value.code == 500
        refused.value.close()
        assert "unheard of" in caplog.text
    finally:
        made.close()


@pytest.mark.parametrize("host", ["no-such-host.invalid", "192.0.2.1", "a" * 300, "bad..name"])
def test_an_address_that_is_not_of_this_machine(host: str) -> None:
    with pytest.raises(MountError) as refused:
        Exporter(host, 0)
    assert f"--metrics {host}:0: " in str(refused.value) and "127.0.0.1" in str(refused.value)


def test_a_port_that_is_taken(exporter: Exporter) -> None:
    port = int(exporter.url.rpartition(":")[2].partition("/")[0])
    with pytest.raises(MountError) as refused:
        Exporter("127.0.0.1", port)
    assert "Address already in use" in str(refused.value) and "0 for one that is free" in str(refused.value)


def test_who_can_reach_it() -> None:
    for host, is_open in (("127.0.0.1", False), ("localhost", False), ("0.0.0.0", True)):
        made = Exporter(host, 0)
        assert made.is_open is is_open
        made.close()

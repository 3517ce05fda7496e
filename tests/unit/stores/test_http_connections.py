"""Connections that are opened ahead, where something else happens at the same moment."""

from __future__ import annotations

import errno
import ssl
import threading

import pytest

from mountnd.errors import Unreachable
from mountnd.stores.deadline import Deadline
from mountnd.stores.http import connections
from tests.support.raw import raw_server, say
from tests.support.waiting import wait_until


def test_for_a_connection_ahead_nothing_is_closed_where_no_descriptor_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would be closed for it is warm, and would be opened again: each second, as long as names are asked for."""
    monkeypatch.setattr(connections, "PREPARE_S", 0.0)
    tried: list[None] = []

    def used_up(*_: object) -> None:
        tried.append(None)
        raise OSError(errno.EMFILE, "too many open files")

    with raw_server() as server:
        server.play(say(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), close=False)
        client, route = connections.Connections(8, ssl.create_default_context), connections.Route.to(server.url)
        try:
            client.prepare(route, 2)
            wait_until(lambda: len(client._idle) == 2 and not client._opening, "connections are open")
            monkeypatch.setattr(connections, "connect", used_up)
            client.prepare(route, 4)
            wait_until(lambda: len(tried) == 2 and not client._opening, "others were tried")
            assert len(client._idle) == 2
        finally:
            client.close()


def test_none_are_opened_for_a_client_that_is_closed_just_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "connect", lambda *_: pytest.fail("it is closed"))
    client, route = connections.Connections(8, ssl.create_default_context), connections.Route.to("http://127.0.0.1:9")
    made: list[Deadline] = []

    class Late(Deadline):
        __slots__ = ()

        def __init__(self, seconds: float) -> None:
            super().__init__(seconds)
            made.append(self)

    class Turn:
        """The lock; the client is closed just before `prepare` gets it."""

        def __init__(self) -> None:
            self.lock, self.is_first = threading.RLock(), True

        def __enter__(self) -> None:
            if self.is_first:
                self.is_first = False
                client.close()
            self.lock.acquire()

        def __exit__(self, *_: object) -> None:
            self.lock.release()

    monkeypatch.setattr(client, "_lock", Turn())
    monkeypatch.setattr(connections, "Deadline", Late)
    client.prepare(route, 3)
    assert not made


def test_a_connection_is_borrowed_only_while_nothing_was_asked_for_on_it() -> None:
    """Those of bytes are warm once they were used; one that was merely opened ahead saves a round trip."""
    with raw_server() as server:
        server.play(say(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), close=False)
        names, route = connections.Connections(8, ssl.create_default_context), connections.Route.to(server.url)
        lent = connections.Connections(8, ssl.create_default_context)
        names.borrow(lent)

        def ask(client: connections.Connections) -> None:
            with client.ask(route, "GET", "/", {}, "it", Deadline(10), lambda error: Unreachable(str(error))):
                pass

        try:
            lent.prepare(route, 2)
            wait_until(lambda: len(lent._idle) == 2, "two connections are open")
            ask(lent)
            ask(names)
            assert len(server.connections()) == 2
            names.drop_idle()
            ask(names)
            assert len(server.connections()) == 3
            assert len(lent._idle) == 1
        finally:
            names.close()
            lent.close()

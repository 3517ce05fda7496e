"""Short GETs that nobody waits for: filled with the right bytes or not at all, and never for long."""

from __future__ import annotations

import http.client
import re
import ssl
import threading
from collections.abc import Callable, Iterator

import pytest

from mountnd.errors import BadAnswer, Forbidden, MountError
from mountnd.stores.base import ObjectId, ShortRead
from mountnd.stores.deadline import Deadline
from mountnd.stores.http import connections, event_loop, short_gets
from mountnd.stores.http.connection import Connection
from mountnd.stores.http.short_gets import FAILURES, ShortGet, ShortGets
from tests.support.raw import HANG, Raw, Step, raw_server, say, trickle
from tests.support.waiting import Clock, wait_until

BODY = bytes(range(256)) * 512  # 128 KiB
START = 1000
ID = ObjectId("memory://raw", "k", '"x"')
HEAD = b"HTTP/1.1 206 Partial Content\r\nContent-Length: %d\r\nETag: x\r\n\r\n"
GOOD = HEAD % len(BODY) + BODY


class Client:
    """Short GETs from one server. `outcomes`: what the `done` of each was told; `unsigned`: why none can be signed."""

    def __init__(self, server: Raw, silence: float = 10.0) -> None:
        self.connections = connections.Connections(8, ssl.create_default_context)
        self.route = connections.Route.to(server.url)
        self.clock = Clock()
        self.gets = ShortGets(self.connections, self.route, most=8, silence=silence, clock=self.clock)
        self.outcomes: list[bool] = []
        self.unsigned: Exception | None = None

    def open(self, count: int) -> None:
        self.connections._prepared = float("-inf"), 0
        self.connections.prepare(self.route, count)
        wait_until(lambda: len(self.connections._idle) >= count, "connections are open")

    def begin(
        self,
        *views: memoryview,
        deadline: Deadline | None = None,
        check: Callable[[], object] = lambda: None,
        sharing: int = 0,
    ) -> bool:
        def accept(answer: http.client.HTTPResponse, start: int, stop: int) -> None:
            if answer.status != 206:
                raise ValueError("another status")

        def headers(start: int, stop: int) -> dict[str, str]:
            if self.unsigned:
                raise self.unsigned
            return {"Range": f"bytes={start}-{stop - 1}"}

        deadline = deadline or Deadline(30)
        read = ShortRead(ID, START, views, deadline, self.outcomes.append, sharing)
        return self.gets.begin(ShortGet(read, "/k", headers, accept, check))

    def told(self, count: int = 1) -> list[bool]:
        wait_until(lambda: len(self.outcomes) >= count, "the GETs have ended")
        return self.outcomes

    def close(self) -> None:
        self.connections.close()
        self.gets.close()


@pytest.fixture
def server() -> Iterator[Raw]:
    with raw_server() as raw:
        yield raw


@pytest.fixture
def client(server: Raw) -> Iterator[Client]:
    made = Client(server)
    yield made
    made.close()


def views_of(buffer: bytearray, *sizes: int) -> list[memoryview]:
    view, at, found = memoryview(buffer), 0, []
    for size in sizes:
        found.append(view[at : at + size])
        at += size
    return found


@pytest.mark.parametrize("sizes", [[len(BODY)], [1, 70_000, len(BODY) - 70_001]])
def test_the_body_lies_in_the_views_and_the_connection_is_kept(server: Raw, client: Client, sizes: list[int]) -> None:
    server.play(say(GOOD), close=False)
    client.open(1)
    for n in range(1, 4):
        buffer = bytearray(len(BODY))
        assert client.begin(*views_of(buffer, *sizes))
        assert client.told(n) == [True] * n
        assert buffer == BODY
        wait_until(lambda: len(client.connections._idle) == 1, "the connection is free")
    assert len(server.connections()) == 1
    assert client.connections.shortest_wait < 10


def test_the_body_comes_in_pieces(server: Raw, client: Client) -> None:
    quarter = len(BODY) // 4
    pieces = [GOOD[: -3 * quarter], *(BODY[n * quarter : (n + 1) * quarter] for n in (1, 2, 3))]
    server.play(*(step for piece in pieces for step in (say(piece), trickle(b"", 0.02, 1))), close=False)
    client.open(1)
    buffer = bytearray(len(BODY))
    assert client.begin(memoryview(buffer))
    assert client.told() == [True]
    assert buffer == BODY


def test_many_side_by_side_by_one_thread(server: Raw, client: Client) -> None:
    server.play(trickle(b"", 0.1, 1), say(GOOD), close=False)
    client.open(6)
    before = {thread.name for thread in threading.enumerate() if thread.name != "short-gets"}
    buffers = [bytearray(len(BODY)) for _ in range(6)]
    assert all(client.begin(memoryview(buffer)) for buffer in buffers)
    assert {thread.name for thread in threading.enumerate()} - before == {"short-gets"}
    assert client.told(6) == [True] * 6
    assert all(buffer == BODY for buffer in buffers)


QUARTER = len(BODY) // 4


@pytest.fixture
def new(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections bring a quarter of the body in a round trip."""
    monkeypatch.setattr(Connection, "window", property(lambda self: QUARTER))


def ranges(server: Raw) -> list[tuple[int, int]]:
    """The ranges that were asked for, `[start, stop)`, in order."""
    heads = [head for one in server.connections() for head in one["heads"]]
    found = (re.search(r"Range: bytes=(\d+)-(\d+)", head) for head in heads)
    return sorted((int(one[1]), int(one[2]) + 1) for one in found if one)


@pytest.mark.usefixtures("new")
@pytest.mark.parametrize("sizes", [[len(BODY)], [1, 70_000, len(BODY) - 70_001]])
def test_connections_that_are_new_bring_a_part_each(server: Raw, client: Client, sizes: list[int]) -> None:
    server.play(say(HEAD % QUARTER + BODY[:QUARTER]), close=False)
    client.open(6)
    buffer, checked = bytearray(len(BODY)), []
    assert client.begin(*views_of(buffer, *sizes), check=lambda: checked.append(bytes(buffer)), sharing=1)
    assert client.told() == [True]
    assert buffer == BODY and checked == [BODY], "once, when all have come"
    assert ranges(server) == [(START + n * QUARTER, START + (n + 1) * QUARTER) for n in range(4)]
    wait_until(lambda: len(client.connections._idle) == 6, "the connections are free")
    assert client.outcomes == [True]


@pytest.mark.usefixtures("new")
def test_reads_share_the_idle_connections(server: Raw, client: Client) -> None:
    half = len(BODY) // 2
    server.play(trickle(b"", 0.1, 1), say(HEAD % half + BODY[:half]), close=False)
    client.open(4)
    first, second = bytearray(len(BODY)), bytearray(len(BODY))
    assert client.begin(memoryview(first), sharing=2)
    assert len(client.connections._idle) == 2
    assert client.begin(memoryview(second), sharing=1)
    assert client.told(2) == [True, True]
    assert first == second == BODY


@pytest.mark.usefixtures("new")
def test_the_only_idle_connection_brings_all_of_it(server: Raw, client: Client) -> None:
    server.play(say(GOOD), close=False)
    client.open(1)
    buffer = bytearray(len(BODY))
    assert client.gets.connections_for(len(BODY), 1) == 1
    assert client.begin(memoryview(buffer), sharing=1)
    assert client.told() == [True] and buffer == BODY


@pytest.mark.usefixtures("new")
@pytest.mark.parametrize("error", [Forbidden("no keys"), ValueError("a line break")])
def test_a_request_that_cannot_be_made_takes_no_connection(server: Raw, client: Client, error: Exception) -> None:
    server.play(HANG, close=False)
    client.open(4)
    client.unsigned = error
    assert not client.begin(memoryview(bytearray(len(BODY))), sharing=1)
    assert len(client.connections._idle) == 4 and client.outcomes == []
    assert not ranges(server)


@pytest.mark.usefixtures("new")
def test_a_server_that_throttles_is_asked_for_nothing_side_by_side_for_a_while(server: Raw, client: Client) -> None:
    server.play(say(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n"), close=False)
    client.open(4)
    assert client.begin(memoryview(bytearray(len(BODY))), sharing=1)
    assert client.told() == [False]
    server.play(say(GOOD), close=False)
    client.open(4)
    assert client.gets.connections_for(len(BODY), 1) == 0
    assert client.begin(memoryview(bytearray(len(BODY))), sharing=1)
    assert client.told(2) == [False, True]
    assert ranges(server) == [(START, START + len(BODY))]
    client.clock.now += short_gets.OFF_S + 1
    assert client.gets.connections_for(len(BODY), 1) == 4


@pytest.mark.usefixtures("new")
def test_a_read_that_comes_to_something_unusual_counts_once(server: Raw, client: Client) -> None:
    for n in range(1, FAILURES + 1):
        server.play(say(b"HTTP/1.0 206 OK\r\n\r\nwhole"), close=False)
        client.connections.drop_idle()
        client.open(4)
        assert client.begin(memoryview(bytearray(len(BODY))), sharing=1)
        assert client.told(n) == [False] * n
    client.open(4)
    assert not client.begin(memoryview(bytearray(5)))


@pytest.mark.usefixtures("new")
@pytest.mark.parametrize("what", ["refused", "shorter", "ends at once"])
def test_a_part_that_is_not_as_usual_ends_all(server: Raw, client: Client, what: str) -> None:
    """The other connections hang: they are not waited for."""
    server.play(HANG, close=False)
    client.open(3)
    server.play(*UNUSUAL[what], close=what == "ends at once")
    client.open(4)
    deadline = Deadline(30)
    assert client.begin(memoryview(bytearray(len(BODY))), deadline=deadline, sharing=1)
    assert client.told() == [False]
    assert not client.connections._idle, "none is used again"
    assert deadline.told.gets == 4 and deadline.told.status == {"refused": 503, "shorter": 206}.get(what, 0)


@pytest.mark.usefixtures("new")
def test_all_parts_end_when_they_are_not_wanted_any_more(server: Raw, client: Client) -> None:
    server.play(say((HEAD % QUARTER + BODY)[:500]), HANG, close=False)
    client.open(4)
    deadline = Deadline(30)
    assert client.begin(memoryview(bytearray(len(BODY))), deadline=deadline, sharing=1)
    deadline.cancel()
    assert client.told() == [False]
    wait_until(lambda: all(one["ended"] for one in server.connections()), "the connections are closed")
    assert client.outcomes == [False]


def test_a_connection_that_has_brought_much_brings_it_alone(server: Raw, client: Client) -> None:
    server.play(say(GOOD), close=False)
    client.open(4)
    for n in (1, 2):
        assert client.begin(memoryview(bytearray(len(BODY))), sharing=0)
        assert client.told(n)[-1]
        wait_until(lambda: len(client.connections._idle) == 4, "the connection is free")
    first, *others = client.connections.widest(client.route, 1, 8)
    client.connections.put_back([first, *others])
    assert all(first[1].window - one[1].window == 2 * len(BODY) for one in others)
    assert len(client.connections._idle) == 4


def test_without_an_idle_connection_nothing_is_asked_for(server: Raw, client: Client) -> None:
    server.play(say(GOOD), close=False)
    assert not client.begin(memoryview(bytearray(len(BODY))))
    assert not server.connections()
    assert client.outcomes == []


UNUSUAL: dict[str, tuple[Step, ...]] = {
    "refused": (say(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 2\r\n\r\nno"),),
    "chunked": (say(b"HTTP/1.1 206 Partial Content\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),),
    "shorter": (say(HEAD % 5 + b"hello"),),
    "longer": (say(HEAD % (len(BODY) + 1) + BODY + b"x"),),
    "head in pieces": (say(GOOD[:20]), trickle(b"", 0.05, 1), say(GOOD[20:])),
    "no HTTP": (say(b"\x00\x01\x02\x03"),),
    "ends at once": (),
}


@pytest.mark.parametrize("what", UNUSUAL)
def test_what_is_not_as_usual_is_left_to_those_who_wait(server: Raw, client: Client, what: str) -> None:
    server.play(*UNUSUAL[what], close=what == "ends at once")
    client.open(1)
    assert client.begin(memoryview(bytearray(len(BODY))))
    assert client.told() == [False]
    assert not client.connections._idle, "its connection is not used again"


@pytest.mark.parametrize("error", [BadAnswer("of another version"), RuntimeError("a fault of ours")])
def test_bytes_that_are_not_to_be_believed(server: Raw, client: Client, error: Exception) -> None:
    def check() -> None:
        raise error

    server.play(say(GOOD), close=False)
    client.open(1)
    assert client.begin(memoryview(bytearray(len(BODY))), check=check)
    assert client.told() == [False]


def test_a_body_that_ends_early(server: Raw, client: Client) -> None:
    server.play(say(GOOD[:-1]))
    client.open(1)
    assert client.begin(memoryview(bytearray(len(BODY))))
    assert client.told() == [False]


def test_a_server_that_is_never_as_usual_is_left_alone_for_a_while(server: Raw, client: Client) -> None:
    server.play(say(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n"), close=False)
    client.open(FAILURES)
    for n in range(FAILURES):
        assert client.begin(memoryview(bytearray(5)))
        assert client.told(n + 1) == [False] * (n + 1), "refusals are as usual"
    client.outcomes.clear()
    server.play(say(b"HTTP/1.0 206 OK\r\n\r\nwhole"), close=False)
    client.connections.drop_idle()
    client.open(FAILURES + 1)
    for n in range(FAILURES):
        assert client.begin(memoryview(bytearray(5)))
        assert client.told(n + 1) == [False] * (n + 1)
    assert not client.begin(memoryview(bytearray(5)))
    client.clock.now += short_gets.OFF_S + 1
    server.play(say(GOOD), close=False)
    client.connections.drop_idle()
    client.open(1)
    assert client.begin(memoryview(bytearray(len(BODY))))
    assert client.told(FAILURES + 1)[-1]


@pytest.mark.parametrize("steps", [(HANG,), (say(GOOD[:500]), HANG)], ids=["at once", "in its body"])
def test_a_server_that_says_nothing(server: Raw, steps: tuple[Step, ...]) -> None:
    client = Client(server, silence=0.3)
    try:
        server.play(*steps, close=False)
        client.open(1)
        assert client.begin(memoryview(bytearray(len(BODY))))
        assert client.told() == [False]
    finally:
        client.close()


@pytest.mark.parametrize("how", ["cancelled", "over", "closed"])
def test_it_ends_when_it_is_not_wanted_any_more(server: Raw, client: Client, how: str) -> None:
    server.play(say(GOOD[:500]), HANG, close=False)
    client.open(1)
    deadline = Deadline(0.3 if how == "over" else 30)
    assert client.begin(memoryview(bytearray(len(BODY))), deadline=deadline)
    if how == "cancelled":
        deadline.cancel()
    elif how == "closed":
        client.close()
    assert client.told() == [False]
    wait_until(lambda: server.connections()[0]["ended"] is not None, "its connection is closed")
    if how == "closed":
        assert not client.begin(memoryview(bytearray(5)))


def test_where_no_thread_is_granted_nothing_is_asked_for(
    server: Raw, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: threading.Thread) -> None:
        raise MountError("no thread")

    server.play(say(GOOD), close=False)
    client.open(1)
    monkeypatch.setattr(short_gets, "event_loop", event_loop.EventLoop())
    monkeypatch.setattr(event_loop, "start", refused)
    assert not client.begin(memoryview(bytearray(len(BODY))))
    assert client.outcomes == []


def test_the_thread_ends_when_there_is_nothing_to_do_and_comes_again(
    server: Raw, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_loop, "_TICK_S", 0.01)
    loop = event_loop.EventLoop()
    monkeypatch.setattr(short_gets, "event_loop", loop)
    server.play(say(GOOD), close=False)
    client.open(1)
    for n in (1, 2):
        wait_until(lambda: len(client.connections._idle) == 1, "the connection is free")
        assert client.begin(memoryview(bytearray(len(BODY))))
        assert client.told(n) == [True] * n
        wait_until(lambda: not loop._has_thread, "the thread has ended")


def test_that_there_are_many_is_told_and_once_that_there_are_not() -> None:
    loop, told = event_loop.EventLoop(), []
    loop.on_many = told.append
    many, many_s, few, few_s = event_loop.MANY, event_loop.MANY_S, event_loop.FEW, event_loop.FEW_S

    def pass_by(seconds: float, ended: int) -> None:
        nonlocal now
        now += seconds
        loop._ended += ended
        loop._count(now)

    now = 1000.0
    pass_by(0, 100)  # since the loop was made
    pass_by(many_s, many - 1)
    pass_by(10 * many_s, 10 * many - 1)
    pass_by(many_s / 2, 2 * many)
    assert told == []
    pass_by(many_s, 0)
    assert told == [True]
    pass_by(few_s / 2, 0)
    pass_by(few_s, few)
    assert told == [True, True], "as long as there are"
    pass_by(few_s, few - 1)
    pass_by(few_s, few - 1)
    assert told == [True, True, False]

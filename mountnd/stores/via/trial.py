"""Tries a caching proxy with one object, for `mountnd doctor --via`: are its bytes right, does it keep ranges, does it
heed If-Match, does it ask the source once for many?

What the source is asked cannot be seen from here. But S3 numbers each answer (`x-amz-request-id`), and a cache gives
that number again with what it kept: two answers of one number are of one request at the source.
"""

from __future__ import annotations

import random
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from ...errors import StoreError
from ..base import Deadline
from ..http.connections import Connections
from ..http.etags import normalised
from ..http.ranges import parse_content_range
from ..http.status import request_id_in
from .asking import PATIENCE, Asking
from .evidence import is_hit
from .manner import Manner, Origin, wants_urls

# What is asked for, in bytes; and how far apart things lie that one fetch of a part should not bring together.
PIECE, FAR = 64 << 10, 8 << 20
# How many ask for the same at once, and how often it is looked whether something was kept by now, with this pause.
AT_ONCE, LOOKS, PAUSE_S = 8, 4, 0.6
# No object has this one.
FOREIGN_ETAG = '"mountnd-doctor-0"'


class Thing(NamedTuple):
    """An object to try a proxy with: its key as it stands in a URL (`manner.asked`), its ETag, its size in bytes."""

    key: str
    etag: str
    size: int


class Reply(NamedTuple):
    """An answer, or why there was none. `start`, `stop`: the range that it says it is, -1 where it says nothing."""

    status: int = 0
    etag: str = ""
    start: int = -1
    stop: int = -1
    body: bytes = b""
    number: str = ""
    hit: bool | None = None
    location: str = ""
    why: str = ""


class Trial(NamedTuple):
    """What came of it.

    Attributes:
        manner: how it was asked.
        first: its first answer.
        right: it gave the right bytes of the right version.
        kept: what was asked for again came from the cache; None where that cannot be told.
        whole: with a part it fetched what lies far behind it; None where the object is too short for that.
        condition: status of an answer to an If-Match that does not hold.
        asked: how many requests at the source `AT_ONCE` at once were; None where that cannot be told.
    """

    manner: Manner
    first: Reply
    right: bool = False
    kept: bool | None = None
    whole: bool | None = None
    condition: int = 0
    asked: int | None = None


class Prober:
    """Asks one proxy. `context`: gives the TLS context, for an https URL."""

    def __init__(self, url: str, origin: Origin, context: Callable[[], ssl.SSLContext], deadline: Deadline) -> None:
        self.url, self._origin, self._deadline = url, origin, deadline
        self._connections = Connections(AT_ONCE, context, patience=PATIENCE)
        self._asking = Asking(url, self._connections)
        self.manner = self._asking.manner

    def ask(self, thing: Thing, start: int, stop: int, etag: str = "") -> Reply:
        """Its answer to a request for `[start, stop)`. Never raises StoreError."""
        try:
            with self._asking.ask(
                self.manner, self._origin, thing.key, start, stop, etag or thing.etag, self.url, self._deadline
            ) as (connection, answer):
                found = parse_content_range(answer.getheader("Content-Range"))
                length = answer.length if answer.length is not None else PIECE
                whole = answer.status == 200 and length > stop - start
                body = b"" if whole else connection.document(answer, max(PIECE, stop - start), self.url, self._deadline)
                return Reply(
                    answer.status,
                    normalised(answer.getheader("ETag") or ""),
                    *(found[:2] if found else (-1, -1)),
                    body,
                    request_id_in(answer.headers.get),
                    is_hit(answer.headers),
                    answer.getheader("Location") or "",
                )
        except StoreError as error:
            return Reply(why=str(error))

    def close(self) -> None:
        """Drop the connections."""
        self._connections.close()


def try_proxy(prober: Prober, thing: Thing, other: Thing, expected: Callable[[int, int], bytes]) -> Trial:
    """Try a proxy.

    Args:
        thing: the larger, the more can be told.
        other: another one, for what must not be in its cache; may be the same.
        expected: the bytes `[start, stop)` of `thing` as the source itself gives them.
    """
    start, far = _places(thing.size)
    stop = min(start + PIECE, thing.size)
    first = prober.ask(thing, start, stop)
    if wants_urls(first.status) and prober.manner is Manner.SERVER:
        prober.manner = Manner.PROXY
        second = prober.ask(thing, start, stop)
        if second.status and not wants_urls(second.status):
            first = second
        else:
            prober.manner = Manner.SERVER
    found = Trial(prober.manner, first)
    if first.status not in (200, 206):
        return found
    placed = (first.start, first.stop) == (start, stop) or (first.status == 200 and (start, stop) == (0, thing.size))
    if not placed or first.etag != thing.etag or first.body != expected(start, stop):
        return found
    found = found._replace(right=True)
    if far is not None:
        reply = prober.ask(thing, far, far + PIECE)
        found = found._replace(whole=_is_from(reply, first) if _can_tell(reply, first) else None)
    found = found._replace(kept=_is_kept(prober, thing, start, stop, first))
    found = found._replace(condition=prober.ask(thing, start, stop, FOREIGN_ETAG).status)
    return found._replace(asked=_asked_at_once(prober, other))


def _places(size: int) -> tuple[int, int | None]:
    """Where to ask first, and a place far behind it, where there is one."""
    if size <= PIECE:
        return 0, None
    if size < FAR + 2 * PIECE:
        return random.randrange(0, (size - 1) // PIECE) * PIECE, None
    start = random.randrange(0, (size - FAR) // PIECE // 2 + 1) * PIECE
    return start, (size - PIECE) // PIECE * PIECE


def _is_kept(prober: Prober, thing: Thing, start: int, stop: int, first: Reply) -> bool | None:
    """Whether the same comes from the cache by now, or soon."""
    replies: list[Reply] = []
    for look in range(LOOKS):
        if look:
            time.sleep(PAUSE_S)
        reply = prober.ask(thing, start, stop)
        if any(_is_from(reply, before) for before in (first, *replies)):
            return True
        replies.append(reply)
    return False if _can_tell(replies[-1], first) else None


def _asked_at_once(prober: Prober, thing: Thing) -> int | None:
    """How many requests at the source as many at once are, for what nobody has asked for yet."""
    start = random.randrange(0, max(1, thing.size // PIECE)) * PIECE
    stop = min(start + PIECE, thing.size)
    together = threading.Barrier(AT_ONCE)

    def ask(_: int) -> Reply:
        together.wait(PATIENCE.silence)
        return prober.ask(thing, start, stop)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        replies = list(pool.map(ask, range(AT_ONCE)))
    numbers = {reply.number for reply in replies}
    return len(numbers) if "" not in numbers else None


def _can_tell(one: Reply, other: Reply) -> bool:
    return bool(one.number and other.number) or one.hit is not None


def _is_from(reply: Reply, before: Reply) -> bool:
    """Whether an answer came from what was fetched for an answer before."""
    if reply.number and before.number:
        return reply.number == before.number
    return reply.hit is True

"""Reads through a ring: each part of a range from the node that has it, else from the next, at the end from the source.

A node that cannot be reached, breaks off or says nothing is left out for a while (`standing`), and its share goes to
the next by rank. One that answers something else may be right (the object was replaced, or is gone), so the source
itself is asked then: where that gives the bytes, the node was wrong. A reader sees a slower byte, never an error that
is not the source's own.
"""

from __future__ import annotations

import random as _random
import ssl
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ...stats import VIA_BYTES, VIA_FAILED, VIA_GETS, VIA_HITS, VIA_SOURCE_BYTES, Stats
from ..base import Deadline
from ..http.connections import Connections
from . import rendezvous
from .asking import PATIENCE
from .node import Node, NodeFailed, Wanted
from .parts import Part, parts, piece
from .standing import Fault

# What nodes may take of the time that a read has left, all together: the rest is the source's, if it comes to that.
_SHARE = 0.5
# A node is not begun with in less, in seconds.
_LEAST_S = 0.2

# `[start, ...)` into these views, from the source itself.
FromSource = Callable[[int, list[memoryview]], None]


class _Accused(NamedTuple):
    """A node that answered something else, which the source is asked about."""

    node: Node
    fault: Fault
    why: str
    began: float


class Ring:
    """The nodes of a source. Safe to use from many threads.

    Args:
        urls: of the nodes, in any order.
        connections: kept open when idle, to all of them together, at most.
        context: gives the TLS context, for nodes with https URLs.
        clock: monotonic seconds; `random`: uniform in [0, 1).

    Attributes:
        nodes: in the order of their names.
        stats: counts what comes of it; of the source, where somebody counts.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        connections: int,
        context: Callable[[], ssl.SSLContext],
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = _random.random,
    ) -> None:
        names = sorted(set(urls))
        self._connections = Connections(connections, context, patience=PATIENCE)
        self.nodes = tuple(Node(name, self._connections, clock) for name in names)
        self._seeds = [rendezvous.seed(name) for name in names]
        self._clock, self._random = clock, random
        self.stats = Stats()

    def read(
        self,
        wanted: Wanted,
        start: int,
        views: Sequence[memoryview],
        subject: object,
        deadline: Deadline,
        source: FromSource,
    ) -> bool:
        """Fill `views` with the bytes from `start` on; whether `source` gave all of them. Raises what that raises, and
        Cancelled."""
        buffers = [view.cast("B") for view in views]
        stop = start + sum(map(len, buffers))
        if all(node.is_out for node in self.nodes):
            self._from_source(start, buffers, source)
            return True
        by_source = []
        for part in self.parts(wanted, start, stop):
            into = piece(buffers, part.start - start, part.stop - start)
            by_source.append(self._read_part(part, wanted, into, subject, deadline, source))
        return all(by_source)

    def parts(self, wanted: Wanted, start: int, stop: int) -> Sequence[Part]:
        """Which nodes have what of a range."""
        origin = wanted.origin
        return list(parts(self._seeds, f"{origin.place}{origin.path}{wanted.key}", start, stop))

    def _read_part(
        self,
        part: Part,
        wanted: Wanted,
        views: list[memoryview],
        subject: object,
        deadline: Deadline,
        source: FromSource,
    ) -> bool:
        """Whether it came from the source."""
        accused: _Accused | None = None
        nodes = deadline.within(deadline.left() * _SHARE)
        for index in part.nodes:
            node = self.nodes[index]
            if nodes.left() < _LEAST_S:
                break
            if not node.may_be_asked():
                continue
            began = self._clock()
            self.stats.add(VIA_GETS)
            try:
                hit = node.read(wanted, part.start, views, subject, nodes)
            except NodeFailed as failure:
                self.stats.add(VIA_FAILED)
                if failure.answered:
                    accused = _Accused(node, failure.fault, str(failure), began)  # without its frames, which hold views
                    break
                node.failed(failure.fault, str(failure), began, self._random())
            except BaseException:
                node.undecided()
                raise
            else:
                node.well(part.stop - part.start, hit)
                self.stats.add(VIA_BYTES, part.stop - part.start)
                if hit:
                    self.stats.add(VIA_HITS)
                return False
        try:
            self._from_source(part.start, views, source)
        except BaseException:
            if accused is not None:
                accused.node.undecided()
            raise
        if accused is not None:
            accused.node.failed(accused.fault, accused.why, accused.began, self._random())
        return True

    def _from_source(self, start: int, views: list[memoryview], source: FromSource) -> None:
        source(start, views)
        self.stats.add(VIA_SOURCE_BYTES, sum(map(len, views)))

    def counts(self) -> list[dict[str, Any]]:
        """What came of each node."""
        return [node.counts() for node in self.nodes]

    def close(self) -> None:
        """Drop the connections."""
        self._connections.close()

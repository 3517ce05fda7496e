"""The link to one source: how long a request takes, how fast a connection is. From these follows what costs little.

Pure. The caller holds its lock around `record`; the attributes may be read without.
"""

from __future__ import annotations

from collections import deque

from ...stores.base import NEAR_S

# What is believed until enough was seen: another region, and what S3 gives a connection (both measured).
LATENCY_S, BYTES_PER_S = 0.03, 90e6
# GETs of a kind that count. The fastest of them says what the link can do: others waited for the server, for each
# other or for TCP to start (as in N. Cardwell et al., BBR: congestion-based congestion control, ACM Queue 14(5), 2016).
SAMPLES = 64
# Answers up to the one size tell the latency, from the other size on the rate: TCP starts slowly, so that shorter ones
# show a tenth of it. Until a short one has come, all tell what the latency is at most.
SHORT, LONG = 64 << 10, 1 << 20
# What a connection brings in a third of a round trip, or in so many seconds, may be fetched though nobody may read it;
# in bytes at least and at most. (A request costs a millisecond of processor time, too: at 2 ms the metadata of twelve
# HDF5 files of up to 1 MB took 0.10 s with each of them whole, 0.17 by hops.)
PART, UNNOTICED_S, SMALL_MIN, SMALL_MAX = 3, 0.01, 256 << 10, 1 << 20
TRIP_MIN, TRIP_MAX = 512 << 10, 14 << 20
# Until so many GETs have ended most connections are new.
FIRST_GETS = 16
# Where a connection brings more than this in a round trip, the round trips that TCP's start takes are what counts.
FAR_TRIP = 1 << 20


class Link:
    """What was seen of the GETs of one source.

    Attributes:
        trip: bytes that a connection brings in one round trip.
        small: an object of up to so many bytes costs little more whole than its first block.
    """

    __slots__ = ("_at_most", "_gets", "_latencies", "_rates", "small", "trip")

    def __init__(self) -> None:
        self._at_most, self._gets = LATENCY_S, 0
        self._latencies: deque[float] = deque(maxlen=SAMPLES)
        self._rates: deque[float] = deque(maxlen=SAMPLES)
        self._derive()

    def record(self, size: int, seconds: float) -> None:
        """A GET of `size` bytes took so long."""
        self._gets += 1
        if size <= SHORT:
            self._latencies.append(seconds)
        elif size >= LONG:
            self._rates.append(size / max(seconds - self.latency, 1e-3))
        self._at_most = min(self._at_most, seconds)
        self._derive()

    def at_most(self, latency: float) -> None:
        """Something else than a GET was answered so soon, in seconds. May be called without the lock."""
        if latency < self._at_most:
            self._at_most = latency
            self._derive()

    @property
    def is_measured(self) -> bool:
        """Whether an answer has told the latency, which is assumed until then."""
        return bool(self._latencies)

    @property
    def latency(self) -> float:
        """Seconds from a request to its answer."""
        return min(self._latencies, default=self._at_most)

    @property
    def starts_slowly(self) -> bool:
        """Whether connections are new, and far: what is waited for comes sooner over several of them."""
        return self._gets < FIRST_GETS and self.trip > FAR_TRIP

    @property
    def is_near(self) -> bool:
        """Whether requests cost more than round trips."""
        return self.latency < NEAR_S

    @property
    def rate(self) -> float:
        """Bytes a second that one connection gives."""
        return max(self._rates, default=BYTES_PER_S)

    def _derive(self) -> None:
        trip = int(self.latency * self.rate)
        self.trip = min(TRIP_MAX, max(TRIP_MIN, trip))
        self.small = min(SMALL_MAX, max(SMALL_MIN, trip // PART, int(UNNOTICED_S * self.rate)))

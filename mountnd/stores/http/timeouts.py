"""The time-outs of every client that speaks HTTP, in seconds; a deadline that ends sooner cuts them short."""

from __future__ import annotations

from typing import NamedTuple

# Connecting takes three round trips with TLS. A server that sends nothing for ten seconds has lost us: the first byte
# of a ranged GET takes S3 some 100-200 ms.
CONNECT_S = 5.0
IDLE_S = 10.0


class Patience(NamedTuple):
    """How long connecting and silence may last, for those who know more of a server."""

    connect: float = CONNECT_S
    silence: float = IDLE_S


USUAL = Patience()

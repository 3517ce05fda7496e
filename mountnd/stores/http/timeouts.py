"""The time-outs of every client that speaks HTTP, in seconds; a deadline that ends sooner cuts them short."""

from __future__ import annotations

# Connecting takes three round trips with TLS. A server that sends nothing for ten seconds has lost us: the first byte
# of a ranged GET takes S3 some 100-200 ms.
CONNECT_S = 5.0
IDLE_S = 10.0

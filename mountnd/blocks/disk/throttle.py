"""How the disk cache's writer gives way to readers: a pure policy.

It takes processor time from them, and more than its own: its checksums hold Python's lock, and a thread that has lost
its processor meanwhile keeps all others waiting. So it pauses in proportion to what it worked, and the longer, the
busier the mount is. On a line of 1 Gbit/s over TLS the mount uses a quarter of a processor, and the writer, which takes
0.34 to 0.5 s for 1 GiB, has an eleventh of one: enough for some 200 MB/s. Four readers of a faster line use all of one;
there the writer cost them a seventh of their time when it had an eighth, and what it cannot write is fetched again
about as soon.
"""

from __future__ import annotations

# Pauses as multiples of work: in a mount that does nothing else, and in one that uses a whole processor.
LEAST, MOST = 3.0, 31.0


def pause_after(worked: float, processors: float, *, late: bool = False) -> float:
    """Seconds to pause after `worked` seconds of processor time, in a mount that uses so many `processors`.

    `late`: what waits has waited for long; then the pauses are those of a mount that does nothing else.
    """
    return worked * (LEAST + (0.0 if late else (MOST - LEAST) * min(1.0, processors)))

"""What the bytes room counts: every name with its meaning. Bytes unless the name says otherwise."""

from __future__ import annotations

ASKED = "bytes.asked"
MEMORY = "bytes.memory"
DISK = "bytes.disk"
FETCHED = "bytes.fetched"
GETS = "get.requests"
GETS_FAILED = "get.failed.requests"
GETS_DEMAND = "get.demand.requests"
HEDGED = "get.hedged.requests"
PREFETCHED = "prefetch.bytes"
USED = "prefetch.used.bytes"
WASTED = "prefetch.wasted.bytes"
PREFETCH_FAILED = "prefetch.failed.requests"
PREFETCH_REFUSED = "prefetch.refused.requests"
PREFETCH_CANCELLED = "prefetch.cancelled.requests"
EVICTED = "memory.evicted.bytes"
OVERDRAFT = "memory.overdraft.bytes"
DISK_KEPT = "disk.kept.bytes"
DISK_SKIPPED = "disk.skipped.bytes"
DISK_EVICTED = "disk.evicted.bytes"
DISK_DAMAGED = "disk.damaged.blocks"

COUNTERS: dict[str, str] = {
    ASKED: "bytes that readers asked for",
    MEMORY: "bytes served at once, from blocks in memory",
    DISK: "bytes that came from the disk cache",
    FETCHED: "bytes that came from stores",
    GETS: "ranged GETs sent to stores",
    GETS_FAILED: "ranged GETs that failed",
    GETS_DEMAND: "ranged GETs that a reader was waiting for when they began",
    HEDGED: "ranged GETs sent a second time because the first one stalled",
    PREFETCHED: "bytes that were fetched before a reader asked for them",
    USED: "prefetched bytes that a reader then read (whole blocks)",
    WASTED: "prefetched bytes that were evicted before anyone read them",
    PREFETCH_FAILED: "prefetches that failed, which no reader notices",
    PREFETCH_REFUSED: "prefetches not made because memory was full of what is in use",
    PREFETCH_CANCELLED: "prefetches dropped before they began, because their file was closed",
    EVICTED: "bytes of blocks that left memory to make room",
    OVERDRAFT: "bytes that a waiting reader needed beyond the memory limit, for a moment",
    DISK_KEPT: "bytes written to the disk cache",
    DISK_SKIPPED: "bytes not written to the disk cache, because it was behind, full or off",
    DISK_EVICTED: "bytes on disk given up for newer ones",
    DISK_DAMAGED: "blocks on disk that did not pass their checksum, and were fetched again",
}

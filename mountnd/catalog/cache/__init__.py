"""What listings and look-ups have told: held in memory, and on disk across restarts. Asks no store.

tiered      both as one: listings come in, are written down, and come back after a restart
memory      listings and single answers, how old they are, and what must be asked again
shared      the same in a directory that several nodes share
slot        a directory's listing as memory holds it
disk        write-behind: listings of one source that wait to be written, and reading them back
segments    the files of one source, shared with other mounts: opened, written, merged, removed
segment     one such file: written once, read by position
compaction  which files become one, and what of them counts

Callers read `tiered` (or its `memory`, where the disk is not wanted) and write through `tiered`. Inside: tiered >
memory | disk; memory > slot; disk > segments > compaction > segment.

Lock order: `TieredCache._lock` and `MemoryCache._lock` are leaves. `ListingDiskCache._flushing`, held by the one thread
that writes files, comes before `ListingDiskCache._lock`, and that before `SegmentDirectory._lock`.
"""

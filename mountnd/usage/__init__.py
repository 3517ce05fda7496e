"""What is remembered of how a mount was used, for `mountnd report` and `stats --watch`: bounded, and cheap to keep.

    log        `UsageLog`: the files that were read or fetched; a `HandleUsage` for each open file
    files      what is counted of one file
    waits      `SlowestWaits`: what programs waited for longest
    timeline   `Timeline`: counters over time, in a fixed number of slots that grow longer as a mount grows older
    archive    files that nobody has touched lately, compressed
    ranges     which bytes of a file: pure
    pattern    how a file is read, from the order of its reads: pure

`blocks` tells of reads and GETs, `catalog` of waits for names, `vfs` of opens; `account` (above all rooms) answers
questions about it. A read costs an append to a list; each 256 of them are looked at together.

Locks: `UsageLog._lock` and `SlowestWaits._lock` are leaves.
"""

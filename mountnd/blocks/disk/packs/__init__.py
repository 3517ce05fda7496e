"""Small objects of a directory that nodes share, many in one file: a metadata server has few inodes and little time.

    tier       `PackTier`: what one mount reads from packs, and what it packs
    reader     reads blocks; merger: when packs are merged, and by whom
    merging    which packs become one, and how (the first is pure); also a pack without some of its objects
    index      where which block lies, in all packs, in memory
    pack_file  one pack: read, checked, made
    collector  what waits to be packed
    format     what a pack holds, as bytes (pure)

Imports go down this list. A pack is made under another name and renamed, and never changes after that: who finds its
name finds it whole. Whoever merges some publishes the new pack before the old ones go. So whatever is read at the same
time lies in one or the other, and a name that is gone means: look again.

Locks: `Collector._lock` and `PackIndex._lock` are leaves, held across no I/O. `PackIndex._turn` is held by the one
thread that looks at the directory; others of the guard's wait for it for a bounded time, as they would ask the same.
`Merger._turn` is held by the one that merges, and nobody waits for it.
"""

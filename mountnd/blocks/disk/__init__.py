"""The disk tier: blocks in files below one directory, which several mounts and processes may share.

    shared_cache  `SharedCache`: the same parts as a tier that several nodes share, below the node's own
    cache       `DiskCache`: loads blocks on the caller's thread, passes what is to be saved to the writer
    writer      write-behind on one thread: what waits, and when it may be written
    chunk_writer  writes blocks into files
    room        how much may be written, and eviction; shared_room: the same among nodes, by a ledger
    awaited_work  what somebody waits for of the writer's thread
    throttle    how long the writer pauses for readers (pure)
    leases      who fetches what, among mounts that share the directory
    lease_files  their files
    neighbours  which of these fetch right now; members: which mounts of other nodes live
    ledger      how much a shared directory takes, as nodes tell each other
    shared_chunks  reads chunk files of a directory that nodes share
    contents    what the files hold: listed, cleared, verified
    last_use    when files were last used, in memory and as mtime
    usage       how much disk it takes, looked at now and then
    pins        files that are never evicted, in lists with names
    directory   the directory as a whole: scan, remove, how much it takes
    eviction    which files go, the default limit, the room that is left (pure)
    packs/      small objects, many in a file
    exclusive_lease  one at a time among nodes
    chunk_file  one file: up to 16 MiB of one object, with a checksum for each block
    place       the directory held open, through which every file is reached
    base        the protocols: `Room`, `DiskTier` as the fetcher sees it, `BlockSource` as the tier sees memory

Imports go down this list. Locks: `DiskCache._lock`, `WriteBehind._lock`, `LastUse._lock`, `Leases._lock`, `Hold._lock`,
`Neighbours._lock` and `Members._lock` are leaves and guard one table each; none is held across I/O. Files need no lock:
whatever processes do to each other makes a block absent, never wrong.
"""

"""The bytes room: which bytes of which object we hold, and what is fetched before anybody asks.

    stream       `Blocks` for a mount, a `Stream` for each open file: what the vfs calls. Hits, and what misses begin.
    misses       reads that lack blocks: turns, waiting for flights, copying
    begun        a read that was begun and is not waited for yet, for whoever has many at once
    outlook      what is here of an object, and what a read would cost: looked at only
    bulk         whole objects to the disk tier: `mountnd prefetch`; `pace`: how much of them at once (pure)
    checking     whole objects, read to be compared with what is known of them: `mountnd verify`
    waiting      one read that waits, and what for: told to `usage`
    readahead/   what one handle will read next: pure policies (window, strides)
    fetch/       gets blocks: single flight, budget, hedging, warm-up; the loader asks disk, then the store
    disk/        blocks that outlive the mount: cache, write-behind, eviction
    memory       blocks in an arena under one limit; eviction with a second chance
    geometry     where blocks lie in an object: pure arithmetic

Who may call whom: each line only those below it. `stream` is the only module that other rooms use, besides
`outlook`, whose values it gives, `disk.cache`, which the assembly makes, and `disk.directory`, which `mountnd cache`
uses.

One read: `Stream.read_into` takes the blocks from memory; what is missing it gets, when it is its turn
(`fetch/turns.py`), from `Fetcher.demand` as flights and waits for them; the readahead policy says what to fetch ahead;
the bytes are copied without any lock.

Mounts that share a cache directory fetch a byte once: `fetch/sharing.py` and `disk/leases.py`.

Locks: `Fetcher.lock` guards memory, flights, budget and every handle's readahead policy: one lock, because a hit must
look into memory and tell the policy, and to take two would cost it more than the little that is done under one. Below
it only the locks of `Workers` may be taken. The disk tier's locks (`DiskCache._lock`, `WriteBehind._lock`,
`LastUse._lock`, `Leases._lock`, `Neighbours._lock`) are leaves; its writer takes `Fetcher.lock` alone, to pin blocks.
No lock is held across I/O.
"""

"""Getting blocks: decides nothing about what will be read, only how it is fetched.

    fetcher   single flight per block, one GET for neighbours, demand before prefetch; the room's one lock
    launching which threads make the attempts at a flight
    attempts  an attempt at a flight: memory for it, its GET (begun, or on a worker's thread), what follows
    loader    loads one flight's blocks: from the disk tier, the rest from the store
    hedging   when a GET is so late that a second one pays (pure)
    link      latency and rate of a source, as seen: what costs little (pure)
    warmup    which GETs are made longer to warm up their connection (pure)
    budget    bytes ahead of readers, each reader's share, and how many long GETs at once: the one place for these
    turns     how much readers may wait for at once: beyond that they take turns
    sharing   beside other mounts that share the disk tier: what is fetched here, and what is waited for
    flight    a GET on its way

`fetcher` uses all others; `launching` uses `attempts`, that `loader`, that `sharing`; `loader` and `budget` know
`flight`; `turns`, `hedging`, `link` and `warmup` know nobody. Only `Fetcher.lock` guards them; attempts and the loader
run on workers' threads, and where a store ends what it has begun, without it.
"""

"""`make soak`: mounts that are read for long, while everything that can fail does. Zero wrong bytes, zero hangs.

    world       the objects of the bucket: any byte follows from (key, version, offset), any version from the clock
    faults      what can be wrong with an answer, and a seeded choice of it
    server      the S3 server of that world, with its faults (a process of its own)
    tally       operations by kind and outcome, waits, violations; what of it is allowed
    checking    an open file whose every read is compared with the world
    reader      a process that reads a mount in one way, and says what it met
    monitor     descriptors, threads and memory of a daemon over time: TSV, picture, are they flat?
    place       servers, mounts and readers of one part, all ended afterwards
    parts       64 readers under faults; a full disk; bits that flip in the cache
    kills       kill -9 of the daemon at random moments: remount, what was fetched before, bytes
    __main__    runs the parts and prints the table of figures

`python -m tests.soak` needs root. SOAK_MINUTES (10) is what the readers take, SOAK_SEED makes a run again.
"""

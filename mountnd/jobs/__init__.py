"""Long work over a tree, apart from what programs read: `mountnd prefetch`.

    desk        jobs of one mount, begun, looked at and ended by requests of the control socket
    prefetch    one job: names, then what is missing, then the bytes
    transfer    the bytes of many files side by side, and what is tried again
    walk        which files are meant: a walk through the names, and what of it is kept for later
    selection   which names are wanted                  (pure)
    bids        names as BIDS has them                  (pure)
    globs       patterns of paths                       (pure)
    report      what a job has done so far              (counters under one lock)
    request     what is asked for, as it goes over the control socket
    schema      the words of BIDS, of the schema that `bidsschematools` brings

`serve` has a desk for its mount; the verb makes a job of its own where nothing is mounted. Imports go down this list.
A job knows the vfs's names and the bytes room's `Bulk`, and nothing of how it was asked. Locks: `Desk._lock` and
`Report._lock` are leaves.
"""

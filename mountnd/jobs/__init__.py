"""Long work over a tree, apart from what programs read: `mountnd prefetch` and `mountnd verify`.

    desk        jobs of one mount, begun, looked at and ended by requests of the control socket
    verify      one job: names, then what is known of each file, and its bytes
    comparing   one file of it
    prefetch    one job: names, then what is missing, then the bytes
    job         what all jobs have in common
    checksum_files  what the checksum files of a tree say
    verify_report   what a verification has found so far  (counters and findings, under the report's lock)
    transfer    the bytes of many files side by side, and what is tried again
    walk        which files are meant: a walk through the names, and what of it is kept for later
    selection   which names are wanted                  (pure)
    bids        names as BIDS has them                  (pure)
    globs       patterns of paths                       (pure)
    report      what a job has done so far              (counters under one lock)
    request     what is asked for, as it goes over the control socket
    schema      the words of BIDS, of the schema that `bidsschematools` brings

`serve` has desks for its mount; the verbs make a job of their own where nothing is mounted. Imports go down this list.
A job knows the vfs's names, and the bytes room's `Bulk` or `Checking`, and nothing of how it was asked. Locks:
`Desk._lock`, `Verify._lock`, `Comparer._lock` and `Report._lock` are leaves.
"""

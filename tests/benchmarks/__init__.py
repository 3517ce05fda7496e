"""mountnd beside its peers: mounts of one S3 bucket behind a link with a real round trip.

    make bench                                             data, parse, bottleneck, peers x workloads, tables, plot
    python -m tests.benchmarks parse                       keys a second of listing pages, on one core
    python -m tests.benchmarks names                       find and ls -lR through a million keys
    python -m tests.benchmarks startup                     from the command to the first ls; needs no data, no nginx
    python -m tests.benchmarks nodes                       8 mounts with one disk cache that read 1 GiB at once
    python -m tests.benchmarks views                       --view nii beside .nii.gz and ratarmount
    python -m tests.benchmarks memory                      what the daemon has resident with 200 files open
    python -m tests.benchmarks run --rtt 30 --peers ours,geesefs --workloads W1-cat256,W5-find
    python -m tests.benchmarks run --workloads R           real programs (real/) on files of their own
    python -m tests.benchmarks trace R5-tar                what a real program asks of a mount (support/traces.py)
    python -m tests.benchmarks run --help

Needs root, what `make bench-setup` installs, and 8 GB of memory for the data (1 GB for rows R alone). Everything is
kept under `$MOUNTND_BENCH` (place.py). Peers take part when their program is in `$MOUNTND_BENCH/bin`, beside
this Python, or on PATH.
"""

"""What tests share. No test module imports another test module; whatever two of them need lies here.

Waiting and threads:
    waiting         wait for a condition with a limit; a clock that only the test moves
    threads         hold requests back (`Gate`), run jobs side by side

Processes (nothing that a test waits for runs inside the test's own process):
    children        programs and Python code that read a mount, killed when they hang
    servers         S3, file, scripted and silent servers; `server_scripts/` holds the programs of the last three
    quirky          an S3 server whose quirks are switches
    hanging         an S3 server that lets requests hang, and programs that wait for it by the hundred, which
                    `waiting_programs` forks
    raw             a server that says bytes, whatever is asked
    key_sources     where a program finds its AWS keys, and how they change
    proxy           counts the requests to a server and misbehaves as told; `proxy_server` is its process
    certificates    a certificate authority of one's own

Mounts:
    mounts          the vfs in this process, or the real command in a process of its own
    doors           one interface to both (a "door"), and ways to open one
    cgroups         control groups: limits on memory and processes
    cli             the command in the background, as a person runs it, and a mountpoint that is cleaned up

Data:
    tree            the data set that most tests look at, and buckets to put it in
    neuro_study     the keys of a large study
    bids_study      the files of a small one

Imports go down this list's layers: doors -> mounts; proxy -> proxy_server; everything -> waiting.
"""

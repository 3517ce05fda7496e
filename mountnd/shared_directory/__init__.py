"""A directory that several nodes share: who may write there, whose clock counts, and how long a call may take.

    place      `SharedPlace`: one such directory, as a mount uses it: where it is, whether it answers, what is said
    blobs      bytes by name that are kept there: seek indexes and the like
    guard      calls that may fail or hang, on threads of their own, and the directory left out for a while
    directory  `SharedDirectory`, `SharedPath`: opened by a group's rules
    file_clock time as the file system tells it

Imports go down this list. `blocks/disk/shared_cache.py` keeps blocks there, `catalog/cache/shared.py` listings.

What a member of the group writes is believed as far as its checksum and its identity go, no further. No lock of the
file system is used, nothing is mapped into memory, and no clock of one node is compared with another's.

Lock order: `Guard._lock` and `FileClock._lock` are leaves; no lock is held across I/O.
"""

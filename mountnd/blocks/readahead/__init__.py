"""Readahead inside one file: pure policies, from the reads of a handle to the extents to fetch.

    base      the protocol `ReadaheadPolicy`, and how a new policy is plugged in (`readahead=` in the assembly)
    window    the policy in use: sequential readers and their windows; a header or random reads get nothing
    strides   a part of it: reads at equal distances

`window` uses `strides`. No I/O, no clock, no lock: the caller holds `Fetcher.lock`. A recorded trace is the test.
"""

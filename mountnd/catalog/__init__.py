"""The names room: which names exist, answered from what listings have told.

catalogue     what vfs asks; wires up the rest
query/        asks: what is known, else what the store says          one name, one directory
readahead/    lists ahead of a program that walks the tree
cache/        what is known, in memory and on disk
requests      the only ones who speak to the store
waiting       how the thread that asks waits for an answer
model/        what keys mean and how names are held; no I/O

`vfs` and `assembly` call the catalogue, read the streams it gives, and know `model.entry`. Inside, imports go down:
catalogue > query > readahead > cache > requests | waiting > model.

Lock order of the room: `range_lister._PAGE_TURN`; `SubtreePrefetcher._lock`; `OpenListings._lock`;
`SingleFlight._lock`, `PagedListing._lock`, `RangeLister._lock`; those of `cache/` and `Requests._lock`, and the
workers' own. Each may be taken while one named before it is held. No lock is held while the store is asked, a future
waited for, or a file read or written (but `ListingDiskCache._flushing`, which is there for that).
"""

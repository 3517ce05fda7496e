"""Views: stores around a store that show what its objects hold in another way, below the caches of blocks.

    store         compressed files shown inflated: `InflatedStore`
    formats       which there are: a line each
    names         which keys are shown under which names, in which order (pure)
    identity      what names a view's versions, so that caches never take them for the store's own (pure)
    nifti         how long a file is, from its header (pure)
    unfit         why a file cannot be shown inflated
    sizes         finds out how long files are, and whether that can be true; remembers it
    files         the files that are inflated just now, one for each version
    inflated      the inflated bytes of one version, for many readers at once
    cursors       the cursors of one file, and who is given which
    units         the parts in which a file is inflated, and those inflated lately
    cursor        a place in a compressed file that is being inflated
    points        seek points, and how they are kept
    feed          compressed bytes, fetched side by side ahead of whoever inflates
    blobs         what is kept across restarts, as a protocol: `view_files`, which `assembly` hands in, is behind it
    zlib_binding  zlib, for what Python's module of it does not offer

One read of inflated bytes: `InflatedStore.read`, on a worker of the blocks room, finds the `Inflated` of that version
and takes unit after unit from it. A unit that is not there is inflated on that thread, by a cursor that is near or is
made at the nearest seek point; its `Feed` has the compressed bytes fetched by workers of the view's own. zlib works
without the interpreter's lock, on as many threads at once as there are processors.

Locks: `Files._lock`, `Inflated._lock`, and as leaves `Sizes._lock`, `Heads._lock`, `Units._lock`,
`Points._lock`, `Allowance._lock`. Nothing is waited for under them.
"""

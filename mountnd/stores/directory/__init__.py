"""Trees of files that are listed directory by directory: `DirectoryStore` and the backends it can stand on.

    base             what a backend must be able to do
    store            the store: pages, prefixes and odd paths, whatever the backend
    fsspec_backend   any file system that fsspec knows
    http_backend     a web server: one file, or pages of links
    dandi_backend    a dandiset: names from DANDI's API, bytes from its bucket
    anchors          what a page of HTML links to   (pure)
    bucket_hint      a web address that turns out to be a bucket   (pure)

Who may call whom: `store` and the backends use `base`, `http_backend` also `anchors`; the store does not know which
backend it has, `assembly` gives it one. No locks. fsspec is imported when a backend is made or used, not with these
modules.
"""

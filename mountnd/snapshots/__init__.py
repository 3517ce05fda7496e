"""Snapshots: the files of a published version of a data set, each as a version of an object in its bucket.

    resolve   one snapshot: its files from the service, their versions from the bucket
    history   what a bucket held at a moment: one pass over all versions        (pure)
    kept      what was resolved once, as lockfiles in the cache directory
    service   the questions that a service answers (GraphQL)
    join      which version of an object a file is                              (pure)
    answers   what the service says, looked at before it is believed            (pure)
    annex     what the id of a file says of its bytes: git-annex keys, git blobs  (pure)
    urls      URLs that name a version                                          (pure)

Who may call whom: `resolve` > `join` | `service` > `answers` > `annex` | `urls`; `history` and `kept` know none of
these. Stores give versions and bytes (`stores/object_versions.py`), `lockfile/` writes what was found. No locks.
"""

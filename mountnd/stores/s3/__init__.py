"""S3, and what speaks like it.

    store         the store: which client carries what
    object_requests
                  what reading a range of an object may ask: a GET, a HEAD, its row in a listing
    connect       options of a source -> how its bucket is reached, found out once for both clients
    boto_client   listings and HEADs: the botocore client of an s3fs session
    http_client   bytes: ranged GETs of our own, whose bodies are received straight into the cache's blocks
    connection    one connection of the HTTP client
    signing       the headers that sign its GETs
    listing       a page of a listing from its XML                       (pure)
    key_rules     which texts can be keys                                (pure)
    translate     codes and exceptions of the libraries -> StoreError    (pure)

Who may call whom: `store` uses both clients (its reads go by `http.reading` and `object_requests`), `listing` and
`key_rules`; the clients use `connect`; the HTTP client uses `connection` and `signing`; everything that fails goes
through `translate`. Locks: `store`, `http_client`, `connection` and `signing` have their own, and all are leaves.

The libraries are imported when the first request is made, not with this module.
"""

from .store import S3Store

__all__ = ["S3Store"]

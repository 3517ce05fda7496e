"""S3, and what speaks like it.

    store            the store: which client carries what
    clients          both clients, made once, and given other keys after a refusal
    object_requests  what reading a range of an object may ask: a GET, a HEAD, its row in a listing
    boto_client      listings and HEADs: the botocore client of an s3fs session
    http_client      bytes: ranged GETs of our own, whose bodies are received straight into the cache's blocks
    connection       one connection of the HTTP client
    signing          the headers that sign its GETs
    listing/         pages of listings: how they are asked for, and read
    access/          how the bucket is reached: identity, credentials, endpoint, trust
    key_rules        which texts can be keys                                    (pure)
    translate        codes and exceptions of the libraries -> StoreError        (pure)

Inside: store > clients | object_requests > boto_client | http_client > connection | signing | listing > access |
key_rules > translate. Locks: `store`, `clients`, `http_client`, `connection` and `signing` have their own, and all are
leaves.

The libraries are imported when the first request is made (botocore: with the first store where there are AWS files),
not with this module.
"""

from .store import S3Store

__all__ = ["S3Store"]

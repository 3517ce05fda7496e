"""S3, and what speaks like it.

    store       the store: which client carries what, and what an error was
    link        credentials, region, endpoint, certificates: settled once, for both clients
    names       listings, HEAD, and odd keys' bytes: the botocore client of an s3fs session
    wire        all other bytes: GETs of our own, whose bodies are received straight into the cache's blocks
    connection  one connection of it
    bodies      the same by obstore, where a proxy is needed
    signing     headers that sign a GET of the wire
    carriers    which key may go by which client                       (pure)
    listing     a page of a listing from its XML                       (pure)
    translate   codes and exceptions -> StoreError                     (pure)

The libraries are imported when the first request is made, not with this module.
"""

from .store import S3Store

__all__ = ["S3Store"]

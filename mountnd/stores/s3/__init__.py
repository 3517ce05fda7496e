"""S3, and what speaks like it.

    store           the store: which client carries what
    identity        what a source is: bucket, settled endpoint, who asks       (pure)
    aws_files       what the AWS files say, and where their relative paths start
    bucket_options  what a source says of its bucket                           (pure)
    object_requests  what reading a range of an object may ask: a GET, a HEAD, its row in a listing
    connect         options of a source -> how its bucket is reached, found out once for both clients
    boto_client     listings and HEADs: the botocore client of an s3fs session
    http_client     bytes: ranged GETs of our own, whose bodies are received straight into the cache's blocks
    connection      one connection of the HTTP client
    signing         the headers that sign its GETs
    credential_chain  where keys are found
    credentials     the keys that both clients sign with; read anew after a refusal
    clock           the server's clock, by which they sign; refusals tell it
    lister          by which version of ListObjects pages are asked for, and how they go on without a token
    listing         a page of a listing from its XML                           (pure)
    continuation    tokens of our own: on behind a key                         (pure)
    mend            XML that breaks the rules in a few characters              (pure)
    key_rules       which texts can be keys                                    (pure)
    translate       codes and exceptions of the libraries -> StoreError        (pure)

Who calls whom: `store` uses both clients (its reads go by `http.reading` and `object_requests`), `identity`, `lister`,
`listing` and `key_rules`. The clients use `connect`, the HTTP client also `connection` and `signing`. `connect` makes
the credentials, by `credential_chain`. Failures go through `translate`. Locks: `store`, `http_client`, `connection` and
`signing` have their own, and all are leaves.

The libraries are imported when the first request is made (botocore: with the first store where there are AWS files),
not with this module.
"""

from .store import S3Store

__all__ = ["S3Store"]

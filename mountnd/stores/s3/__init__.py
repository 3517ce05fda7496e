"""S3, and what speaks like it.

    store            the store: which client carries what
    clients          the clients, made once, and given other keys after a refusal
    object_requests  what reading a range of an object may ask: a GET, a HEAD, its row in a listing
    names_client     listings and HEADs
    digests          what headers say of an object's content                    (pure)
    http_client      requests of all kinds; ranged GETs are received straight into the cache's blocks
    signing          the headers that sign them
    loop             waiting for what runs on botocore's event loop
    listing/         pages of listings: how they are asked for, and read
    access/          how the bucket is reached: identity, credentials, endpoint, trust
    key_rules        which texts can be keys                                    (pure)
    translate        codes and exceptions of the libraries -> StoreError        (pure)
    exceptions       the libraries' exceptions -> classes of StoreError         (pure)
    key_faults       what is wrong with the keys, by each step of the chain, in words   (pure)

Inside: store > clients | object_requests > names_client > http_client > signing | listing > access | key_rules |
loop > translate > exceptions | key_faults. botocore finds credentials, and s3fs endpoints, but for the plain ones that
`access/` knows; botocore signs. Every request to the bucket goes by `stores/http`. Locks: `store`, `clients`, `signing`
and `loop` have their own, and all are leaves.

The libraries are imported by `load_libraries`, or else when the first request is made, and only those that the source
needs (botocore's parser of the AWS files: with the first store where there are such files); not with this module.
"""

from .store import S3Store

__all__ = ["S3Store"]

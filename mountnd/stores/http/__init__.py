"""HTTP as every store that speaks it needs it, and a client for plain URLs.

    reading        a ranged GET of one version: what does not fit is checked before it is believed
    expected       one of these GETs: whether its answer may be believed   (pure but for what it tells)
    etag_trust     what was learnt of a server's ETags, and how it wants to see them
    etag_samples   what was read under which ETag: whether ETags stand for bytes
    versions       is an answer of the version that was asked for?   (pure)
    etags          ETags in one spelling, which of them count, and what stands for the others   (pure)
    client         requests to plain URLs: signed links, files and pages of a web server
    web_requests   what a read by that client may ask
    short_gets     GETs of short ranges that no thread waits for, where answers are as usual
    connections    the connections of one client, kept when idle; who asks and fails, and is asked again
    connection     one of them: a request, and the body of its answer into views, or as a document
    event_loop     one thread for many exchanges: looks at whichever connection has received something
    connecting     host and port -> connected socket: name, TCP, tunnel, TLS
    answers        the head of an answer, within limits
    faults         what sockets and HTTP raise -> StoreError: the table of network failures     (pure)
    redirects      which redirects are followed                  (pure)
    ranges         is an answer the range that was asked for?    (pure)
    status         HTTP status -> class of StoreError            (pure)
    exposure       whether what is sent can be read on the way
    proxy          which proxy a URL is fetched through, by the environment
    trust          whose certificates are trusted, by the environment and the AWS profile
    web_page       pages for people where data was asked for    (pure)
    timeouts       how long connecting and silence may last

Who may call whom: `reading` > `expected` | `etag_trust` > `versions` | `etag_samples` > `etags`; `web_requests` >
`client` | `short_gets` > `connections` > `connection` | `event_loop` > `connecting` | `faults` > the rest. `s3/`,
`directory/` and `links/` use all of it. Locks stand in `short_gets`, `event_loop`, `connections`, `connecting`,
`etag_trust` (which takes those of `etag_samples`) and `reading`; no request is made under one.
"""

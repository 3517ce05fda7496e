"""A ring of caching HTTP proxies between a source and its server (`--via`): who of them is asked for which bytes.

    ring         reads a range through the nodes, by rank, and at the end from the server itself
    node         one proxy: how it is asked, its connections, what came of it
    asking       the one request that proxies are sent
    manner       the request that a proxy understands                              (pure)
    standing     when one that failed is asked again                              (pure)
    parts        a range in parts that one node has each                           (pure)
    rendezvous   which node has what                                              (pure)
    evidence     what an answer tells of whether it came from a cache            (pure)

Inside: ring > node > asking > manner; node > standing | evidence; `parts` > `rendezvous`. The client of the server
(`s3/`) uses `ring`, and checks every answer as it does those of the server. Locks: `Node._lock` is a leaf.
"""

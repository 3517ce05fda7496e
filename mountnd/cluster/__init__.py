"""A node of a ring of caches: nginx, set up for what `--via` asks of it and for nothing else.

    cache_server   makes nginx's directory and configuration, runs it, and ends it
    program        which nginx is there, and what it can                           (pure, but for `find`)
    nginx_config   its configuration, as a text                                    (pure)
    origins        which buckets may be asked for: public ones, and where they are

Inside: cache_server > program > nginx_config; `origins` knows stores. Who chooses a node for which bytes is
`stores/via`.
"""

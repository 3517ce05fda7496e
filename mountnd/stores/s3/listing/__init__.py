"""Pages of a listing: asked for as the server wants it, and read whatever one row says.

    lister        by which version of ListObjects pages are asked for, and how they go on without a token
    page          a page from its XML                                          (pure)
    versions      a page of ListObjectVersions               (pure)
    continuation  tokens of our own: on behind a key                           (pure)
    xml           a page's XML as a tree                     (pure)
    repair        XML that breaks the rules in a few characters                (pure)

Inside: lister > versions > page > continuation | xml > repair. The store calls `lister`, `page` and `versions`.
"""

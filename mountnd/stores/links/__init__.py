"""A file of signed links, as data sets that are given out by e-mail have them, shown as one flat directory.

    parse   lines of an e-mail -> names, URLs and when they end   (pure)
    store   the store

Who may call whom: `store` uses `parse`, the HTTP client, and S3's error codes, as most links lead to S3. No locks.
"""

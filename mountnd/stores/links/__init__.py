"""A file of signed links, as data sets that are given out by e-mail have them, shown as one flat directory.

    mail    a saved or pasted e-mail -> its text              (pure)
    parse   lines of an e-mail -> names, URLs and when they end   (pure)
    store   the store

Who may call whom: `parse` uses `mail`; `store` uses `parse`, the HTTP client, and S3's error codes, as most links lead
to S3. No locks.
"""

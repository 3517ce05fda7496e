"""A file of signed links, as data sets that are given out by e-mail have them, shown as one flat directory.

    mail    a saved or pasted e-mail -> its text              (pure)
    notes   what stands for a link that cannot be used      (pure)
    parse   lines of an e-mail -> names, URLs and when they end   (pure)
    store   the store

Who may call whom: `parse` uses `mail`; `store` uses `parse`, `notes`, the HTTP client, and S3's error codes, as most
links lead to S3. No locks.
"""

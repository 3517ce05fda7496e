"""HTTP as every store that speaks it needs it, and a client for plain URLs.

    client     requests to plain URLs (signed links, files and pages of a web server), by urllib3
    ranges     is an answer the range and the version that was asked for?   (pure)
    status     HTTP status -> class of StoreError                           (pure)
    proxy      which proxy a URL is fetched through, by the environment
    trust      whose certificates are trusted, by the environment and the AWS profile
    timeouts   how long connecting and silence may last

Who may call whom: `client` uses the other five, which know nothing of each other. `s3/`, `directory/` and `links/` use
all of it. The one lock is a leaf and stands in `client`.
"""

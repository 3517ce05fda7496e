"""What is known of an object's content, and whether its bytes agree with it. All pure, but for the hashing itself.

    kinds      the registry: each kind of evidence is a line
    verdict    what evidence and bytes say together
    manifests  checksum files in the tree (`sha256sums`, `md5sum.txt`, ...)
    annex      digests in the names of git-annex keys
    headers    digests in the headers of an answer
    hashing    several digests in one pass; which libraries they need
    digest     a digest as all of these write it

Imports go down this list. Stores tell what their provider knows as `Told`; `jobs/verify.py` reads and compares. A new
kind of evidence is a line of `kinds.KINDS`, and a store, or a fact, that it looks at. No locks.
"""

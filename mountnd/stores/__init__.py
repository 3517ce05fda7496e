"""One provider each, behind the protocol of `base.py`: what names exist, and the bytes of one version.

    base           the protocol, and the words it speaks
    memory         objects in a dict: the fake that can be mounted, asked, and made to fail
    s3/            S3 and what speaks like it: botocore for names and odd keys, obstore for bytes
    fsspec         any fsspec URL: files, HTTP, gs://, ...
    signed_urls    a file of signed links, shown as a directory
    retry          a store around a store: asks again while the deadline lasts

This module imports none of them, so that `import mountnd` stays cheap: take the one you need.
"""

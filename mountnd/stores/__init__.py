"""One provider each, behind the protocol of `base.py`: what names exist, and the bytes of one version.

    base         the protocol, and the words it speaks
    common       what most stores have in common, and what stores around a store do
    deadline     until when a request may take, and how it is cancelled
    facts        dates and sizes as servers write them, as far as they can be
    object_versions  a row and a page of a listing of versions
    paging       when a listing does not go on
    memory       objects in a dict: the fake that can be mounted, counted, and made to fail
    retry        a store around a store: tries again after transient errors, while the deadline lasts
    offline      a store around a store: sends nothing
    locked       a store around a store: shows the objects of a lockfile, without a listing
    one_object   a store around a store: shows one of its objects only
    shared       stores around stores of one identity: each key is read by the one it belongs to
    notes        what a store learnt of its server, in a file
    s3/          S3 and what speaks like it: botocore for names, our own HTTP client for bytes
    directory/   trees of files: any fsspec URL (local files, gs://, ...), web servers
    links/       a file of signed links, shown as a directory
    via/         a ring of caching proxies that is asked first for bytes of a bucket
    http/        what all that speak HTTP share: a client, what a version is, range checks, statuses, proxies, time-outs

Who may call whom: everything uses `base`; `s3` uses `via`; `s3`, `directory` and
`links` use `http`; `links` also uses S3's error codes.
Wrapping stores know only the protocol. `assembly` alone chooses a store; everybody else is given one. All locks of this
room are leaves: none is held while another is taken.

This module imports none of them, so that `import mountnd` stays cheap: take the one you need.
"""

"""Readahead across files: what a program will open next is fetched before it does.

    prefetcher    runs the policies of each source (the table `POLICIES`), owns and cancels their prefetches
    sequence      policy: files of one kind opened one after another, such as each subject's T1w image
    sidecars      policy: small files beside the one opened, such as .bval beside .bvec
    known_files   the catalogue as policies see it: names from memory
    policy        the protocol of a policy: what it is told, what it may ask, what it answers
    pattern       pure functions over paths: what varies from one to the next, what comes then

Imports go down this list; the two policies do not know each other. Only `vfs.tree` and the assembly call the
`Prefetcher`. Lock order: one lock per source, before the catalogue's own; blocks are called without it.
"""

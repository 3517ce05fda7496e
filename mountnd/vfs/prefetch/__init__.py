"""Readahead across files: what a program will open next is fetched before it does.

    prefetcher    runs the policies of each source (the table `POLICIES`), owns and cancels their prefetches
    walks         policy: programs open files in an order of the tree, from whatever directory to the next
    walk          one of these: where it is, what is predicted, how far ahead
    between       pure: whether an order leads from one file to another
    orders        pure: what comes next in each order
    passed        files that a walk has passed by, and when that is evidence
    evidence      which of the files on its way a walk opens
    sidecars      policy: small files beside the one opened, such as .bval beside .bvec
    habits        how much of a file programs read
    known_files   the catalogue as policies see it: names from memory
    policy        the protocol of a policy: what it is told, what it may ask, what it answers
    names         pure functions over names and paths

Imports go down this list; the two policies do not know each other. Only `vfs.tree` and the assembly call the
`Prefetcher`. Lock order: one lock per source, before the catalogue's own; blocks are called without it.
"""

"""Lockfiles made, checked and compared.

    gathering   many requests side by side, whose answers are taken as they come
    listing     what a source has now -> records
    history     the versions that a bucket has now -> records
    completing  what is missing of records, and what is there of objects, by HEADs
    checking    which objects of a lockfile can still be had
    comparing   two lockfiles: added, removed, changed                  (pure)
    reported    what a report tells was read -> records                 (pure)
    addurls     records -> a table for `datalad addurls`                  (pure)
    imports/    what other tools have written down of a bucket -> rows

Who may call whom: `listing`, `history`, `completing` and `checking` use `gathering`, and are given a store. The rest is
pure. `cli/locking.py` puts them together.
"""

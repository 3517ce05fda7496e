"""The names room: which names exist, answered from what listings have told.

catalogue     what vfs asks
  asker         one name of the store, in one round trip        points, flights
  pagers        one directory, page by page                     pager, scan
  walker        ahead of a program that walks                   walk, split (policies), lister
  keeper        what is known                                   shelf (memory), persist, segment, merge (disk)
  requests      the only ones who speak to the store
names, entry, rows, listing, fold     what keys mean, and how they are held; no I/O
"""

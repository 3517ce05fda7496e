"""Directory readahead: notices a program that walks the tree, and lists whole subtrees ahead of it.

prefetcher    asks the policy, begins subtrees, and has a reader wait until its directory was passed
range_lister  one subtree, listed over key ranges side by side
page_budget   how many pages one subtree's listing is granted as the walk uses what was listed
policy        pure: what was read lately -> how to list the next directory; how many pages to grant
key_ranges    pure: the names in a directory -> key ranges that hold each subtree exactly once

`query` calls the prefetcher. Inside: prefetcher > range_lister > page_budget > policy | key_ranges.

Lock order: `range_lister._PAGE_TURN`; `SubtreePrefetcher._lock`; `RangeLister._lock`; then those of the cache and the
workers. No request is waited for with one of them held.
"""

"""Asking: what is known, else what the store says, each request made once however many ask.

lookup            one name, in one round trip wherever that is possible
scan              one directory: known? -> recalled from disk -> told by a subtree's listing -> listed
stale_fallback    both inside one deadline; what is known, whatever its age, while the store is out of reach
invalidation      believe nothing of a name or a subtree any more, nor of what is under way for it
unlistable        a name that no listing may tell of: HEAD, and a listing below it
point             the requests for one name, and what their answers mean
single_flight     requests under way by what they ask for; futures combined
open_listings     the listings under way, by directory
paged_listing     one directory being listed page by page
directory_stream  one opendir's view of a directory
remembered        what is known, told without asking and without counting as a use

The catalogue calls lookup, scan, invalidation and remembered. Inside: scan > lookup | directory_stream > unlistable >
invalidation | stale_fallback | point > open_listings > paged_listing | single_flight | remembered.

Lock order: `OpenListings._lock`; then `PagedListing._lock` and `SingleFlight._lock`, which are leaves but for those of
the workers and of the cache.
"""

"""When a listing does not go on, whatever the server says. Pure."""

from __future__ import annotations


def goes_back(first: bytes, last: bytes) -> bool:
    """Whether a page that begins with the key `first` does not lie behind one that ended with `last`.

    S3 sorts keys by their bytes. Servers over a file system (SeaweedFS) sort by directories: there `a/` comes before
    `a-b`. A page goes back when it does so in either order.
    """
    return first <= last and first.split(b"/") <= last.split(b"/")

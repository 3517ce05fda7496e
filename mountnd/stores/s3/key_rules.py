"""Which texts can be S3 keys. Pure.

Both clients send every such key exactly: percent-encoded, never normalised as a path (`tests/contract/test_s3_keys.py`
sends them all).
"""

from __future__ import annotations

# Bytes of a key (docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html).
KEY_MAX = 1024


def is_listed_key(key: str) -> bool:
    """Whether a text in a listing can be a key, or the prefix of some: no longer, either."""
    return len(key) <= KEY_MAX and is_valid_key(key) and (key.isascii() or len(key.encode()) <= KEY_MAX)


def is_valid_key(key: str) -> bool:
    """Whether the key can be sent at all: not empty, and UTF-8 (no lone surrogates)."""
    if not key:
        return False
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True

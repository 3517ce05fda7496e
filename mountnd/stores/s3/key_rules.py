"""Which texts can be S3 keys. Pure.

Both clients send every such key exactly: percent-encoded, never normalised as a path (`tests/contract/test_s3_keys.py`
sends them all).
"""

from __future__ import annotations


def is_valid_key(key: str) -> bool:
    """Whether the key can be sent at all: not empty, and UTF-8 (no lone surrogates)."""
    if not key:
        return False
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True

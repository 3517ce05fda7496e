"""The check of an answer to a ranged GET: is it the range that was asked for? Pure.

Servers exist that ignore Range, so every client that fetches bytes goes through it, and through `versions.compare`.
"""

from __future__ import annotations

import re

from ...errors import BadAnswer

_CONTENT_RANGE = re.compile(r"bytes (?:([0-9]{1,19})-([0-9]{1,19})|\*)/([0-9]{1,19}|\*)\s*\Z")


def parse_content_range(text: str | None) -> tuple[int, int, int | None] | None:
    """`bytes 5-9/100` -> (5, 10, 100): start, stop and size of the whole, None for `*`. None where there is no range.

    Format: RFC 9110, 14.4.
    """
    found = _CONTENT_RANGE.match(text or "")
    if not found or found[1] is None:
        return None
    return int(found[1]), int(found[2]) + 1, None if found[3] == "*" else int(found[3])


def check_range(
    status: int, content_range: str | None, length: int | None, start: int, stop: int, subject: object
) -> None:
    """That the head of an answer promises the bytes `[start, stop)`. Raises BadAnswer.

    A 200 without Content-Range is the whole object, which is right only where all of it was asked for. A 206 without
    one does not say what it is.

    Args:
        content_range: the header, None where it is missing.
        length: of the body in bytes (Content-Length), None where the answer does not say.
        subject: what was asked for; its `str()` begins the message.
    """
    if content_range is None:
        good = status == 200 and start == 0 and length == stop
    else:
        place = parse_content_range(content_range)
        good = place is not None and place[:2] == (start, stop) and length in (None, stop - start)
    if not good:
        got = (content_range or "")[:100] or ("the whole object" if status == 200 else "a part that it does not name")
        raise BadAnswer(f"{subject}: asked for bytes {start}-{stop - 1}, got {got}", code="Content-Range")

"""What refusals (403) of one source's listings say of other listings: a policy without I/O.

A refusal says something of that listing only. A bucket policy may demand a delimiter (`s3:delimiter`), a prefix
(`s3:prefix`) or pages of few keys (`s3:max-keys`); so what was refused in one way is asked for in another.
"""

from __future__ import annotations

from collections import OrderedDict

from .keys import PAGE_KEYS

# A refusal (403) is remembered no longer than this many seconds: credentials and policies get fixed
# while somebody watches, and two retries a minute are no storm.
FORBIDDEN_S = 30.0

# After this many refusals of listings without delimiter in a row they are taken to be refused everywhere, for so long.
FLAT_REFUSALS = 3
LEARNT_S = 300.0

# Keys a page, tried one after the other where whole pages are refused.
FEWER_KEYS = (100, 10, 1)

# Prefixes remembered as refusing to be listed without delimiter.
REMEMBERED = 10_000


class ListingPermissions:
    """What was refused and allowed. Times in monotonic seconds. Not thread-safe."""

    def __init__(self) -> None:
        self._most, self._most_until = PAGE_KEYS, float("-inf")
        self._largest_allowed = 0
        self._tried_fewer = float("-inf")
        self._flat_refused: OrderedDict[str, float] = OrderedDict()
        self._flat_refusals, self._flat_until = 0, float("-inf")

    def most_keys(self, now: float) -> int:
        """How many keys a page may be asked for."""
        return self._most if now < self._most_until else PAGE_KEYS

    def allowed(self, limit: int, *, flat: bool) -> None:
        """A listing of pages of up to `limit` keys was allowed; `flat`: without delimiter."""
        if limit > self._largest_allowed:
            self._largest_allowed = limit
        if flat:
            self._flat_refusals = 0

    def fewer_keys(self, limit: int, now: float) -> tuple[int, ...]:
        """Smaller pages to try after one of `limit` keys was refused; none where that number cannot be the reason."""
        fewer = tuple(keys for keys in FEWER_KEYS if self._largest_allowed < limit > keys)
        if not fewer or now - self._tried_fewer < FORBIDDEN_S:
            return ()
        self._tried_fewer = now
        return fewer

    def only_fewer(self, limit: int, now: float) -> None:
        """Pages of up to `limit` keys are allowed, where larger ones were refused."""
        self._most, self._most_until = limit, now + LEARNT_S

    def flat_refused(self, prefix: str, now: float) -> None:
        """A listing of the keys that begin with `prefix` was refused without delimiter."""
        self._flat_refused[prefix] = now
        self._flat_refused.move_to_end(prefix)
        if len(self._flat_refused) > REMEMBERED:
            self._flat_refused.popitem(last=False)
        self._flat_refusals += 1
        if self._flat_refusals >= FLAT_REFUSALS:
            self._flat_until = now + LEARNT_S

    def may_list_flat(self, prefix: str, now: float) -> bool:
        """Whether it is worth trying to list the keys that begin with `prefix` without delimiter."""
        if not self._flat_refused:
            return True
        return now >= self._flat_until and now - self._flat_refused.get(prefix, float("-inf")) >= FORBIDDEN_S

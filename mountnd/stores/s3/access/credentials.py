"""The keys that sign a store's requests: kept for a minute, and read anew after a refusal.

botocore finds them (variables, AWS files, credential process, SSO cache, container and instance roles) and renews what
it knows to end. What it cannot know, such as keys that were replaced in a file or revoked, a refusal tells: then all is
read anew by a session of its own. Both clients sign with what is kept here, so that both change at once.

The coroutines run on the loop that botocore's clients live on; `Credentials._turn` orders them, and is held while
botocore asks for keys. The rest may be called from any thread.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from ...base import Renewals
from ..key_faults import words

log = logging.getLogger(__name__)

# botocore renews credentials 10 to 15 minutes before they end, so that asking it once a minute is often enough. Where
# the new ones are to end soon as well, it runs a program or asks a server each time.
KEPT_S = 60.0
# After a refusal everything is read anew at most once in so many seconds: shorter than any rotation of keys, and rare
# enough for programs and servers that give keys, however many requests are refused for other reasons.
RENEW_S = 3.0
# A look that finds nothing is repeated once after so many seconds: files are not always replaced at once.
REPLACED_S = 0.3

Load = Callable[[], Awaitable[Any]]


class Credentials:
    """What one store signs with.

    Args:
        found: botocore's credentials; None where there are none: requests go unsigned.
        load: finds them anew, None when there are none; no function at all for a store that never signs.
        renewals: counts changes, from the first keys on.
        name: of the store, for the log; profile: of the AWS files, "" where none is named.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        found: Any,
        load: Load | None,
        renewals: Renewals,
        *,
        name: str = "",
        profile: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._found, self._load, self._renewals, self._name, self._clock = found, load, renewals, name, clock
        self._profile = profile
        self._keys: Any = None
        self._kept_until = self._read_at = float("-inf")
        from asyncio import Lock, sleep  # here: who signs nothing needs no event loop

        self._turn, self._sleep = Lock(), sleep
        self._reported = ""

    def kept(self) -> Any:
        """The keys (botocore's ReadOnlyCredentials); None when `keys` must be awaited to have them."""
        return self._keys if self._clock() < self._kept_until else None

    async def keys(self) -> Any:
        """The keys, renewed when it is time. Where that fails the old ones go on: the server knows when they end.

        Raises what botocore raises while there are none yet.
        """
        async with self._turn:
            if (kept := self.kept()) is not None:
                return kept
            try:
                keys = await _freeze(self._found)
            except Exception as error:
                if self._keys is None:
                    raise
                self._report(error)
                self._kept_until = self._clock() + RENEW_S
            else:
                self._keep(keys)
            return self._keys

    def may_differ(self, seen: int) -> bool:
        """Whether `renew` is worth waiting for."""
        if self._renewals.count != seen or self._turn.locked():
            return True
        return self._load is not None and self._clock() - self._read_at >= RENEW_S

    async def renew(self, seen: int) -> bool:
        """A request was refused that was made when `renewals` had counted to `seen`: whether there are other keys now.

        Never raises: keys that cannot be read are reported in the log, and the refusal stands.
        """
        async with self._turn:
            if self._renewals.count != seen:
                return True
            if self._load is None or self._clock() - self._read_at < RENEW_S:
                return False
            self._read_at = self._clock()
            try:
                found, keys = await self._look()
            except Exception as error:
                self._report(error)
                return False
            if keys is None or keys == self._keys:
                return False
            self._found = found
            self._keep(keys, counts=True)
            log.info("%s: refused, and signed with new keys from now on", self._name)
            return True

    async def _look(self) -> tuple[Any, Any]:
        """Credentials found anew and their keys, (None, None) where there are none. Raises what botocore raises."""
        assert self._load is not None
        try:
            if (found := await self._load()) is not None:
                return found, await _freeze(found)
            if self._keys is None:
                return None, None
        except Exception as error:
            log.debug("%s: looking for credentials once more: %s", self._name, error)
        await self._sleep(REPLACED_S)
        found = await self._load()
        return found, None if found is None else await _freeze(found)

    def _keep(self, keys: Any, *, counts: bool = False) -> None:
        changed = counts or (self._keys is not None and keys != self._keys)
        self._keys, self._reported = keys, ""
        self._kept_until = self._clock() + (RENEW_S if _ends_soon(self._found) else KEPT_S)
        if changed:
            self._renewals.count += 1

    def _report(self, error: Exception) -> None:
        """Once a cause, until keys can be had again."""
        said = words(error, self._profile) or str(error).partition("\n")[0] or type(error).__name__
        if said != self._reported:
            self._reported = said
            log.warning("%s: no new credentials to be had, the old ones are used on: %s", self._name, said)


class Unsigned:
    """In place of credentials where nothing is ever signed."""

    def kept(self) -> None:
        return None

    def may_differ(self, seen: int) -> bool:
        return False

    async def keys(self) -> None:
        return None

    async def renew(self, seen: int) -> bool:
        return False


def _ends_soon(found: Any) -> bool:
    """Whether these end while they would be kept; not where this machine's clock has them ended already."""
    needed = getattr(found, "refresh_needed", None)  # of botocore's RefreshableCredentials
    return needed is not None and needed(KEPT_S) and not needed(0)


async def _freeze(found: Any) -> Any:
    try:
        return await found.get_frozen_credentials()
    except RuntimeError:
        # botocore renewed them and takes them for ended all the same, by this machine's clock. The server decides.
        if (keys := getattr(found, "_frozen_credentials", None)) is None:
            raise
        return keys

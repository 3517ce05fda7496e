"""Which version of ListObjects one source is asked by, and how its listings go on where it gives no token.

Version 2 is asked first. A server that does not know it says so, or answers as version 1, or shows it by beginning anew
where it was to go on; then it is asked by version 1, and that is remembered. What is remembered are single flags, set
once and read without a lock.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from ....errors import BadAnswer, ServerFault, StoreError
from ...base import Page
from . import continuation
from .page import ParsedPage

log = logging.getLogger(__name__)

# Asks for one page with these parameters, by version 1 or 2.
Ask = Callable[[dict[str, Any], bool], ParsedPage]

# How servers refuse an operation that they do not have, beside a 4xx that means nothing else.
_UNKNOWN_CODES = frozenset({"NotImplemented", "501"})


class Lister:
    """Lists one source.

    Args:
        url: how a person would name it.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._version_1 = self._version_2 = False

    def list_page(self, ask: Ask, params: dict[str, Any], token: str | None, start_after: str) -> Page:
        """One page, from a token of the page before or after a key. Raises what `ask` does, and BadAnswer.

        Args:
            params: what is the same for both versions.
        """
        made = continuation.after_of(token)
        if token is not None and not made:
            return ask({**params, "continuation-token": token}, False).page
        after = made or start_after
        if self._version_1:
            return self._list_version_1(ask, params, after)
        try:
            page, version_1 = ask({**params, "start-after": after} if after else params, False)
        except StoreError as error:
            if self._version_2 or not _is_unknown(error):
                raise
            return self._by_version_1_or(error, ask, params, after)
        if version_1:
            self._remember_version_1()
        if after and continuation.begins_again(page, after):
            page = self._list_version_1(ask, params, after)
            self._remember_version_1()
            return page
        self._version_2 = self._version_2 or not version_1
        return continuation.without_repeated(page, after) if made else page

    def _by_version_1_or(self, error: StoreError, ask: Ask, params: dict[str, Any], after: str) -> Page:
        try:
            page = self._list_version_1(ask, params, after)
        except StoreError:
            raise error from None
        self._remember_version_1()
        return page

    def _list_version_1(self, ask: Ask, params: dict[str, Any], after: str) -> Page:
        page, _ = ask({**params, "marker": after} if after else params, True)
        if after and continuation.begins_again(page, after):
            raise BadAnswer(f"{self._url}: a listing begins again instead of going on after {after!r}", code="Marker")
        return continuation.without_repeated(page, after)

    def _remember_version_1(self) -> None:
        if not self._version_1:
            self._version_1 = True
            log.info("%s: the server knows version 1 of ListObjects only", self._url)


def _is_unknown(error: StoreError) -> bool:
    """Whether the server may not know what it was asked."""
    return type(error) is StoreError or (isinstance(error, ServerFault) and error.code in _UNKNOWN_CODES)

"""A store around a store that shows compressed files inflated, under the names that they have then."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence

from ..checks.digest import NOTHING_TOLD, Told
from ..errors import BadAnswer, Forbidden, NotFound
from ..stores.base import Deadline, ObjectId, ObjectStat, Page, Store
from ..stores.common import WrappingStore
from ..workers import Workers
from .blobs import Blobs, NoBlobs
from .feed import Allowance, ConnectionUse
from .files import Files
from .formats import FORMATS, Format
from .identity import Stored, listed, measured, stored, view_source
from .inflated import Engine
from .names import Names, Position, last_of, position_of
from .sizes import Heads, Measure, Sizes, refused
from .unfit import REASONS, Unfit
from .units import Units
from .zlib_binding import library

# GETs of compressed bytes at once, over all files of a store.
GETS = 32
# What a view takes of memory where nobody says how much: a half for units, so that readers who come in another order
# than their bytes find them; three eighths for compressed bytes on their way; the rest for the beginnings of files.
MEMORY = 96 << 20


class InflatedStore(WrappingStore):
    """The objects of `store`, with those of some formats inflated.

    Its listings tell of an inflated file as it is stored; `sizes_of_shown`, which is this store, says how long it is.

    Args:
        formats: names of `FORMATS`.
        blobs: keeps sizes and seek points.
        memory: bytes.

    Raises UsageError where zlib is missing.
    """

    def __init__(
        self, store: Store, formats: Sequence[str], blobs: Blobs | None = None, *, memory: int = MEMORY
    ) -> None:
        library()
        super().__init__(store)
        self._formats = tuple(formats)
        self._inner_source = store.source
        self.source, self.former_source = view_source(store.source, self._formats), ""
        self.sizes = self
        self._names = Names([FORMATS[name].end for name in self._formats], self.source)
        self._blobs = blobs or NoBlobs()
        self._workers = Workers(GETS, "compressed")
        turn = threading.BoundedSemaphore(max(2, os.cpu_count() or 1))
        engine = Engine(store, self._workers, ConnectionUse(), Allowance(memory * 3 // 8), Units(memory // 2), turn)
        self._sizes = Sizes(store, self._blobs, Heads(memory // 8), self._format_of, self._inflate_all)
        self._files = Files(engine, self._blobs, self._sizes.head, self._sizes.forget_head)

    @property
    def once(self) -> Store:
        return _Once(self, self._store.once)

    # -- names
    def list_page(
        self,
        prefix: str,
        *,
        delimiter: str = "/",
        token: str | None = None,
        start_after: str = "",
        limit: int = 1000,
        deadline: Deadline,
    ) -> Page:
        return self.page_of(
            self._store, prefix, delimiter=delimiter, token=token, start_after=start_after, limit=limit,
            deadline=deadline,
        )  # fmt: skip

    def page_of(
        self,
        store: Store,
        prefix: str,
        *,
        delimiter: str,
        token: str | None,
        start_after: str,
        limit: int,
        deadline: Deadline,
    ) -> Page:
        """A page that `store` lists, which is the one around which this is, as it is shown."""
        after, inner = start_after, None
        if token is not None:
            try:
                inner, after = position_of(token)
            except ValueError as e:
                raise BadAnswer(f"{self.url}: {e}", code="Token") from None
        page = store.list_page(
            prefix, delimiter=delimiter, token=inner, start_after="" if inner else start_after, limit=limit,
            deadline=deadline,
        )  # fmt: skip
        last = last_of(page) or after
        added: list[ObjectStat] = []
        following = None
        if page.token is not None:
            following = Position(page.token, last).text()
            for key in self._names.due(after, last, prefix):
                found = store.list_page(key, delimiter=delimiter, limit=1, deadline=deadline)
                added += [stat for stat in found.objects if stat.id.key == key]
        return self._names.page(page, added, prefix, after, following)

    def head(self, key: str, *, deadline: Deadline) -> ObjectStat:
        return self.head_of(self._store, key, deadline=deadline)

    def head_of(self, store: Store, key: str, *, deadline: Deadline) -> ObjectStat:
        """What `store`, around which this is, has under a shown key."""
        keys, refusal = self._names.candidates(key), None
        if not keys and key == self.root[:-1]:
            keys = [key]  # the object that a source's URL names
        for candidate in keys:
            try:
                stat = store.head(candidate, deadline=deadline)
            except NotFound:
                continue
            except Forbidden as e:  # where names may not be listed, S3 says so of those that are not there
                refusal = refusal or e
                continue
            return listed(stat, self.source, self._names.shown(candidate), self._names.suffix(candidate))
        raise refusal or NotFound(f"{self.url}: no object {key!r}", code="NoSuchKey")

    def relied(self, stat: ObjectStat) -> ObjectStat:
        behind = self._behind(stat)
        if behind is None:
            inner = self._store.relied(stat._replace(id=stat.id._replace(source=self._inner_source)))
            return inner._replace(id=inner.id._replace(source=self.source))
        inner = self._store.relied(stat._replace(id=behind.id, size=behind.id.size))
        shown = listed(inner, self.source, stat.id.key, behind.id.key[len(stat.id.key) :])
        return measured(shown, stat.size) if behind.measured else shown

    # -- sizes: see `stores.base.Sizes`
    def is_told(self, stat: ObjectStat) -> bool:
        return self._behind(stat) is None

    def known(self, stat: ObjectStat) -> ObjectStat | None:
        behind = self._behind(stat)
        if behind is None or behind.measured:
            return stat
        behind = self._behind(self.relied(stat)) or behind
        found = self._sizes.known(behind.id)
        return None if found is None else _shown(stat, found)

    def known_readable(self, stat: ObjectStat) -> ObjectStat | None:
        stat = self.relied(stat)
        behind = self._behind(stat)
        if behind is None:
            return stat
        found = self._sizes.known(behind.id)
        if found is None or not found.checked or found.unfit:
            return None
        return stat if behind.measured else measured(stat, found.size)

    def ask(self, stat: ObjectStat, *, deadline: Deadline) -> ObjectStat:
        behind = self._behind(self.relied(stat))
        if behind is None or behind.measured:
            return stat
        return _shown(stat, self._sizes.ask(behind.id, deadline))

    def check(self, stat: ObjectStat, *, deadline: Deadline) -> ObjectStat:
        stat = self.relied(stat)
        behind = self._behind(stat)
        if behind is None:
            return stat
        found = self._sizes.check(behind.id, deadline)
        if found.unfit:
            raise refused(self, behind.id.key, found.unfit)
        return stat if behind.measured else measured(stat, found.size)

    def refusal(self, stat: ObjectStat) -> str:
        behind = self._behind(self.relied(stat))
        found = None if behind is None else self._sizes.known(behind.id)
        return REASONS[found.unfit] if found is not None and found.unfit else ""

    def stored_key(self, stat: ObjectStat) -> str:
        behind = self._behind(stat)
        return stat.id.key if behind is None else behind.id.key

    def provider_id(self, id: ObjectId) -> ObjectId:
        behind = stored(id, self._inner_source)
        return self._store.provider_id(id._replace(source=self._inner_source) if behind is None else behind.id)

    def may_show(self, id: ObjectId) -> bool:
        behind = stored(id, self._inner_source)
        return self._store.may_show(id._replace(source=self._inner_source) if behind is None else behind.id)

    # -- bytes
    def read(self, id: ObjectId, start: int, views: Sequence[memoryview], *, deadline: Deadline) -> None:
        behind = stored(id, self._inner_source)
        if behind is None:
            self._store.read(id._replace(source=self._inner_source), start, views, deadline=deadline)
        elif not behind.measured:
            self._store.read(behind.id, start, views, deadline=deadline)
        else:
            try:
                self._files.call(behind.id, id.size, lambda file: file.read(start, views, deadline))
            except Unfit as e:
                self._sizes.note(behind.id, Measure(id.size, e.name, True))
                raise refused(self, behind.id.key, e.name) from e

    def digests(self, id: ObjectId, *, deadline: Deadline) -> Told:
        if stored(id, self._inner_source) is not None:  # what the provider tells is of the stored bytes
            return NOTHING_TOLD
        return self._store.digests(id._replace(source=self._inner_source), deadline=deadline)

    def close(self) -> None:
        self._files.close()
        self._workers.close()
        super().close()

    # -- within
    def _behind(self, stat: ObjectStat) -> Stored | None:
        return stored(stat.id, self._inner_source, stat.size)

    def _format_of(self, key: str) -> Format:
        return next(form for name in self._formats if key.lower().endswith((form := FORMATS[name]).end))

    def _inflate_all(self, id: ObjectId, size: int, deadline: Deadline) -> None:
        self._files.call(id, size, lambda file: file.inflate_all(deadline))


class _Once(WrappingStore):
    """A view around the same store with one attempt a call: for asking whether it is there at all."""

    def __init__(self, view: InflatedStore, store: Store) -> None:
        super().__init__(store)
        self._view, self.source = view, view.source

    @property
    def once(self) -> Store:
        return self

    def list_page(
        self,
        prefix: str,
        *,
        delimiter: str = "/",
        token: str | None = None,
        start_after: str = "",
        limit: int = 1000,
        deadline: Deadline,
    ) -> Page:
        return self._view.page_of(
            self._store, prefix, delimiter=delimiter, token=token, start_after=start_after, limit=limit,
            deadline=deadline,
        )  # fmt: skip

    def head(self, key: str, *, deadline: Deadline) -> ObjectStat:
        return self._view.head_of(self._store, key, deadline=deadline)

    def read(self, id: ObjectId, start: int, views: Sequence[memoryview], *, deadline: Deadline) -> None:
        """Of what is stored: whether it can be read."""
        behind = stored(id, self._store.source)
        inner = id._replace(source=self._store.source) if behind is None else behind.id
        self._store.read(inner, start, views, deadline=deadline)


def _shown(stat: ObjectStat, found: Measure) -> ObjectStat:
    """A listed object with its size; as it is stored, where it is unfit and cannot be opened."""
    return stat if found.unfit else measured(stat, found.size)

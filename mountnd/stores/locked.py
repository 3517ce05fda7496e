"""A store around a store that shows the objects of a lockfile: names from the file, bytes from the store.

No listing and no HEAD is sent. A GET names the version id where the file has one, and the ETag (If-Match). What the
provider does not give any more is an error of its own kind (Changed), whether it was replaced, deleted, or refused.

Lock order: none.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..checks.digest import NOTHING_TOLD, Told, parsed
from ..checks.kinds import LOCKFILE
from ..errors import Changed, Forbidden, LinkExpired, NoCredentials, NoSuchBucket, NotFound, StoreError
from ..lockfile.record import Locked, is_pinned
from ..lockfile.table import Cursor, Table
from .base import Deadline, ObjectId, ObjectStat, Page, ShortRead, Store
from .common import WrappingStore

# Objects and common prefixes of a page, at most: a catalogue asks for no more.
_PAGE_MAX = 1000
# Codes of refusals that are of an object; all others are of the keys that sign requests.
_OF_OBJECT = frozenset(("AccessDenied", "403", "AllAccessDisabled"))


class LockedStore(WrappingStore):
    """The objects of a lockfile.

    Its identity is that of `store`, whose cached bytes it shares, unless paths are shown that are no keys.

    Args:
        store: gives the bytes; asked for versions as the lockfile names them.
        table: the lockfile.
        below: path of a directory in it, ending in "/", from which on it is shown; "": all of it.
    """

    def __init__(self, store: Store, table: Table, below: str = "") -> None:
        super().__init__(store)
        self._table, self._below = table, below
        self._base = table.header.root
        self.root = self._base + below
        self.flat = self.knows_names = True
        self.former_source = ""
        self._inner_source = store.source
        if table.moved:
            self.source = f"{store.source}#{table.path.resolve()}"

    @property
    def once(self) -> Store:
        return LockedStore(self._store.once, self._table, self._below)

    @property
    def objects(self) -> int:
        """How many the lockfile has."""
        return self._table.objects

    def record(self, key: str) -> Locked | None:
        """What the lockfile says of the object shown as `key`."""
        path = self._path(key)
        return None if path is None else self._table.find(path)

    def provider_id(self, id: ObjectId) -> ObjectId:
        """With the key that the lockfile names."""
        return self._store.provider_id(self._inner(id))

    def _inner(self, id: ObjectId) -> ObjectId:
        """The version as `store` knows it."""
        if not self._table.moved:
            return id
        record = self.record(id.key)
        return id._replace(source=self._inner_source, key=id.key if record is None else record.key)

    def list_page(
        self,
        prefix: str,
        *,
        delimiter: str = "/",
        token: str | None = None,
        start_after: str = "",
        limit: int = _PAGE_MAX,
        deadline: Deadline,
    ) -> Page:
        deadline.check(self.url)
        low, end = self._path(prefix), delimiter.encode()
        if low is None:
            return Page([], [])
        # A token is the last entry of the page before: both it and `start_after` are passed over.
        after = bytes.fromhex(token) if token is not None else self._path(start_after) or b""
        objects: list[ObjectStat] = []
        prefixes: list[str] = []
        cursor, last = Cursor(self._table), b""
        if end and token is not None and after.endswith(end):
            path = cursor.seek(_past(after))
        else:
            path = cursor.seek(max(low, after + b"\0" if after else b""))
        while path is not None and path.startswith(low):
            if len(objects) + len(prefixes) == min(limit, _PAGE_MAX):
                return Page(objects, prefixes, last.hex())
            cut = path.find(end, len(low)) if end else -1
            if cut < 0:
                objects.append(self._stat(cursor.record()))
                last, path = path, cursor.step()
                continue
            common = path[: cut + len(end)]
            if common > after:
                prefixes.append(self._base + common.decode("utf-8", "surrogateescape"))
                last = common
            path = cursor.seek(_past(common))
        return Page(objects, prefixes)

    def head(self, key: str, *, deadline: Deadline) -> ObjectStat:
        deadline.check(self.url)
        record = self.record(key)
        if record is None:
            raise NotFound(f"{self._table.path}: no object {key!r}", code="NoSuchKey")
        return self._stat(record)

    def head_version(self, key: str, version: str, *, deadline: Deadline) -> ObjectStat:
        found = self.head(key, deadline=deadline)
        if version not in ("", found.id.version):
            raise NotFound(f"{self._table.path}: no version {version!r} of {key!r}", code="NoSuchVersion")
        return found

    def read(self, id: ObjectId, start: int, views: Sequence[memoryview], *, deadline: Deadline) -> None:
        """As of all stores; Changed also where the version is gone or refused."""
        if not is_pinned(id.version, id.etag):
            raise Changed(f"{self._table.path}: nothing says which version of {id.key!r} is meant", code="Version")
        id = self._inner(id)
        try:
            self._store.read(id, start, views, deadline=deadline)
        except NoSuchBucket:
            raise
        except NotFound as error:
            raise _gone(id, "is gone", error) from error
        except Forbidden as error:
            if not is_of_object(error):
                raise
            raise _gone(id, "is not to be had with these keys, or by nobody any more", error) from error

    @property
    def begins_reads(self) -> bool:
        return self._store.begins_reads

    def connections_for(self, id: ObjectId, length: int, sharing: int) -> int:
        return self._store.connections_for(self._inner(id), length, sharing) if is_pinned(id.version, id.etag) else 0

    def begin_read(self, read: ShortRead) -> bool:
        if not is_pinned(read.id.version, read.id.etag):
            return False
        return self._store.begin_read(read._replace(id=self._inner(read.id)))

    def digests(self, id: ObjectId, *, deadline: Deadline) -> Told:
        """What the lockfile says, and the provider."""
        record = self.record(id.key)
        digest = parsed(LOCKFILE, record.digest, f"lockfile {self._table.path.name}") if record is not None else None
        own = () if digest is None else (digest,)
        try:
            told = self._store.digests(self._inner(id), deadline=deadline)
        except StoreError:
            if not own:
                raise
            told = NOTHING_TOLD
        return told._replace(digests=(*own, *told.digests))

    def may_show(self, id: ObjectId) -> bool:
        """Whether it is the version that the lockfile names."""
        record = self.record(id.key)
        return record is not None and self._stat(record).id == id

    def relied(self, stat: ObjectStat) -> ObjectStat:
        return self._store.relied(stat) if stat.id.etag else stat

    def _path(self, key: str) -> bytes | None:
        """The path of a key, or of the beginning of one; None where no path begins so."""
        try:
            if key.startswith(self._base):
                return key[len(self._base) :].encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            return None
        return b"" if self._base.startswith(key) else None

    def _stat(self, record: Locked) -> ObjectStat:
        key = self._base + record.path
        id = ObjectId(self.source, key, record.etag, record.version, record.size)
        return self.relied(ObjectStat(id, record.size, record.mtime_ns))


def is_of_object(error: Forbidden) -> bool:
    """Whether a refusal is of the object that was asked for, and not of the keys that signed the request."""
    return not isinstance(error, (NoCredentials, LinkExpired)) and error.code in _OF_OBJECT


def _gone(id: ObjectId, what: str, why: Exception) -> Changed:
    version = f"version {id.version}" if id.version else f"the version with the ETag {id.etag}"
    error = Changed(f"{version} {what} ({why})", code="Version")
    error.request_id = getattr(why, "request_id", "")
    return error


def _past(prefix: bytes) -> bytes:
    """The least bytes that sort after everything beginning with `prefix`, which ends in a delimiter."""
    return prefix[:-1] + bytes([prefix[-1] + 1])

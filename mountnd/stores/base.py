"""What a provider must be able to do: list names, say what a name is, give bytes of one version.

`Store` is the protocol; what most stores do alike is in `common.py`.

A store makes one attempt a call, blocks the calling thread (releasing the GIL while it waits), is
safe to call from many threads, keeps no cache, and raises only `errors.StoreError`. Retrying
(`retry.py`) is a store that wraps a store. `tests/contract/` holds what each must pass. A call ends when its deadline
(`deadline.py`) does, whatever the server sends, with TimedOut; and with Cancelled when that is cancelled.

Keys are `str`. Bytes that are not UTF-8 come as surrogates (`surrogateescape`), and a key goes back
to its provider exactly as the listing gave it: never normalised, never joined as a path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from ..checks.digest import Told
from ..stats import Stats
from .deadline import Deadline as Deadline
from .object_versions import Marker, VersionsPage


class ObjectId(NamedTuple):
    """Names immutable bytes: the same id is always the same bytes. Caches key on it, handles pin it.

    Args:
        source: the source's identity (bucket, endpoint and who asks, not its display name): caches outlive names.
        key: the object's whole key in the store.
        etag: the ETag with its quotes, or, where ETags cannot be relied on, a weaker token (generation, size + mtime).
        version: S3 version id; "" where the bucket is not versioned or the current version is meant.
        size: of the whole object in bytes: one ETag at two sizes is two versions. -1: not known, and not compared.
    """

    source: str
    key: str
    etag: str
    version: str = ""
    size: int = -1


class ObjectStat(NamedTuple):
    """What a listing or a HEAD tells of an object. `size` in bytes, `mtime_ns` since the epoch (LastModified)."""

    id: ObjectId
    size: int
    mtime_ns: int
    storage_class: str = ""


class Page(NamedTuple):
    """One answer of a listing: objects and common prefixes (each ending in the delimiter), in the store's order.

    `token` continues it; None on the last page. `unshowable` holds keys the store could not even spell
    as `str` (as `repr`), so that they can be reported. `hidden`: keys that the store itself does not show, each with
    the reason.
    """

    objects: list[ObjectStat]
    prefixes: list[str]
    token: str | None = None
    unshowable: tuple[str, ...] = ()
    hidden: tuple[tuple[str, str], ...] = ()


class ViaUse(NamedTuple):
    """How the caching proxies that were named for a source (`--via`) are made use of.

    Attributes:
        nodes: their URLs.
        passed_by: why none of them is asked, in words; "" where they are.
    """

    nodes: tuple[str, ...]
    passed_by: str = ""


class Renewals:
    """Counts how often the keys of a store have changed while it was used. Who remembers a refusal, or an absence,
    remembers `count` with it: at another one it may not be so any more."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


class Notes(Protocol):
    """Where a store keeps what it learnt of its server, as texts by name, across restarts."""

    def read(self) -> dict[str, str]:
        """What is kept; empty when nothing is."""
        ...

    def write(self, notes: Mapping[str, str]) -> None:
        """Keep `notes` instead. Never raises for a disk that is full or read-only."""
        ...


class Sizes(Protocol):
    """Of a store whose listings do not tell of each object how many bytes it gives: a view of compressed files."""

    def is_told(self, stat: ObjectStat) -> bool:
        """Whether `stat`, as it was listed, tells the size."""
        ...

    def known(self, stat: ObjectStat) -> ObjectStat | None:
        """`stat`, as it was listed, with the size that programs are shown; None where that takes a request."""
        ...

    def known_readable(self, stat: ObjectStat) -> ObjectStat | None:
        """What `check` would give; None where that takes a request, and for an object that cannot be read."""
        ...

    def ask(self, stat: ObjectStat, *, deadline: Deadline) -> ObjectStat:
        """As `known`, with a request where it takes one. Raises as `Store.head`, and Changed."""
        ...

    def check(self, stat: ObjectStat, *, deadline: Deadline) -> ObjectStat:
        """`stat` as it is to be read: its id is that of the bytes that `read` gives. Requests are sent where they are
        needed. Raises as `ask`, and BadAnswer for an object that cannot be read."""
        ...

    def refusal(self, stat: ObjectStat) -> str:
        """Why `check` would refuse it, as far as that is known without a request; "" for nothing."""
        ...

    def stored_key(self, stat: ObjectStat) -> str:
        """The key of what is stored, which is shown as `stat`."""
        ...


# Nearer than this, in seconds (`Store.latency`), a round trip costs less than the processor time of one more request.
NEAR_S = 0.005
# HTTP statuses by which servers say that they have too many requests.
THROTTLED = (429, 503)


class ShortRead(NamedTuple):
    """What `Store.begin_read` is asked for.

    Attributes:
        id, start, views: as in `Store.read`.
        deadline: by which it can be cancelled, too.
        done: told whether all views are filled with bytes of exactly this version, on a thread that it must not block.
        sharing: among how many reads the idle connections are shared out, this one among them, so that several GETs
            side by side may bring it; 0: one GET is to bring it.
    """

    id: ObjectId
    start: int
    views: Sequence[memoryview]
    deadline: Deadline
    done: Callable[[bool], object]
    sharing: int = 0


class Store(Protocol):
    """One provider. Attributes:

    source: the identity that goes into every `ObjectId` it gives (bucket, endpoint and who asks, no prefix: two
        sources on one bucket share cached bytes, where each may read what the other may).
    former_source: the identity under which earlier versions of mountnd cached it; "" where that is the same.
    root: key prefix below which the tree begins: "" or ending in "/". Keys are always whole keys.
    url: how a person would name it (`s3://bucket/prefix`), for messages.
    flat: whether `list_page` can list without a delimiter at the price of a page per 1,000 keys.
    pins: whether `read` is refused by the server itself when the object changed (If-Match, generation);
        False means the weaker before/after comparison.
    notice: what a person should be told of how requests are signed; "" for nothing, and before the first request.
    keys: where the keys come from that sign requests, in words; "" for none, and before the first request.
    exposure: what others on the network can read of signed requests, as plain http shows it; "" for nothing, and before
        the first request.
    region: where the bucket is; "" where there is no such thing, and before the first request.
    remarks: what was found out of how the server answers, that a person should know: its ETags cannot be relied on, ...
    is_open: whether it is read without credentials, so that everybody may read what it gives; False where that is not
        known.
    latency: seconds from a request to the beginning of its answer, the shortest that was seen; None before one, and
        where nobody looks.
    via: how caching proxies are made use of; None where none were named.
    once: the same store with one attempt a call, for asking whether the store is there at all.
    renewals: how often its keys have changed.
    knows_names: whether `list_page` and `head` answer without a request, and always the same.
    sizes: who knows how long its objects are, where its listings do not tell; None where they do.
    """

    source: str
    former_source: str
    root: str
    url: str
    flat: bool
    pins: bool
    is_open: bool
    renewals: Renewals
    knows_names: bool
    sizes: Sizes | None

    @property
    def notice(self) -> str: ...

    @property
    def keys(self) -> str: ...

    @property
    def exposure(self) -> str: ...

    @property
    def region(self) -> str: ...

    @property
    def remarks(self) -> tuple[str, ...]: ...

    @property
    def latency(self) -> float | None: ...

    @property
    def via(self) -> ViaUse | None: ...

    @property
    def once(self) -> Store: ...

    def count_in(self, stats: Stats) -> None:
        """Count there what only the store knows of its requests."""
        ...

    def via_counts(self) -> list[dict[str, Any]]:
        """What came of each caching proxy."""
        ...

    def load_libraries(self) -> None:
        """Import what requests need, before one has a deadline, and while there are descriptors for it."""
        ...

    def remember(self, notes: Notes) -> None:
        """Begin with what is in `notes`, and keep there what is learnt of the server."""
        ...

    def provider_id(self, id: ObjectId) -> ObjectId:
        """The provider's own version that is behind one that is shown: of another key where paths are no keys, with
        another ETag and size where it is shown inflated. Costs nothing."""
        ...

    def may_show(self, id: ObjectId) -> bool:
        """Whether a version of an object may be one that it shows, as far as it knows without a request."""
        ...

    def relied(self, stat: ObjectStat) -> ObjectStat:
        """`stat` with the token by which its version goes now: what was listed before the server's ETags turned out to
        mean nothing goes by size and LastModified. Costs nothing."""
        ...

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
        """One page of the keys below `prefix` (a whole key prefix, "" for all), `delimiter` "" for a flat listing.

        Keys come in the provider's order (S3: UTF-8 byte order). A prefix under which nothing lies is
        an empty page, not an error. Raises NoSuchBucket, Forbidden, and every transient error.
        """
        ...

    def list_versions(self, prefix: str, *, after: Marker | None = None, deadline: Deadline) -> VersionsPage:
        """One page of all versions and delete markers below `prefix`, from the start or behind `after`.

        Raises StoreError where the store keeps none, Forbidden where they may not be listed, and every transient error.
        """
        ...

    def head(self, key: str, *, deadline: Deadline) -> ObjectStat:
        """What `key` is now. Raises NotFound, Forbidden, and every transient error."""
        ...

    def head_version(self, key: str, version: str, *, deadline: Deadline) -> ObjectStat:
        """What `key` is at a version id ("": the current one), with that version id, "" where the store has none, and
        with its ETag as the provider gives it. Raises as `head`; NotFound for a version that is gone."""
        ...

    def read(self, id: ObjectId, start: int, views: Sequence[memoryview], *, deadline: Deadline) -> None:
        """Fill `views` (writable, in order, none empty) with the bytes from `start` on: one ranged GET.

        The caller never asks past the end of the object. Either every view is filled with bytes of
        exactly this version, or an error is raised (the views' content is then undefined):
        Changed when the object is no longer `id`, NotFound, Forbidden, Archived, BadAnswer (short or
        misplaced body), and every transient error.
        """
        ...

    @property
    def begins_reads(self) -> bool:
        """Whether `begin_read` may be of any use."""
        ...

    def connections_for(self, id: ObjectId, length: int, sharing: int) -> int:
        """Over how many connections side by side `begin_read` would read so many bytes, if it was called now; 0 where
        it would not. Never raises, never waits."""
        ...

    def begin_read(self, read: ShortRead) -> bool:
        """Begin what `Store.read` does, for a short range, without a thread that waits. Never raises, never waits.

        Returns False where that cannot be now; nothing was asked for then. Else `read.done` is called once, perhaps
        before this returns. If that is told False, nothing is known: `Store.read` does it, or tells why it cannot be.
        """
        ...

    def digests(self, id: ObjectId, *, deadline: Deadline) -> Told:
        """What the provider says of the content of exactly this version, beside its ETag: one request at most. Nothing
        where it has another version, or says nothing. Raises what `head` does.
        """
        ...

    def renew(self, *, deadline: Deadline) -> bool:
        """Something was refused a while ago: whether there are other keys now, which are looked for at most once in a
        few seconds. No request to the store itself is needed for that. Never raises."""
        ...

    def close(self) -> None:
        """Drop connections. Idempotent; calls in flight may fail."""
        ...

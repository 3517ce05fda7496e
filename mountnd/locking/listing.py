"""What a source has now, as records: by flat listings, several parts of the keys side by side; in file systems and the
like by a listing of each directory."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator

from ..lockfile.record import Locked
from ..stores.base import Deadline, ObjectStat, Store
from .gathering import SIDE_BY_SIDE, Asker, gathered

Report = Callable[[tuple[str, ...]], object]

# How deep it is looked for a directory with others in it, where a source begins with a single one.
_DEEP = 4


def listed(store: Store, seconds: float, unshowable: Report) -> Iterator[list[Locked]]:
    """All objects below the store's root, a page at a time, in any order.

    Args:
        seconds: that a request may take.
        unshowable: told of keys that the store cannot even spell, as `Page.unshowable`, on any thread.

    Raises what listings raise.
    """
    jobs = _flat_jobs(store, seconds, unshowable) if store.flat else [_walk(store, unshowable)] * SIDE_BY_SIDE
    return gathered(jobs, seconds)


def record(stat: ObjectStat, root: str) -> Locked:
    """The record of a row of a listing, or of a HEAD."""
    key = stat.id.key
    return Locked(key[len(root) :], key, stat.id.version, stat.size, stat.id.etag, stat.mtime_ns)


def bounds(store: Store, seconds: float) -> list[tuple[str, str]]:
    """Parts of the keys below the root that hold about as many directories each: (after, up to) keys, "" for none.

    Costs a request or a few, but no more than a small source takes anyway.
    """
    prefix, names = store.root, list[str]()
    for _ in range(_DEEP):
        page = store.list_page(prefix, deadline=Deadline(seconds))
        names = page.prefixes
        if len(names) != 1 or page.objects or page.token is not None:
            break
        prefix = names[0]
    if len(names) < 2:
        return [("", "")]
    parts = min(SIDE_BY_SIDE, len(names))
    cuts = [names[len(names) * part // parts] for part in range(1, parts)]
    return list(zip(["", *cuts], [*cuts, ""], strict=True))


def _flat_jobs(store: Store, seconds: float, unshowable: Report) -> list[Callable[[Asker], Iterator[list[Locked]]]]:
    first = store.list_page(store.root, delimiter="", deadline=Deadline(seconds))
    if first.token is None:
        unshowable(first.unshowable)
        return [lambda asker: iter([[record(stat, store.root) for stat in first.objects]])]

    def part(after: str, up_to: str) -> Callable[[Asker], Iterator[list[Locked]]]:
        def job(asker: Asker) -> Iterator[list[Locked]]:
            token: str | None = None
            while True:
                page = store.list_page(
                    store.root, delimiter="", token=token, start_after=after, deadline=asker.deadline()
                )
                unshowable(page.unshowable)
                inside = [stat for stat in page.objects if not up_to or _order(stat.id.key) <= _order(up_to)]
                # there are servers that begin anew
                yield [record(stat, store.root) for stat in inside if not after or _order(stat.id.key) > _order(after)]
                token = page.token
                if token is None or len(inside) < len(page.objects):
                    return

        return job

    return [part(after, up_to) for after, up_to in bounds(store, seconds)]


def _walk(store: Store, unshowable: Report) -> Callable[[Asker], Iterator[list[Locked]]]:
    """A job of which there may be several: together they list each directory once."""
    changed = threading.Condition()
    todo, busy = deque([store.root]), 0

    def job(asker: Asker) -> Iterator[list[Locked]]:
        nonlocal busy
        while True:
            with changed:
                while not todo and busy and not asker.cancelled:
                    changed.wait(0.1)
                if not todo or asker.cancelled:
                    return
                prefix = todo.pop()
                busy += 1
            try:
                token: str | None = None
                while True:
                    page = store.list_page(prefix, token=token, deadline=asker.deadline())
                    unshowable(page.unshowable)
                    with changed:
                        todo.extend(page.prefixes)
                        changed.notify_all()
                    yield [record(stat, store.root) for stat in page.objects]
                    if (token := page.token) is None:
                        break
            finally:
                with changed:
                    busy -= 1
                    changed.notify_all()

    return job


def _order(key: str) -> bytes:
    return key.encode("utf-8", "surrogateescape")

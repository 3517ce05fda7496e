"""What `mountnd doctor SOURCE --via URL` finds out of caching proxies, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from ..config.options import SourceConfig
from ..daemon.host import Finding
from ..errors import StoreError
from ..report.figures import size

if TYPE_CHECKING:
    from ..stores.base import Deadline, ObjectStat
    from ..stores.s3 import S3Store
    from ..stores.via.trial import Trial

# Objects are looked for in so many pages of keys, until one is this large.
_PAGES, _LARGE = 3, 16 << 20
_OURS = "a cache that does: mountnd cache-server"


def diagnose_via(source: SourceConfig, seconds: float) -> Iterator[Finding]:
    """Findings about the caching proxies of a source, for `seconds` each; some twenty requests to each."""
    from ..sources import bare_s3
    from ..stores.base import Deadline
    from ..stores.http.trust import usual_context
    from ..stores.s3.http_client import quoted
    from ..stores.via import trial

    store, direct = bare_s3(source), bare_s3(replace(source, via=()))
    try:
        try:
            found = _objects(store, Deadline(seconds))
            origin = store.origin(Deadline(seconds))
        except StoreError as e:
            yield Finding("bad", f"caching proxies were not tried: {e}")
            return
        if (use := store.via) is not None and use.passed_by:
            yield Finding("warn", f"caching proxies are passed by: {use.passed_by}")
            return
        if not found:
            what = "no object was found whose ETag tells its version, to try caching proxies with"
            yield Finding("warn", what, "name a prefix with files below it")
            return
        largest, other = found[0], found[min(1, len(found) - 1)]

        def expected(start: int, stop: int) -> bytes:
            into = bytearray(stop - start)
            direct.read(largest.id, start, [memoryview(into)], deadline=Deadline(seconds))
            return bytes(into)

        thing, fresh = (trial.Thing(quoted(stat.id.key), stat.id.etag, stat.size) for stat in (largest, other))
        for url in source.via:
            prober = trial.Prober(url, origin, usual_context, Deadline(seconds))
            try:
                tried = trial.try_proxy(prober, thing, fresh, expected)
            except StoreError as e:
                yield Finding("bad", f"{url} was not tried to the end: {e}")
            else:
                yield from judged(url, tried, largest.size)
            finally:
                prober.close()
    finally:
        store.close()
        direct.close()


def _objects(store: S3Store, deadline: Deadline) -> list[ObjectStat]:
    """Objects with ETags that are relied on, the largest first."""
    from ..stores.http.etags import is_reliable

    found: list[ObjectStat] = []
    token = None
    for _ in range(_PAGES):
        page = store.list_page(store.root, delimiter="", token=token, deadline=deadline)
        found += [
            stat for stat in map(store.relied, page.objects) if stat.size and is_reliable(stat.id.etag, stat.size)
        ]
        token = page.token
        if token is None or any(stat.size >= _LARGE for stat in found):
            break
    return sorted(found, key=lambda stat: stat.size, reverse=True)


def judged(url: str, tried: Trial, length: int) -> Iterator[Finding]:
    """What a trial with an object of `length` bytes says of a proxy. Pure."""
    from ..stores.via.trial import AT_ONCE

    if not tried.right:
        yield _not_right(url, tried)
        return
    yield Finding("ok", f"{url} gives the right bytes; it is asked {tried.manner.value}")
    if tried.kept is None:
        yield Finding(
            "warn", f"{url}: whether it keeps ranges cannot be told: its answers do not say where they are from"
        )
    elif not tried.kept:
        what = f"{url} keeps no ranges: what was asked for again came from the source again, so it is of no use"
        yield Finding("warn", what, _OURS)
    elif tried.whole:
        what = f"{url} fetches whole objects when a part of one is asked for (here {size(length)} for 64 KiB)"
        yield Finding("warn", what, _OURS)
    else:
        yield Finding("ok", f"{url} keeps ranges: what was asked for again came from its cache")
    yield _condition(url, tried)
    if tried.asked is None:
        yield Finding("warn", f"{url}: whether it asks the source once for many cannot be told")
    elif tried.asked == 1:
        yield Finding("ok", f"{url} asks the source once: {AT_ONCE} requests for the same at once were 1 there")
    else:
        what = f"{url} asks the source several times: {AT_ONCE} requests for the same at once were {tried.asked} there"
        yield Finding("warn", what, f"Squid: collapsed_forwarding on; {_OURS}")


def _condition(url: str, tried: Trial) -> Finding:
    if tried.condition == 412:
        return Finding("ok", f"{url} heeds If-Match: a version that is gone is refused (412)")
    if tried.condition in (200, 206):
        what = (
            f"{url} does not heed If-Match: of an object that was replaced it gives another version, which is noticed "
            "by its ETag; the source is asked then"
        )
        return Finding("warn", what)
    told = f"with HTTP {tried.condition}" if tried.condition else "not at all"
    return Finding("warn", f"{url} answers an If-Match that does not hold {told}, where 412 is due")


def _not_right(url: str, tried: Trial) -> Finding:
    first = tried.first
    if first.why:
        return Finding("bad", first.why if first.why.startswith(url) else f"{url}: {first.why}", f"curl -I {url}")
    if first.status == 421:
        return Finding(
            "bad", f"{url} does not serve this bucket (421)", "start it with this source: mountnd cache-server"
        )
    if first.status == 407:
        return Finding("bad", f"{url} wants a user and a password (407), which --via has no place for")
    if first.location:
        return Finding(
            "bad", f"{url} leads elsewhere (HTTP {first.status}), which is not followed", "name that cache itself"
        )
    if first.status >= 500 and tried.manner.name == "PROXY":
        what = f"{url} takes whole URLs, and could not fetch this one (HTTP {first.status}); can it fetch https?"
        return Finding(
            "bad", what, "for Squid: the package squid-openssl, or ask over http: --endpoint-url http://HOST"
        )
    if first.status not in (200, 206):
        return Finding("bad", f"{url} refuses what the source gives (HTTP {first.status})")
    if first.start < 0:
        return Finding("bad", f"{url} does not know ranges: it answers with whole objects", _OURS)
    if not first.etag or first.etag.startswith("W/"):
        return Finding("bad", f"{url} leaves out the ETag, or weakens it, so that no version can be told", _OURS)
    return Finding("bad", f"{url} gives other bytes, or another version, than the source: do not use it")

"""The facts of `mountnd explain` in words: what a path is, and what of it is cached. Pure.

Facts are what `path_facts.explain` tells, as JSON has them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from .figures import duration, minute, size
from .next_read import ARCHIVES, Facts

# docs.aws.amazon.com/AmazonS3/latest/userguide/storage-class-intro.html: what each means for who reads.
STORAGE_CLASSES = ARCHIVES | {
    "STANDARD": "read at once",
    "REDUCED_REDUNDANCY": "read at once",
    "EXPRESS_ONEZONE": "read at once, faster than most",
    "STANDARD_IA": "read at once; whoever pays for it pays for each GiB read, too",
    "ONEZONE_IA": "read at once; whoever pays for it pays for each GiB read, too",
    "GLACIER_IR": "read at once; whoever pays for it pays more for each GiB read",
    "INTELLIGENT_TIERING": "read at once, unless its owner lets it move into an archive tier",
}
# Open files that are told of one by one.
_OPEN_SHOWN = 3
# Caching proxies that are named.
_NODES_SHOWN = 4


class Line(NamedTuple):
    """A labelled line for a person. `style`: of `terminal.paint`, where it means something."""

    label: str
    text: str
    style: str = ""


def lines(facts: Facts, now: float) -> list[Line]:
    """The facts as labelled lines, in the order in which they are shown. `now`: seconds since the epoch."""
    return [line for line in _lines(facts, now) if line.text]


def _lines(facts: Facts, now: float) -> Iterator[Line]:
    kind = facts["kind"]
    yield Line("what", _what(facts), "bad" if kind in ("absent", "refused") else "")
    yield Line("source", _source(facts))
    yield Line("bucket", facts["bucket"] or "")
    yield Line("via", _via(facts.get("via")))
    yield Line("key", facts["key"] or "")
    if kind == "file":
        yield from _file(facts, now)
    yield Line("not shown", _not_shown(facts), "warn")
    yield Line("name", "" if facts["why"] else _names(facts["names"], facts, now))
    if kind == "directory":
        yield Line("listing", _names(facts["listing"], facts, now))
    if kind == "file":
        yield Line("cached", _cached(facts))
        yield Line("shared cache", _shared_cache(facts), "warn")
        yield Line("open", _open(facts))
    yield Line("last failure", _failure(facts, now), "warn")
    yield Line("out of reach", _reach(facts), "warn")
    label = "next ls" if kind == "directory" else "next read"
    yield Line(label, facts["next_read"]["words"], "bad" if facts["next_read"]["outcome"] == "fails" else "")


def _what(facts: Facts) -> str:
    kind, why = facts["kind"], facts["why"]
    if kind == "file":
        return "a file"
    if kind == "directory":
        if facts["entries"] is None:
            return "a directory"
        return f"a directory of {facts['entries']:,} name{'s' * (facts['entries'] != 1)}"
    if kind == "absent":
        return f"not there: {why}" if why else "not there"
    if kind == "refused":
        return "may not be looked up: access denied"
    failed = facts["asking_failed"]
    return f"not known: asking failed: {failed}" if failed else "not looked up yet, so nothing is known of it"


def _source(facts: Facts) -> str:
    if facts["source"] is None:
        return ""
    about = [facts["region"], f"signed with {facts['keys']}" if facts["keys"] else ""]
    told = ", ".join(filter(None, about))
    return f"{facts['source']}: {facts['url']}" + (f" ({told})" if told else "")


def _via(via: Facts | None) -> str:
    if via is None:
        return ""
    many = len(via["nodes"])
    named = ", ".join(via["nodes"][:_NODES_SHOWN]) + (", ..." if many > _NODES_SHOWN else "")
    if via["passed_by"]:
        return f"{named}: passed by, {via['passed_by']}"
    out = via["left_out"]
    left = f"; left out just now: {', '.join(out[:_NODES_SHOWN])}{', ...' if len(out) > _NODES_SHOWN else ''}" * bool(
        out
    )
    return f"bytes are asked of {'a caching proxy' if many == 1 else f'{many} caching proxies'} first: {named}{left}"


def _file(facts: Facts, now: float) -> Iterator[Line]:
    version = f"{facts['etag']}" + (f", version {facts['version']}" if facts["version"] else "")
    if facts["replaced"]:
        version += "; replaced since: programs that have it open go on reading this one"
    yield Line("ETag", version)
    modified = f", modified {_minute(facts['modified'])}" if facts["modified"] else ""
    n = facts["size"]
    exact = f" ({n:,} bytes)" if n >= 1024 else ""
    yield Line("size", f"{size(n)}{exact}{modified}")
    stored = facts["storage_class"]
    if stored:
        meaning = STORAGE_CLASSES.get(stored)
        yield Line("storage", f"{stored}: {meaning}" if meaning else stored, "bad" if stored in ARCHIVES else "")


def _not_shown(facts: Facts) -> str:
    if facts["not_shown"]:
        return f"an object of this very key: {facts['not_shown']}"
    hidden = facts["hidden"]
    return f"{hidden['count']:,} of its keys, the first {hidden['key']!r}: {hidden['reason']}" if hidden else ""


def _names(names: Facts | None, facts: Facts, now: float) -> str:
    if not names:
        return ""
    if not names["told_by"]:
        return "not asked for yet"
    if names["told_by"] == "lockfile":
        return "from the lockfile, as long as it is mounted"
    by = "a listing of its directory" if names["told_by"] == "listing" else "a look-up of it alone"
    if names is facts["listing"]:
        by = "its own listing"
    held = "in memory" if names["held"] == "memory" else "kept on disk"
    since = f"since {_minute(names['since'])} ({_ago(names['since'], now)} ago)" if names["since"] else "of unknown age"
    if not names["believed"]:
        ends = "too old to be believed: the next look asks the source"
        if facts["offline"] or facts["out_of_reach"]:
            ends = "too old, and believed as long as the source is out of reach"
    elif names["until"] is None:
        ends = "believed until `mountnd refresh`"
    else:
        ends = f"believed for {_ago_until(names['until'], now)} more"
    return f"known {since} from {by}, {held}; {ends}"


def _cached(facts: Facts) -> str:
    n, held = facts["size"], facts["cached"]
    if not n:
        return ""
    if not (held["any"] or held["coming"]):
        return "nothing of it"
    places = [("memory", "in memory"), ("disk", "on disk")]
    if facts.get("shared_cache") is not None:
        places.append(("shared", "in the shared cache"))
    parts = [f"{_percent(held[place], n)} {words}" for place, words in places]
    if held["coming"]:
        parts.append(f"{_percent(held['coming'], n)} under way")
    return ", ".join(parts)


def _shared_cache(facts: Facts) -> str:
    """What is to be known of the cache that nodes share, where it is not used as it should be."""
    told = facts.get("shared_cache")
    if told is None:
        return ""
    if facts["source"] in told["passed_by"]:
        return f"{told['directory']} has nothing of this source, which may need credentials (--shared-signed)"
    return "" if told["state"] == "used" else f"{told['directory']}: {told['state']} ({told['why']})"


def _percent(part: int, whole: int) -> str:
    if part in (0, whole):
        return f"{100 * part // whole} %" + (f" ({size(part)})" if part else "")
    return f"{min(99, max(1, round(100 * part / whole)))} % ({size(part)})"


def _open(facts: Facts) -> str:
    opened = facts["open"]
    told = [pattern(one, facts["size"]) for one in opened[:_OPEN_SHOWN]]
    if len(opened) > _OPEN_SHOWN:
        told.append(f"and {len(opened) - _OPEN_SHOWN:,} more")
    times = "" if len(opened) < 2 else f"{len(opened):,} times: "
    return times + "; ".join(told) if opened else "by nobody now"


def pattern(opened: Facts, whole: int) -> str:
    """How one open file of `whole` bytes is read, and what that means for what is fetched ahead."""
    at, kind = size(opened["position"]), opened["pattern"]
    if kind == "unread":
        return "not read yet"
    if kind == "start":
        return f"only its start is read, up to {at}"
    if kind == "in order":
        places = f" in {opened['places']} places" if opened["places"] > 1 else ""
        if opened["position"] >= whole:
            return f"read in order{places}, to its end"
        return f"read in order{places}, now at {at} of {size(whole)}; what follows is fetched ahead"
    if kind == "strides":
        back = " backwards" if opened["distance"] < 0 else ""
        return f"read in steps of {size(abs(opened['distance']))}{back}, {size(opened['length'])} each; fetched ahead"
    return f"read here and there, now at {at}: nothing can be fetched ahead, so what is not cached waits for a request"


def _failure(facts: Facts, now: float) -> str:
    """That of the path, else that of its source, which may say why the path is next."""
    own, other = facts["last_failure"], facts["last_failure_of_source"]
    if not (failure := own or other):
        return ""
    begin = "" if own else f"none here; in this source, of {failure['path']}: "
    request = f" [request {failure['request_id']}]" if failure["request_id"] else ""
    return f"{begin}{failure['message']}{request}, {_minute(failure['at'])} ({_ago(failure['at'], now)} ago)"


def _reach(facts: Facts) -> str:
    return "the mount is offline (--offline)" if facts["offline"] else facts["out_of_reach"] or ""


def _seconds(iso: str) -> float:
    return datetime.fromisoformat(iso).timestamp()


def _minute(iso: str) -> str:
    return minute(_seconds(iso))


def _ago(iso: str, now: float) -> str:
    return duration(now - _seconds(iso))


def _ago_until(iso: str, now: float) -> str:
    return duration(_seconds(iso) - now)

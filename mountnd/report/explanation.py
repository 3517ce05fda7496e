"""The facts of `mountnd explain` in words: what a path is, what of it is cached, what a read would do now. Pure.

Facts are what `path_facts.explain` tells, as JSON has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

from .figures import duration, minute, size

Facts = Mapping[str, Any]

# docs.aws.amazon.com/AmazonS3/latest/userguide/storage-class-intro.html: what each means for who reads.
_ARCHIVES = {
    "GLACIER": "archived (Flexible Retrieval): cannot be read until its owner has restored it, which takes hours",
    "DEEP_ARCHIVE": "archived (Deep Archive): cannot be read until its owner has restored it, which takes up to 2 days",
}
STORAGE_CLASSES = _ARCHIVES | {
    "STANDARD": "read at once",
    "REDUCED_REDUNDANCY": "read at once",
    "EXPRESS_ONEZONE": "read at once, faster than most",
    "STANDARD_IA": "read at once; whoever pays for it pays for each GiB read, too",
    "ONEZONE_IA": "read at once; whoever pays for it pays for each GiB read, too",
    "GLACIER_IR": "read at once; whoever pays for it pays more for each GiB read",
    "INTELLIGENT_TIERING": "read at once, unless its owner lets it move into an archive tier",
}
# Reasons of failures (`errors.StoreError.reason`) that last until somebody changes something: the errno, and why.
_LASTING = {
    "access denied": ("EACCES", "the source denied it"),
    "no credentials": ("EACCES", "the source needs credentials, and none were found"),
    "link expired": ("EACCES", "the signed link has expired"),
    "archived": ("EIO", "it must be restored from the archive first"),
    "wrong region": ("EIO", "the bucket is in another region"),
}
_ERRNOS = {
    "EACCES": "Permission denied",
    "EIO": "Input/output error",
    "ENOENT": "No such file or directory",
    "ESTALE": "Stale file handle",
}
_OFFLINE = "the mount is offline (--offline)"
# Open files that are told of one by one.
_OPEN_SHOWN = 3

Outcome = Literal["memory", "disk", "wait", "fetch", "look-up", "nothing", "fails"]


class NextRead(NamedTuple):
    """What a read would do now.

    Attributes:
        outcome: where the bytes come from: `memory`, `disk`, `wait` (for a request under way), `fetch`; `look-up`: the
            name is asked for first; `nothing`: there are none to read; `fails`.
        errno: the name of the error that a program would see, "" for none that can be foreseen.
        words: a sentence.
    """

    outcome: Outcome
    errno: str
    words: str


class Line(NamedTuple):
    """A labelled line for a person. `style`: of `terminal.paint`, where it means something."""

    label: str
    text: str
    style: str = ""


def next_read(facts: Facts) -> NextRead:
    """What a read of the file (for a directory: a listing of it) would do now, and how it would end."""
    kind, names = facts["kind"], facts["names"]
    if kind == "file":
        told = _next_bytes(facts)
        is_asked = not (facts["open"] or names["believed"] or facts["out_of_reach"])
        return told._replace(words=f"{told.words}; its name is asked for first") if is_asked else told
    if kind == "directory":
        return _next_listing(facts)
    if kind == "refused":
        return _fails("EACCES", "the source denied looking the name up, and is asked again half a minute later")
    if facts["offline"] and kind == "unknown":
        return _fails("EIO", f"{_OFFLINE}, and the name was never looked up")
    if kind == "unknown":
        return NextRead("look-up", "", "the name is looked up first, by one request or two")
    if names and names["told_by"] and not names["believed"] and not facts["why"]:
        return NextRead("look-up", "", "the source is asked for the name again: it was absent too long ago")
    return _fails("ENOENT", "there is no such name")


def _next_listing(facts: Facts) -> NextRead:
    listing = facts["listing"]
    if listing is None or listing["believed"]:
        return NextRead("memory", "", "the names are known, and cost no request")
    if listing["told_by"] and (facts["offline"] or facts["out_of_reach"]):
        return NextRead("memory", "", "the names are those that were known before: the source is out of reach")
    if facts["offline"]:
        return _fails("EIO", f"{_OFFLINE}, and this directory was never listed")
    if facts["listing_refused"]:
        return _fails("EACCES", "the source denied listing it, and is asked again half a minute later")
    return NextRead("fetch", "", "the source is asked, by a request for each thousand names")


def _next_bytes(facts: Facts) -> NextRead:
    plan = facts["next_read"]
    if facts["gone"]:
        return _fails("ESTALE", "the version that programs have open is gone; who opens it anew gets the new one")
    if not facts["size"]:
        return NextRead("nothing", "", "the file is empty: nothing is asked for")
    what = f"bytes {plan['start']:,} to {plan['stop'] - 1:,}"
    if not plan["gets"]:
        if plan["coming"]:
            return NextRead("wait", "", f"{what} are on their way, by a request that was made before")
        if plan["disk"]:
            return NextRead("disk", "", f"{what} are served from the disk cache, without a request")
        return NextRead("memory", "", f"{what} are served from memory, without a request")
    if facts["offline"]:
        return _fails("EIO", f"of {what} {size(plan['fetched'])} are not cached, and {_OFFLINE}")
    if facts["storage_class"] in _ARCHIVES:
        return _fails("EIO", f"{what} are not cached, and the object is {_ARCHIVES[facts['storage_class']]}")
    asks = f"{what} wait for {_requests(plan)} to {facts['url']}"
    if facts["out_of_reach"]:
        why = f"it did not answer a moment ago, and the read fails within {facts['timeout']:g} s unless it does now"
        return NextRead("fetch", "", f"{asks}; {why}")
    failure = facts["last_failure"]
    if failure and failure["reason"] in _LASTING:
        errno, why = _LASTING[failure["reason"]]
        return _fails(errno, f"{asks}, and the last read failed as {why}", "unless that has changed, it ")
    return NextRead("fetch", "", f"{asks}: {_expected(plan)}{_beside(plan)}")


def _fails(errno: str, why: str, begin: str = "it ") -> NextRead:
    return NextRead("fails", errno, f'{begin}fails with {errno} ("{_ERRNOS[errno]}"): {why}')


def _requests(plan: Facts) -> str:
    gets: Sequence[int] = plan["gets"]
    if len(gets) == 1:
        return f"one GET of {size(gets[0])}"
    return f"{len(gets)} GETs of {size(sum(gets))} together, side by side"


def _expected(plan: Facts) -> str:
    ms = f"some {max(1, round(plan['seconds'] * 1000))} ms"
    return (
        f"{ms}, as this source's answers have taken"
        if plan["is_measured"]
        else f"{ms} if a round trip takes 30, which was not measured yet"
    )


def _beside(plan: Facts) -> str:
    places = (("memory", "in memory"), ("disk", "on disk"))
    held = [f"{size(plan[place])} {words}" for place, words in places if plan[place]]
    return f"; {' and '.join(held)} are there already" if held else ""


def lines(facts: Facts, now: float) -> list[Line]:
    """The facts as labelled lines, in the order in which they are shown. `now`: seconds since the epoch."""
    return [line for line in _lines(facts, now) if line.text]


def _lines(facts: Facts, now: float) -> Iterator[Line]:
    kind = facts["kind"]
    yield Line("what", _what(facts), "bad" if kind in ("absent", "refused") else "")
    yield Line("source", _source(facts))
    yield Line("bucket", facts["bucket"] or "")
    yield Line("key", facts["key"] or "")
    if kind == "file":
        yield from _file(facts, now)
    yield Line("not shown", _not_shown(facts), "warn")
    yield Line("name", "" if facts["why"] else _names(facts["names"], facts, now))
    if kind == "directory":
        yield Line("listing", _names(facts["listing"], facts, now))
    if kind == "file":
        yield Line("cached", _cached(facts))
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
        yield Line("storage", f"{stored}: {meaning}" if meaning else stored, "bad" if stored in _ARCHIVES else "")


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
    parts = [f"{_percent(held[place], n)} {words}" for place, words in (("memory", "in memory"), ("disk", "on disk"))]
    if held["coming"]:
        parts.append(f"{_percent(held['coming'], n)} under way")
    return ", ".join(parts)


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

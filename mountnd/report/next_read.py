"""What a read of a path would do now, foreseen from the facts of `mountnd explain`. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from .figures import size

# What `path_facts.explain` tells, as JSON has it.
Facts = Mapping[str, Any]

# docs.aws.amazon.com/AmazonS3/latest/userguide/storage-class-intro.html: what each means for who reads.
ARCHIVES = {
    "GLACIER": "archived (Flexible Retrieval): cannot be read until its owner has restored it, which takes hours",
    "DEEP_ARCHIVE": "archived (Deep Archive): cannot be read until its owner has restored it, which takes up to 2 days",
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
Outcome = Literal["memory", "disk", "shared", "wait", "fetch", "look-up", "nothing", "fails"]


class NextRead(NamedTuple):
    """What a read would do now.

    Attributes:
        outcome: where the bytes come from: `memory`, `disk`, `shared` (the cache of several nodes),
            `wait` (for a request under way), `fetch`; `look-up`: the
            name is asked for first; `nothing`: there are none to read; `fails`.
        errno: the name of the error that a program would see, "" for none that can be foreseen.
        words: a sentence.
    """

    outcome: Outcome
    errno: str
    words: str


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
    if facts["unreadable"]:
        return _fails("EIO", f"it cannot be shown inflated: {facts['unreadable']}")
    if not facts["size"]:
        return NextRead("nothing", "", "the file is empty: nothing is asked for")
    what = f"bytes {plan['start']:,} to {plan['stop'] - 1:,}"
    if not plan["gets"]:
        if plan.get("shared"):
            return NextRead("shared", "", f"{what} are served from the shared cache, without a request")
        if plan["coming"]:
            return NextRead("wait", "", f"{what} are on their way, by a request that was made before")
        if plan["disk"]:
            return NextRead("disk", "", f"{what} are served from the disk cache, without a request")
        return NextRead("memory", "", f"{what} are served from memory, without a request")
    if facts["offline"]:
        return _fails("EIO", f"of {what} {size(plan['fetched'])} are not cached, and {_OFFLINE}")
    if facts["storage_class"] in ARCHIVES:
        return _fails("EIO", f"{what} are not cached, and the object is {ARCHIVES[facts['storage_class']]}")
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
    places = (("memory", "in memory"), ("disk", "on disk"), ("shared", "in the shared cache"))
    held = [f"{size(plan[place])} {words}" for place, words in places if plan.get(place)]
    return f"; {' and '.join(held)} are there already" if held else ""

"""The words of `mountnd explain`: each kind of path, and that the errnos are those that programs see."""

from __future__ import annotations

import errno
import time
from collections.abc import Mapping
from typing import Any

import pytest

from mountnd import errors
from mountnd.fuse.errnos import errno_of
from mountnd.path_facts import KEYS
from mountnd.report.explanation import STORAGE_CLASSES, lines, pattern
from mountnd.report.next_read import next_read

NOW = time.mktime((2026, 11, 26, 12, 0, 0, 0, 0, -1))
MEMORY = {"told_by": "listing", "held": "memory", "since": "2026-11-26T11:00:00+00:00", "until": None, "believed": True}
PLAN = {
    "start": 0, "stop": 131072, "memory": 0, "coming": 0, "disk": 0, "fetched": 131072, "gets": [131072],
    "seconds": 0.035, "is_measured": True,
}  # fmt: skip
FILE = {
    "kind": "file", "source": "lab", "url": "s3://lab/data", "bucket": "lab", "key": "data/x", "names": MEMORY,
    "etag": '"1"', "size": 1 << 20, "cached": {"memory": 0, "coming": 0, "disk": 0, "any": 0}, "open": [],
    "replaced": False, "gone": False, "offline": False, "timeout": 60.0, "next_read": PLAN,
}  # fmt: skip
FAILURE = {"at": "2026-11-26T11:30:00+00:00", "path": "/x", "message": "it failed", "request_id": "R1"}


def facts(**changes: Any) -> dict[str, Any]:
    told = {**dict.fromkeys(KEYS), **FILE, **changes}
    return {**told, "next_read": {**(told["next_read"] or {}), **next_read(told)._asdict()}}


def plan(**changes: Any) -> dict[str, Any]:
    return {**PLAN, **changes}


def shown(told: Mapping[str, Any]) -> dict[str, str]:
    return {line.label: line.text for line in lines(told, NOW)}


@pytest.mark.parametrize(
    ("changes", "outcome", "name", "words"),
    [
        ({}, "fetch", "", "bytes 0 to 131,071 wait for one GET of 128 KiB to s3://lab/data: some 35 ms, as this"),
        ({"next_read": plan(is_measured=False)}, "fetch", "", "which was not measured yet"),
        ({"next_read": plan(gets=[65536, 10], fetched=65546)}, "fetch", "", "2 GETs of 64.0 KiB together, side"),
        ({"next_read": plan(memory=65536)}, "fetch", "", "; 64 KiB in memory are there already"),
        ({"next_read": plan(gets=[], memory=131072)}, "memory", "", "are served from memory, without a request"),
        ({"next_read": plan(gets=[], disk=131072, memory=1)}, "disk", "", "are served from the disk cache"),
        ({"next_read": plan(gets=[], coming=131072)}, "wait", "", "are on their way"),
        ({"size": 0}, "nothing", "", "the file is empty"),
        ({"gone": True}, "fails", "ESTALE", "the version that programs have open is gone"),
        ({"offline": True}, "fails", "EIO", "128 KiB are not cached, and the mount is offline (--offline)"),
        ({"storage_class": "DEEP_ARCHIVE"}, "fails", "EIO", "cannot be read until its owner has restored it"),
        ({"storage_class": "GLACIER_IR"}, "fetch", "", "one GET"),
        ({"out_of_reach": "no connection"}, "fetch", "", "the read fails within 60 s unless it does now"),
        ({"last_failure": {**FAILURE, "reason": "no credentials"}}, "fails", "EACCES", "the source needs credentials"),
        ({"last_failure": {**FAILURE, "reason": "link expired"}}, "fails", "EACCES", "the signed link has expired"),
        ({"last_failure": {**FAILURE, "reason": "server error"}}, "fetch", "", "one GET"),
        ({"kind": "refused"}, "fails", "EACCES", "the source denied looking the name up"),
        ({"kind": "unknown"}, "look-up", "", "the name is looked up first"),
        ({"kind": "unknown", "offline": True}, "fails", "EIO", "was never looked up"),
        ({"kind": "absent"}, "fails", "ENOENT", "there is no such name"),
        ({"kind": "absent", "names": {**MEMORY, "believed": False}}, "look-up", "", "asked for the name again"),
        ({"kind": "directory", "listing": MEMORY}, "memory", "", "the names are known"),
        ({"kind": "directory", "listing": {**MEMORY, "believed": False}}, "fetch", "", "a request for each thousand"),
        ({"kind": "directory", "listing": {**MEMORY, "believed": False}, "out_of_reach": "no"}, "memory", "", "before"),
        ({"kind": "directory", "listing": {**MEMORY, "believed": False, "told_by": None}, "listing_refused": True},
         "fails", "EACCES", "the source denied listing it"),
        ({"kind": "directory", "listing": {**MEMORY, "believed": False, "told_by": None}, "offline": True},
         "fails", "EIO", "was never listed"),
    ],
)  # fmt: skip
def test_what_a_read_would_do(changes: dict[str, Any], outcome: str, name: str, words: str) -> None:
    told = facts(**changes)["next_read"]
    assert (told["outcome"], told["errno"]) == (outcome, name)
    assert words in told["words"]


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (errors.Forbidden, "EACCES"), (errors.NoCredentials, "EACCES"), (errors.LinkExpired, "EACCES"),
        (errors.Archived, "EIO"), (errors.WrongRegion, "EIO"), (errors.Unreachable, "EIO"),
        (errors.Changed, "ESTALE"), (errors.NotFound, "ENOENT"),
    ],
)  # fmt: skip
def test_the_errnos_are_those_that_programs_see(error: type[errors.StoreError], name: str) -> None:
    assert errno_of(error("x")) == getattr(errno, name)
    changes = {"last_failure": {**FAILURE, "reason": error.reason}}
    told = facts(**changes)["next_read"]
    assert told["errno"] in (name, "")


def test_no_storage_class_that_is_read_at_once_is_called_archived() -> None:
    assert {name for name, meaning in STORAGE_CLASSES.items() if "cannot be read" in meaning} == {
        "GLACIER", "DEEP_ARCHIVE"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("opened", "words"),
    [
        ({"pattern": "unread"}, "not read yet"),
        ({"pattern": "start", "position": 16384}, "only its start is read, up to 16 KiB"),
        ({"pattern": "in order", "position": 1 << 20},
         "read in order, now at 1 MiB of 4 MiB; what follows is fetched ahead"),
        ({"pattern": "in order", "position": 4 << 20}, "read in order, to its end"),
        ({"pattern": "in order", "position": 1, "places": 3},
         "read in order in 3 places, now at 1 B of 4 MiB; what follows is fetched ahead"),
        ({"pattern": "strides", "distance": -65536, "length": 4096},
         "read in steps of 64 KiB backwards, 4 KiB each; fetched ahead"),
        ({"pattern": "random", "position": 4096},
         "read here and there, now at 4 KiB: nothing can be fetched ahead, so what is not cached waits for a request"),
    ],
)  # fmt: skip
def test_how_it_is_read(opened: dict[str, Any], words: str) -> None:
    whole = {"position": 0, "distance": 0, "length": 0, "places": 1, "bytes_read": 0, **opened}
    assert pattern(whole, 4 << 20) == words


def test_open_several_times() -> None:
    one = {"pattern": "unread", "position": 0, "distance": 0, "length": 0, "places": 1, "bytes_read": 0}
    assert shown(facts(open=[one] * 5))["open"] == "5 times: not read yet; not read yet; not read yet; and 2 more"
    assert shown(facts(open=[one]))["open"] == "not read yet"
    assert shown(facts())["open"] == "by nobody now"


def test_shares_are_never_rounded_to_all_or_nothing() -> None:
    held = {"memory": 1, "coming": 0, "disk": (1 << 20) - 1, "any": (1 << 20) - 1}
    assert shown(facts(cached=held))["cached"] == "1 % (1 B) in memory, 99 % (1024.0 KiB) on disk"
    held = {"memory": 0, "coming": 65536, "disk": 1 << 20, "any": 1 << 20}
    assert shown(facts(cached=held))["cached"] == "0 % in memory, 100 % (1 MiB) on disk, 6 % (64 KiB) under way"
    assert shown(facts())["cached"] == "nothing of it"


def test_names_say_since_when_and_until_when() -> None:
    told = shown(facts())["name"]
    assert "from a listing of its directory, in memory; believed until `mountnd refresh`" in told
    until = "2100-01-01T00:00:00+00:00"
    told = shown(facts(names={**MEMORY, "held": "disk", "told_by": "look-up", "until": until}))["name"]
    assert "from a look-up of it alone, kept on disk; believed for " in told
    told = shown(facts(names={**MEMORY, "since": None, "believed": False}))["name"]
    assert told.startswith("known of unknown age") and "too old to be believed" in told
    told = shown(facts(names={**MEMORY, "believed": False}, offline=True))["name"]
    assert "believed as long as the source is out of reach" in told
    assert shown(facts(names={**MEMORY, "told_by": "lockfile"}))["name"].startswith("from the lockfile")


def test_the_last_failure_is_that_of_the_path_or_of_its_source() -> None:
    failure = {**FAILURE, "reason": "server error"}
    assert shown(facts(last_failure=failure, last_failure_of_source=failure))["last failure"].startswith(
        "it failed [request R1], 2026-11-26"
    )
    assert shown(facts(last_failure_of_source=failure))["last failure"].startswith(
        "none here; in this source, of /x: it failed [request R1]"
    )


@pytest.mark.parametrize("kind", ["file", "directory", "absent", "refused", "unknown"])
def test_every_kind_has_its_lines(kind: str) -> None:
    told = facts(kind=kind, listing=MEMORY)
    assert {"what", "source", "key", "next ls" if kind == "directory" else "next read"} <= set(shown(told))
    assert (
        shown(facts(kind="unknown", asking_failed="no connection"))["what"] == "not known: asking failed: no connection"
    )
    assert next_read(told).words

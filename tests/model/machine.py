"""Random programs against the reference model: whatever happens, what is shown is allowed (`oracle.py`)."""

from __future__ import annotations

import logging
import os
import time
from errno import EISDIR
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from .bodies import FIRST, SIZES, body, brief
from .keys import keys
from .oracle import DIRECTORY, File, Oracle, Pin, Refusal
from .paths import draw_path, outcome_of, raw
from .reference import showable
from .worlds import World, open_file

CHANGES = ["created", "same size", "other size", "deleted", "as before", "same bytes"]


class Machine(RuleBasedStateMachine):
    """One bucket, one mount. A subclass says which (`make`)."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, File] = {}
        self.number = 0
        self.recent: list[str] = []
        self.open: dict[int, tuple[bytes, Pin]] = {}
        self.closed: list[tuple[float, Pin]] = []
        logging.getLogger("mountnd").setLevel(logging.CRITICAL)

    def make(self, **draws: Any) -> World:
        """The world of this machine."""
        raise NotImplementedError

    @initialize(
        sizes=st.dictionaries(keys, st.integers(0, 1), min_size=2, max_size=8),
        page=st.sampled_from([1, 2, 7, 1000]),
        flat=st.booleans(),
        root=st.sampled_from(["", "", "a/"]),
        kept=st.booleans(),
    )
    def begin(self, sizes: dict[str, int], page: int, flat: bool, root: str, kept: bool) -> None:
        self.files = {key: self.new(key, [0, 5000][size]) for key, size in sizes.items() if self.takes(key)}
        self.root = root
        self.world = self.make(page=page, flat=flat, kept=kept)
        self.oracle = Oracle(self.files, root, self.world.ttl, self.world.lag)

    def takes(self, key: str) -> bool:
        return True  # every key

    def new(self, key: str, size: int) -> File:
        self.number += 1
        return File(body(key, self.number, size), FIRST + self.number)

    # -- the bucket

    def set(self, key: str, file: File | None) -> None:
        if file is None:
            self.files.pop(key, None)
        else:
            self.files[key] = file
        self.recent = [*self.recent[-2:], key]
        self.world.set(key, file)
        self.oracle.change(self.world.now(), self.files)

    @rule(data=st.data(), how=st.sampled_from(CHANGES))
    def change(self, data: st.DataObject, how: str) -> None:
        """One object; where files are open, often one of them."""
        opened = [pin.key for _, pin in self.open.values() if pin.key in self.files]
        if how == "created" or not self.files:
            key = data.draw(keys)
            if self.takes(key):
                self.set(key, self.new(key, data.draw(st.sampled_from(SIZES))))
            return
        key = data.draw(st.sampled_from(opened or sorted(self.files)))
        if data.draw(st.booleans()):
            self.look_around(key)  # so that what was is known
        old = self.files[key]
        size = len(old.body) if how == "same size" else data.draw(st.sampled_from(SIZES))
        self.set(key, None if how == "deleted" else self.new(key, size))
        if how == "as before":
            self.set(key, old)
        elif how == "same bytes":
            self.set(key, File(old.body, self.new(key, 0).mtime))
        for handle in [handle for handle, (_, pin) in self.open.items() if pin.key == key][:1]:
            self.check_read(handle, data, mapped=False)

    @rule(data=st.data(), kind=st.sampled_from(["get", "list", "give back", "give back with other keys"]))
    def permit(self, data: st.DataObject, kind: str) -> None:
        """Refuse a key or the listings of a directory, or allow all again."""
        if kind.startswith("give"):
            now = self.world.now()
            self.oracle.refusals = [r._replace(until=min(r.until, now)) for r in self.oracle.refusals]
            self.world.refuse([])
            if kind != "give back":
                self.world.rotate_keys()
            return
        directories = list(self.oracle.moments(self.world.now())[-1][2].directories())
        pool = sorted(self.files) if kind == "get" else directories
        if pool:
            self.oracle.refusals.append(Refusal(kind, data.draw(st.sampled_from(pool))))
            self.world.refuse([r for r in self.oracle.refusals if r.until == float("inf")])

    # -- time, and the mount

    @rule(part=st.sampled_from([0.3, 1.05, 1.05]))
    def pass_time(self, part: float) -> None:
        self.world.wait((self.world.ttl + self.world.lag) * part)
        if self.recent:
            self.look_around(self.recent[-1])

    @rule(kill=st.booleans())
    def restart(self, kill: bool) -> None:
        for handle in list(self.open):
            self.close_one(handle)
        self.world.restart(kill=kill)
        if kill:
            self.oracle.refreshed.clear()  # that they were believed no longer may not have been written yet

    @rule(data=st.data())
    def refresh(self, data: st.DataObject) -> None:
        path = self.draw_path(data)
        outcome = outcome_of(lambda: DIRECTORY if self.world.door.stat(raw(path)).is_dir else "a file")
        try:
            self.world.refresh(raw(path))
        except OSError:
            return
        key = self.root + "".join(name + "/" for name in path)
        if outcome == DIRECTORY or not path:
            self.oracle.refreshed.append((key, self.world.now()))
        for key in self.recent[-1:]:
            self.look_around(key)

    # -- programs

    @rule(data=st.data())
    def look(self, data: st.DataObject) -> None:
        self.check_look(self.draw_path(data))

    def look_around(self, key: str) -> None:
        """At a key, and its directory."""
        path = key[len(self.root) :].rstrip("/").split("/") if key.startswith(self.root) else []
        if all(map(showable, path)):
            self.check_look(path)
            self.check_list(path[:-1])

    def check_look(self, path: list[str]) -> None:
        """What stat says of a path is allowed."""
        now = self.world.now()
        allowed = self.oracle.look_up(now, path)
        outcome = outcome_of(lambda: self.world.door.stat(raw(path)))
        if isinstance(outcome, int):
            assert outcome in allowed, (path, os.strerror(outcome), allowed)
        elif outcome.is_dir:
            assert DIRECTORY in allowed, (path, allowed)
        else:
            held = {
                version for pin in self.pins(path, now) for version in pin.versions | self.oracle.replacements(now, pin)
            }
            files = {one for one in allowed | held if isinstance(one, File)}
            told = outcome.size, outcome.mtime_ns // 10**9
            assert told in {(len(file.body), file.mtime) for file in files}, (path, told, brief(files))

    @rule(data=st.data())
    def list_directory(self, data: st.DataObject) -> None:
        self.check_list(self.draw_path(data, whole=True))

    def check_list(self, path: list[str]) -> None:
        """What a directory holds is allowed, name by name."""
        now = self.world.now()
        allowed, directory = self.oracle.look_up(now, path), self.root + "".join(name + "/" for name in path)
        outcome = outcome_of(lambda: self.world.door.rows(raw(path)))
        if isinstance(outcome, int):
            not_one = allowed - {DIRECTORY}
            errnos = {one if isinstance(one, int) else 20 for one in not_one} | self.oracle.may_fail_to_list(
                now, directory
            )
            assert outcome in errnos, (path, os.strerror(outcome), errnos)
            return
        assert DIRECTORY in allowed, (path, brief(allowed))
        shown = {name.decode("utf-8", "surrogateescape"): row.is_dir for name, row in outcome.items()}
        for name in self.oracle.names(now, directory) | set(shown):
            what = self.oracle.what(now, directory, name)
            if name not in shown:
                assert 2 in what, (path, name, "is missing", brief(what))
            else:
                kinds = {one == DIRECTORY for one in what if not isinstance(one, int)}
                assert shown[name] in kinds, (path, name, shown[name], brief(what))

    @rule(data=st.data())
    def open_one(self, data: st.DataObject) -> None:
        path = self.draw_path(data, files=True)
        now = self.world.now()
        allowed = self.oracle.look_up(now, path)
        outcome = outcome_of(lambda: (open_file(self.world.door, raw(path)),))
        key = self.root + "/".join(path)
        if isinstance(outcome, int):
            assert outcome in allowed or (outcome == EISDIR and DIRECTORY in allowed), (path, outcome, brief(allowed))
            return
        handle, pins = outcome[0], self.pins(path, now)
        versions = {one for one in allowed if isinstance(one, File)}
        opened = [pin for where, pin in self.open.values() if where == raw(path)]
        if opened:
            pin = opened[0]
        else:
            since = min([self.oracle.believed(now, key), *(pin.since for pin in pins)])
            pin = Pin(key, versions.union(*(pin.versions for pin in pins)), since)
            pin.given = any(pin.given for pin in pins)
        self.open[handle] = raw(path), pin
        assert versions or opened or pins, (path, "was opened", brief(allowed))
        self.check_attributes(handle)
        if data.draw(st.booleans()):
            self.check_read(handle, data, mapped=False)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def read(self, data: st.DataObject) -> None:
        self.check_read(data.draw(st.sampled_from(sorted(self.open))), data, mapped=False)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def map(self, data: st.DataObject) -> None:
        self.check_read(data.draw(st.sampled_from(sorted(self.open))), data, mapped=True)

    def check_read(self, handle: int, data: st.DataObject, *, mapped: bool) -> None:
        """A part of an open file is that of one of the versions it may be, and of no other from then on."""
        path, pin = self.open[handle]
        size = max(len(version.body) for version in pin.versions)
        offset = data.draw(st.sampled_from([0, 1, size // 2, max(0, size - 7), size]))
        length = data.draw(st.sampled_from([1, 100, 4096, 300_000]))
        call = (lambda: self.world.map(path, handle, length, offset)) if mapped else None
        outcome = outcome_of(call or (lambda: self.world.door.pread(handle, length, offset)))
        now = self.world.now()
        versions = pin.versions | self.oracle.replacements(now, pin)
        if isinstance(outcome, int):
            errnos = self.oracle.may_fail_to_read(pin)
            assert outcome in errnos or (mapped and outcome == 5 and errnos), (path, os.strerror(outcome), errnos)
            return
        fits = {version for version in versions if version.body[offset : offset + length] == outcome}
        assert fits, (path, offset, length, outcome[:16], brief(versions))
        pin.versions.clear()
        pin.versions |= fits
        pin.given = pin.given or bool(outcome)
        self.check_attributes(handle)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def close_any(self, data: st.DataObject) -> None:
        self.close_one(data.draw(st.sampled_from(sorted(self.open))))

    # -- within

    def check_attributes(self, handle: int) -> None:
        """Those of an open file are of its version, and say which of several it is."""
        _, pin = self.open[handle]
        for left in reversed(range(50)):  # the kernel is told a moment after the read that moved the handle
            size, mtime_ns = self.world.attributes(handle)
            versions = pin.versions | self.oracle.replacements(self.world.now(), pin)
            fits = {version for version in versions if (len(version.body), version.mtime) == (size, mtime_ns // 10**9)}
            if fits or not left:
                break
            time.sleep(0.1)
        assert fits, (pin.key, size, mtime_ns, brief(versions))
        if not pin.given:
            pin.versions.clear()
            pin.versions |= {version for version in versions if len(version.body) == size}

    def close_one(self, handle: int) -> None:
        self.closed.append((self.world.now(), self.open.pop(handle)[1]))
        self.world.door.close(handle)

    def pins(self, path: list[str], now: float) -> list[Pin]:
        """Of open files at a path, and of those closed so lately that the kernel may not have told yet."""
        key = self.root + "/".join(path)
        closed = [pin for when, pin in self.closed if now - when < self.world.lag]
        return [pin for pin in [*(pin for _, pin in self.open.values()), *closed] if pin.key == key]

    def draw_path(self, data: st.DataObject, *, files: bool = False, whole: bool = False) -> list[str]:
        """A path that is there, or was lately, or never was."""
        trees = [tree for *_, tree in self.oracle.moments(float("-inf"))[-4:]]
        return draw_path(data, trees, self.recent, self.root, files=files, whole=whole)

    def teardown(self) -> None:
        try:
            for handle in list(self.open):
                self.close_one(handle)
        finally:
            if hasattr(self, "world"):
                self.world.end()
            logging.getLogger("mountnd").setLevel(logging.NOTSET)

"""What every store must do. Each kind of store is a class that inherits from `StoreContract` and brings a `World`.

A world holds the provider's side of things: objects are put and deleted there, behind the store's back.
What a kind of store cannot do is said by the attributes of its class, and nowhere else.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Protocol

import pytest

from mountnd.errors import Changed, Forbidden, NotFound, StoreError, TimedOut
from mountnd.stores.base import Deadline, ObjectId, ObjectStat, Store

from .reading import BODY, EDGES, NO_PATHS, ODD_KEYS, keys, listed, read, soon, utf8


class World(Protocol):
    """The provider's side. `store` reads what `put` writes; keys are whole keys of the store."""

    store: Store

    def put(self, key: str, body: bytes) -> None: ...

    def delete(self, key: str) -> None: ...


class StoreContract:
    """Inherit, and define the fixture `world` (a fresh, empty one for each test)."""

    directories = True  # has keys with slashes, and common prefixes
    no_paths = False  # has keys that are no paths (NO_PATHS)
    ordered = True  # lists in the order of UTF-8 bytes, as S3 does
    many = True  # 2,500 objects can be put in a second or two
    odd_keys: Sequence[str] = ODD_KEYS

    @pytest.fixture
    def world(self) -> Iterator[World]:
        raise NotImplementedError

    # names

    def test_lists_objects_and_prefixes(self, world: World) -> None:
        world.put("b.json", b"{}")
        world.put("a.nii", BODY)
        if self.directories:
            world.put("sub-01/anat/T1w.nii.gz", b"1")
            world.put("sub-01/x", b"12")
            world.put("sub-02/y", b"")
        objects, prefixes = listed(world.store, "")
        assert keys(objects) == ["a.nii", "b.json"]
        assert [stat.size for stat in objects] == [len(BODY), 2]
        assert prefixes == (["sub-01/", "sub-02/"] if self.directories else [])
        if self.directories:
            objects, prefixes = listed(world.store, "sub-01/")
            assert keys(objects) == ["sub-01/x"]
            assert prefixes == ["sub-01/anat/"]

    def test_lists_by_the_beginning_of_a_name(self, world: World) -> None:
        for key in ("run-1.tsv", "run-10.tsv", "run-2.tsv", "x.tsv"):
            world.put(key, b"1")
        assert keys(listed(world.store, "run-1")[0]) == ["run-1.tsv", "run-10.tsv"]
        assert keys(listed(world.store, "run-1.tsv")[0]) == ["run-1.tsv"]

    def test_nothing_below_a_prefix_is_an_empty_page(self, world: World) -> None:
        world.put("a", b"1")
        for prefix in ("nothing", "nothing/", "nothing/deeper/"):
            page = world.store.list_page(prefix, deadline=soon())
            assert (page.objects, page.prefixes, page.token) == ([], [], None)

    def test_a_limit_is_kept_and_continued(self, world: World) -> None:
        names = [f"{n:02d}" for n in range(7)]
        for name in names:
            world.put(name, b"1")
        first = world.store.list_page("", limit=3, deadline=soon())
        assert keys(first.objects) == names[:3]
        assert first.token is not None
        assert keys(listed(world.store, "", limit=3)[0]) == names
        assert world.store.list_page("", limit=7, deadline=soon()).token is None

    def test_starts_after_a_key(self, world: World) -> None:
        for key in ("a", "b", "c", "d"):
            world.put(key, b"1")
        assert keys(listed(world.store, "", start_after="b")[0]) == ["c", "d"]
        assert keys(listed(world.store, "", start_after="bb")[0]) == ["c", "d"]
        assert keys(listed(world.store, "", start_after="d")[0]) == []
        assert keys(listed(world.store, "", start_after="a", limit=1)[0]) == ["b", "c", "d"]

    def test_more_than_a_page(self, world: World) -> None:
        if not self.many:
            pytest.skip("too slow to fill here")
        names = [f"flat/{n:04d}" for n in range(1001)]
        for name in names:
            world.put(name, b"")
        objects, prefixes = listed(world.store, "flat/")
        assert keys(objects) == names
        assert prefixes == []

    def test_more_than_a_page_of_prefixes(self, world: World) -> None:
        if not (self.many and self.directories):
            pytest.skip("too slow to fill, or no directories, here")
        for n in range(1001):
            world.put(f"sub-{n:04d}/x", b"")
        objects, prefixes = listed(world.store, "")
        assert objects == []
        assert prefixes == [f"sub-{n:04d}/" for n in range(1001)]

    def test_lists_flat(self, world: World) -> None:
        if not (self.directories and world.store.flat):
            pytest.skip("cannot list flat")
        names = sorted(["a/b/c", "a/b/d", "a.b", "a/é", "z", "a/b0"], key=utf8)
        for name in names:
            world.put(name, b"1")
        objects, prefixes = listed(world.store, "", delimiter="")
        assert sorted(keys(objects), key=utf8) == names
        assert keys(objects) == names or not self.ordered
        assert prefixes == []
        assert keys(listed(world.store, "a/b", delimiter="", limit=2)[0]) == ["a/b/c", "a/b/d", "a/b0"]

    def test_order_is_that_of_utf8(self, world: World) -> None:
        # UTF-16 order would put the emoji before U+FF21.
        for key in ("\U0001f9e0", "\uff21", "z", "Z", "é"):
            world.put(key, b"1")
        assert keys(listed(world.store, "")[0]) == ["Z", "z", "é", "\uff21", "\U0001f9e0"]

    def test_head_agrees_with_the_listing(self, world: World) -> None:
        world.put("a", BODY)
        world.put("empty", b"")
        for stat in listed(world.store, "")[0]:
            assert world.store.head(stat.id.key, deadline=soon()) == stat
            assert stat.mtime_ns > 0
            assert stat.id.source == world.store.source

    def test_missing_is_not_found(self, world: World) -> None:
        world.put("here", b"1")
        (here,), _ = listed(world.store, "")
        with pytest.raises(NotFound):
            world.store.head("gone", deadline=soon())
        with pytest.raises(NotFound):
            read(world.store, here.id._replace(key="gone"), 0, 1)

    def test_odd_keys_are_listed_and_read_exactly(self, world: World) -> None:
        wanted = [*self.odd_keys, *(NO_PATHS if self.no_paths else ())]
        for key in wanted:
            world.put(key, b"body of " + utf8(key))
        found: dict[str, ObjectStat] = {}
        todo = [""]
        while todo:
            objects, prefixes = listed(world.store, todo.pop())
            found.update((stat.id.key, stat) for stat in objects)
            todo += prefixes
        assert sorted(found) == sorted(wanted)
        for key, stat in found.items():
            assert read(world.store, stat.id, 0, stat.size) == b"body of " + utf8(key)
            assert world.store.head(key, deadline=soon()) == stat

    # bytes

    def test_reads_whole_and_in_part(self, world: World) -> None:
        world.put("k", BODY)
        (stat,), _ = listed(world.store, "")
        assert read(world.store, stat.id, 0, len(BODY)) == BODY
        assert read(world.store, stat.id, len(BODY) - 1, 1) == BODY[-1:]

    def test_fills_scattered_views_at_every_edge(self, world: World) -> None:
        world.put("k", BODY)
        (stat,), _ = listed(world.store, "")
        for start in EDGES:
            for stop in EDGES:
                if start < stop:
                    cut = (stop - start) // 2
                    lengths = [length for length in (1, cut - 1, stop - start - cut) if length > 0]
                    lengths[-1] += stop - start - sum(lengths)
                    assert read(world.store, stat.id, start, *lengths) == BODY[start:stop], (start, stop)

    def test_no_views_ask_nothing(self, world: World) -> None:
        world.put("k", b"")
        (stat,), _ = listed(world.store, "")
        assert stat.size == 0
        world.store.read(stat.id, 0, [], deadline=soon())

    def test_past_the_end_is_an_error_and_no_bytes(self, world: World) -> None:
        world.put("k", b"0123456789")
        (stat,), _ = listed(world.store, "")
        for start, length in ((5, 10), (10, 1), (1000, 5)):
            with pytest.raises(StoreError):
                read(world.store, stat.id, start, length)

    @pytest.mark.parametrize("other", [b"B" * 1000, b"C" * 1500, b"D" * 500, b""])
    def test_a_replaced_object_gives_no_mixed_bytes(self, world: World, other: bytes) -> None:
        world.put("k", b"A" * 1000)
        (old,), _ = listed(world.store, "")
        assert read(world.store, old.id, 0, 400) == b"A" * 400
        world.put("k", other)
        with pytest.raises(Changed):
            read(world.store, old.id, 0, 400)
        (new,), _ = listed(world.store, "")
        assert new.id != old.id
        assert read(world.store, new.id, 0, *([len(other)] if other else [])) == other

    def test_a_deleted_object_is_not_found(self, world: World) -> None:
        world.put("k", BODY)
        (stat,), _ = listed(world.store, "")
        world.delete("k")
        with pytest.raises(NotFound):
            read(world.store, stat.id, 0, 10)
        with pytest.raises(NotFound):
            world.store.head("k", deadline=soon())
        assert listed(world.store, "") == ([], [])

    def test_many_threads_read_at_once(self, world: World) -> None:
        world.put("k", BODY)
        (stat,), _ = listed(world.store, "")
        wrong: list[object] = []

        def reader(seed: int) -> None:
            dice = random.Random(seed)
            for _ in range(20):
                start = dice.randrange(len(BODY))
                length = dice.randint(1, len(BODY) - start)
                try:
                    if read(world.store, stat.id, start, length) != BODY[start : start + length]:
                        wrong.append((start, length))
                except Exception as error:
                    wrong.append(error)

        threads = [threading.Thread(target=reader, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert wrong == []

    # time, and the end

    def test_no_time_left_is_timed_out(self, world: World) -> None:
        world.put("k", BODY)
        (stat,), _ = listed(world.store, "")
        over = Deadline(0)
        for ask in (
            lambda: world.store.list_page("", deadline=over),
            lambda: world.store.head("k", deadline=over),
            lambda: world.store.read(stat.id, 0, [memoryview(bytearray(5))], deadline=over),
        ):
            with pytest.raises(TimedOut):
                ask()

    def test_closing_twice_is_fine(self, world: World) -> None:
        world.put("k", BODY)
        listed(world.store, "")
        world.store.close()
        world.store.close()
        with suppress(StoreError):
            world.store.list_page("", deadline=soon())


class ForbiddenContract:
    """For worlds with something that may not be read: define the fixture `forbidden`: (store, id of it)."""

    @pytest.fixture
    def forbidden(self) -> Iterator[tuple[Store, ObjectId]]:
        raise NotImplementedError

    def test_what_may_not_be_read_is_forbidden(self, forbidden: tuple[Store, ObjectId]) -> None:
        store, id = forbidden
        with pytest.raises(Forbidden):
            store.head(id.key, deadline=soon())
        with pytest.raises(Forbidden):
            read(store, id, 0, 1)

"""The catalogue as policies see it, against directories made of the same names."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mountnd.catalog.catalogue import Catalogue
from mountnd.catalog.model.entry import Entry
from mountnd.stats import Stats
from mountnd.stores.memory import MemoryStore
from mountnd.vfs.prefetch.known_files import DECODED_NAMES, SMALL_DIRECTORY, SORTED, CatalogueFiles
from mountnd.vfs.prefetch.names import Path
from mountnd.vfs.prefetch.orders import Sorting
from mountnd.workers import Waiter, Workers

from .trees import Tree, parts, study

SALT = b"a source"
FILES = [*study(3, sessions=2), *(f"many/img{n}.dcm" for n in range(1200)), "many.txt", "many/sub/ä", "many-/z"]


class Source:
    """A catalogue of these files; `list` makes a directory known."""

    def __init__(self, files: Sequence[str]) -> None:
        self.store = MemoryStore({key: b"x" * (len(key) % 7 + 1) for key in files})
        self.workers = Workers(2, "names")
        self.catalogue = Catalogue(
            self.store, ttl=3600, workers=self.workers, waiter=Waiter(), timeout=20, stats=Stats()
        )
        self.files = CatalogueFiles(self.catalogue, SALT, (), lambda path, size: size)

    def list(self, path: Path) -> None:
        for _ in self.catalogue.scan(self.entry(path)).read(0):
            pass
        self.files.expire()

    def entry(self, path: Path) -> Entry:
        return Entry(b"-", self.catalogue.root.key + "".join(f"{name}/" for name in path), True, None)


@pytest.fixture(scope="module")
def source() -> Source:
    found = Source(FILES)
    for place in {path[:i] for path in map(parts, FILES) for i in range(len(path))}:
        found.list(place)
    found.workers.close()
    return found


@pytest.mark.parametrize("path", ["", "many", "sub-001/ses-0/func", "many/sub"])
def test_a_directory(source: Source, path: str) -> None:
    place = parts(path) if path else ()
    expect = Tree({key: len(key) % 7 + 1 for key in FILES}, salt=SALT).directory(place)
    found = source.files.directory(place)
    assert found is not None and expect is not None
    everything = list(expect.children())
    assert len(found) == len(expect) == len(everything)
    assert list(found.children()) == everything
    for n, child in enumerate(everything):
        assert found.child(n) == child
        assert found.position(child.name, child.is_dir) == n
        if n % 50 == 0:
            assert list(found.children(n)) == everything[n:]
    assert list(found.children(len(found))) == []
    for sorting in (Sorting.NUMBER, Sorting.NATURAL):
        assert list(found.sorted_by(sorting)) == list(expect.sorted_by(sorting))


@pytest.mark.parametrize("name", ["", "img5", "img50.dcm5", "sub", "zzz"])
def test_the_place_of_a_name_that_is_not_there(source: Source, name: str) -> None:
    expect = Tree(FILES).directory(("many",))
    found = source.files.directory(("many",))
    assert found is not None and expect is not None
    for is_dir in (False, True):
        assert found.position(name, is_dir) == expect.position(name, is_dir)


def test_a_directory_is_sorted_once_until_it_is_listed_again() -> None:
    source = Source(["d/b1", "d/b10", "d/b9"])
    source.list(("d",))

    def ranks() -> Sequence[int]:
        source.files.expire()
        found = source.files.directory(("d",))
        assert found is not None
        return found.sorted_by(Sorting.NATURAL)

    first = ranks()
    assert list(first) == [0, 2, 1] and ranks() is first
    source.store.put("d/a2", b"x")
    source.catalogue.refresh("d/")
    source.list(("d",))
    assert list(ranks()) == [0, 1, 3, 2]
    source.workers.close()


def test_only_so_many_sorted_directories_are_kept() -> None:
    names = SMALL_DIRECTORY + 1
    source = Source([f"{n:03d}/{name:03d}" for n in range(2 * SORTED) for name in range(names)])
    for n in range(2 * SORTED):
        source.list((f"{n:03d}",))
        found = source.files.directory((f"{n:03d}",))
        assert found is not None and sorted(found.sorted_by(Sorting.NUMBER)) == list(range(names))
    assert len(source.files._memory.orders) == SORTED
    source.workers.close()


def test_small_directories_stay_decoded_until_they_change_and_only_so_many() -> None:
    directories = DECODED_NAMES // SMALL_DIRECTORY + 4
    source = Source([f"{n:03d}/{name:03d}" for n in range(directories) for name in range(SMALL_DIRECTORY)])
    source.list(("000",))
    first = source.files.directory(("000",))
    source.files.expire()
    assert first is not None and source.files.directory(("000",)) is first
    source.store.put("000/1", b"x")
    source.catalogue.refresh("000/")
    source.list(("000",))
    source.files.expire()
    again = source.files.directory(("000",))
    assert again is not None and len(again) == SMALL_DIRECTORY + 1 and again.child(again.position("1", False)).size == 1
    for n in range(directories):
        source.list((f"{n:03d}",))
        source.files.directory((f"{n:03d}",))
    assert sum(map(len, source.files._memory.decoded.values())) <= DECODED_NAMES
    source.workers.close()

"""`KnownFiles` made of paths and sizes, for the policies of readahead across files, and data sets to walk over."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from mountnd.vfs.inodes import inode_numbers
from mountnd.vfs.prefetch.habits import Habits
from mountnd.vfs.prefetch.names import Path
from mountnd.vfs.prefetch.orders import Child, Sorting, natural
from mountnd.vfs.prefetch.policy import Neighbour, Neighbourhood


def parts(text: str) -> Path:
    return tuple(text.split("/"))


class Listed:
    """A `Directory` that is all there.

    Args:
        salt: what its inode numbers are made with.
    """

    def __init__(self, children: Iterable[Child], place: Path = (), salt: bytes = b"") -> None:
        self._children = sorted(children, key=lambda c: _listed(c.name, c.is_dir))
        self._names = [_listed(c.name, c.is_dir) for c in self._children]
        self._number_of = inode_numbers(salt, "".join(name + "/" for name in place))
        self._sorted: dict[Sorting, list[int]] = {}

    def __len__(self) -> int:
        return len(self._children)

    def position(self, name: str, is_dir: bool) -> int:
        return bisect_left(self._names, _listed(name, is_dir))

    def children(self, start: int = 0) -> Iterator[Child]:
        return islice(self._children, start, None)

    def child(self, i: int) -> Child:
        return self._children[i]

    def sorted_by(self, sorting: Sorting) -> Sequence[int]:
        if sorting not in self._sorted:
            numbers = [self._number_of(name) for name in self._names]
            names = [natural(c.name) for c in self._children]
            rank = {Sorting.NUMBER: numbers, Sorting.NATURAL: names}[sorting]
            self._sorted[sorting] = sorted(range(len(self)), key=rank.__getitem__)
        return self._sorted[sorting]


def _listed(name: str, is_dir: bool) -> bytes:
    return (name + "/" * is_dir).encode("utf-8", "surrogateescape")


class Tree:
    """The `KnownFiles` of a set of paths.

    Args:
        salt: what inode numbers are made with.

    Attributes:
        unknown: directories that are not known.
        listings: directories in the order in which they were listed.
        asked: how often directories were asked for.
        coming: files that are predicted by another policy.
        habits: what is read of files; small ones, up to 256 KiB, are read whole.
    """

    def __init__(self, paths: Sequence[str] | Mapping[str, int], coming: Iterable[str] = (), salt: bytes = b"") -> None:
        self.coming = {parts(text) for text in coming}
        self.unknown: set[Path] = set()
        self.listings: list[Path] = []
        self.asked = 0
        self._salt = salt
        self.habits = Habits(lambda: 256 << 10)
        self.hold(paths)

    def hold(self, paths: Sequence[str] | Mapping[str, int]) -> None:
        """From now on it consists of these."""
        sizes = dict(paths) if isinstance(paths, Mapping) else dict.fromkeys(paths, 1000)
        self.sizes = {parts(text): size for text, size in sizes.items()}
        found: dict[Path, dict[str, Child]] = {(): {}}
        for path, size in self.sizes.items():
            for i, name in enumerate(path):
                is_dir = i < len(path) - 1
                found.setdefault(path[:i], {})[name] = Child(name, is_dir, 0 if is_dir else size)
        self._directories = {path: Listed(children.values(), path, self._salt) for path, children in found.items()}

    def directory(self, path: Path) -> Listed | None:
        self.asked += 1
        return None if path in self.unknown else self._directories.get(path)

    def listed_after(self, path: Path) -> Iterator[Path]:
        start = self.listings.index(path) + 1 if path in self.listings else len(self.listings)
        return islice(self.listings, start, None)

    def wanted(self, path: Path, size: int) -> int:
        return self.habits.wanted(path, size)

    def predicted(self, path: Path) -> bool:
        return path in self.coming

    def neighbours(self, path: Path, reach: int) -> Neighbourhood | None:
        directory = self.directory(path[:-1])
        if directory is None:
            return None
        at = directory.position(path[-1], False)
        near = [(i - at, c) for i, c in enumerate(directory.children()) if 0 < abs(i - at) <= reach]
        return Neighbourhood(len(directory), [Neighbour(c.name, c.size, n) for n, c in near if not c.is_dir])


def bids(subjects: int, sessions: int = 3, runs: int = 2) -> list[str]:
    """Functional runs, an image and a sidecar each."""
    return [
        f"sub-{s:03d}/ses-{e}/func/sub-{s:03d}_ses-{e}_task-rest_run-{r}_bold.{x}"
        for s in range(subjects)
        for e in range(sessions)
        for r in range(runs)
        for x in ("json", "nii.gz")
    ]


def study(subjects: int, sessions: int = 1) -> dict[str, int]:
    """Path -> size of a BIDS study: anat with one image, dwi with one, func with two tasks and five sidecars."""
    files = {"dataset_description.json": 300, "participants.tsv": 4000, "participants.json": 500, "README": 2000}
    for s in range(subjects):
        for e in range(sessions):
            stem = f"sub-{s:03d}_ses-{e}"
            place = f"sub-{s:03d}/ses-{e}"
            files |= {f"{place}/anat/{stem}_T1w.{x}": n for x, n in (("json", 900), ("nii", 8_544))}
            for x, n in (("bval", 200), ("bvec", 900), ("json", 1500), ("nii.gz", 50 << 20)):
                files[f"{place}/dwi/{stem}_dwi.{x}"] = n
            for task in ("nback", "rest"):
                for x, n in (("bold.json", 2000), ("bold.nii.gz", 90 << 20), ("events.tsv", 5000)):
                    files[f"{place}/func/{stem}_task-{task}_{x}"] = n
            files[f"{place}/func/{stem}_physio.tsv"] = 4000
    return files

"""`KnownFiles` made of paths and sizes, for the policies of readahead across files, and data sets to walk over."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence

from mountnd.vfs.prefetch.pattern import ChildName, Path
from mountnd.vfs.prefetch.policy import Neighbour, Neighbourhood


def parts(text: str) -> Path:
    return tuple(text.split("/"))


class Sorted:
    """`ChildNames` that are all there."""

    def __init__(self, names: Iterable[ChildName]) -> None:
        self._names = sorted(names, key=ChildName.order)

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, i: int) -> ChildName:
        return self._names[i]

    def position(self, name: ChildName) -> int:
        return bisect_left(self._names, name.order(), key=ChildName.order)


class Tree:
    """The `KnownFiles` of a set of paths.

    Attributes:
        unknown: directories that are not known.
        asked: how often names were asked for.
        coming: files that are predicted by another policy.
    """

    def __init__(self, paths: Sequence[str] | Mapping[str, int], coming: Iterable[str] = ()) -> None:
        self.coming = {parts(text) for text in coming}
        self.unknown: set[Path] = set()
        self.asked = 0
        self.hold(paths)

    def hold(self, paths: Sequence[str] | Mapping[str, int]) -> None:
        """From now on it consists of these."""
        sizes = dict(paths) if isinstance(paths, Mapping) else dict.fromkeys(paths, 1000)
        self.sizes = {parts(text): size for text, size in sizes.items()}
        found: dict[Path, dict[str, bool]] = {(): {}}
        for path in self.sizes:
            for i in range(len(path)):
                found.setdefault(path[:i], {})[path[i]] = i < len(path) - 1
        self._names = {path: Sorted(ChildName(n, d) for n, d in names.items()) for path, names in found.items()}

    def names(self, path: Path) -> Sorted | None:
        self.asked += 1
        return None if path in self.unknown else self._names.get(path)

    def predicted(self, path: Path) -> bool:
        return path in self.coming

    def neighbours(self, path: Path, reach: int) -> Neighbourhood | None:
        names = self.names(path[:-1])
        if names is None:
            return None
        at = names.position(ChildName(path[-1], False))
        near = [i for i in range(max(0, at - reach), min(len(names), at + reach + 1)) if i != at]
        files = [names[i].text for i in near if not names[i].is_dir]
        places = [i - at for i in near if not names[i].is_dir]
        found = [Neighbour(f, self.sizes[*path[:-1], f], n) for f, n in zip(files, places, strict=True)]
        return Neighbourhood(len(names), found)


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

"""From the words that a person types to sources: a preset, a name of the config file, or a URL."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import ConfigError, UsageError
from . import lockfiles, presets
from .file import ConfigFile, MountEntry
from .lockfiles import NamedLockfile
from .option_types import named
from .parsers import did_you_mean, is_bucket
from .pasted import Pasted, read_pasted
from .presets import Preset
from .snapshot_names import LATEST, SnapshotName, split_snapshot
from .source_urls import SchemeNames, check_url, last_component


@dataclass(frozen=True, slots=True)
class ParsedSource:
    """The source that a word stands for.

    Attributes:
        name: what the source is called in this mount.
        url: "" for a dataset of signed links.
        entry: its name in the config file, "" when it is not from there.
        pasted: what was pasted, where that was a page, a DOI, an ARN or another shape of URL.
        snapshot: the snapshot that is meant; `url` is that of its data set, or of a directory in it.
        lockfile: the lockfile that its objects stand in.
    """

    name: str
    url: str
    preset: Preset | None = None
    entry: str = ""
    pasted: Pasted | None = None
    snapshot: SnapshotName | None = None
    lockfile: NamedLockfile | None = None

    @property
    def label(self) -> str:
        """What to call it in a message."""
        return self.url or self.name

    @property
    def is_s3(self) -> bool:
        return self.url.startswith("s3://")


def split_words(words: Sequence[str], file: ConfigFile, cwd: Path) -> tuple[tuple[str, ...], Path]:
    """`[SOURCE...] MOUNTPOINT` -> the sources' words (none when only a mountpoint was given) and the mountpoint.

    Raises UsageError with the commands that the person may have wanted.
    """
    if not words:
        raise UsageError("the mountpoint is missing: mountnd [SOURCE] MOUNTPOINT, for example: mountnd ~/openneuro")
    *sources, last = words
    if not last:
        raise UsageError("the mountpoint is empty")
    shown = " ".join(shlex.quote(word) for word in words)
    if "://" in last or (read_pasted(last) and ("/" in last or ":" in last) and not (cwd / last).is_dir()):
        if len(words) == 2 and not _names_source(words[0], file):
            raise UsageError(f"the source goes before the mountpoint: mountnd {shlex.join([last, words[0]])}")
        raise UsageError(f"the mountpoint is missing: mountnd {shown} DIR")
    # Others are not looked at: a mount that hangs may lie there.
    if lockfiles.is_named_so(last) and (cwd / last).is_file() and lockfiles.find(last, cwd) is not None:
        raise UsageError(f"{last} is a lockfile; the mountpoint is missing: mountnd {shown} DIR")
    if "/" not in last and len(words) != 2 and _names_source(last, file) and not (sources and (cwd / last).is_dir()):
        what = "a source of the config file" if last in file.sources else "a preset"
        if read_pasted(last):
            what = "a data set of OpenNeuro"
        raise UsageError(
            f"{last} is {what}; the mountpoint is missing: `mountnd {shown} DIR` mounts it at DIR"
            + ("" if sources else f", `mountnd ./{last}` at the directory {last} here")
        )
    return tuple(sources), Path(os.path.abspath(cwd / last))


def _names_source(word: str, file: ConfigFile) -> bool:
    return "://" in word or word in file.sources or presets.find(word) is not None or read_pasted(word) is not None


def entry_for(mountpoint: Path, file: ConfigFile) -> MountEntry | None:
    """The config file's [mounts] entry for this mountpoint, also when its parent is reached by a symbolic link."""
    if mountpoint in file.mounts:
        return file.mounts[mountpoint]
    resolved = _parent_resolved(mountpoint)
    return next((entry for where, entry in file.mounts.items() if _parent_resolved(where) == resolved), None)


def _parent_resolved(path: Path) -> Path:
    # The parent only: a stale mount at the path itself would answer with an error, or not at all.
    return Path(os.path.realpath(path.parent)) / path.name


class SourceParser:
    """Finds the source that a word stands for.

    Args:
        cwd: where relative `file://` URLs start from.
        store_schemes: URL schemes of our own stores; called only for a scheme that is neither in `SCHEMES` nor known
            to fsspec.
        snapshots: the address of a service of snapshots was typed, so that URLs of buckets have some, too.
    """

    def __init__(
        self, file: ConfigFile, cwd: Path, store_schemes: SchemeNames = tuple, *, snapshots: bool = False
    ) -> None:
        self._file, self._cwd, self._store_schemes, self._snapshots = file, cwd, store_schemes, snapshots

    def parse(self, word: str) -> ParsedSource:
        """The source that `word` names: one of the config file, a preset, one of these with a path below it, a URL.

        Raises UsageError with similar names.
        """
        word = word.removeprefix("mountnd://")  # as Python programs have it
        if not word.strip():
            raise UsageError("the source is empty: write a preset, s3://BUCKET/PREFIX or another URL")
        if not self._knows(word) and (pasted := read_pasted(word)):
            return replace(self.parse(pasted.word), pasted=pasted)
        if "://" in word:
            source = ParsedSource(last_component(word), check_url(word, self._cwd, self._store_schemes))
            return _with_snapshot(source) if self._snapshots and source.is_s3 else source
        head, slash, below = word.partition("/")
        if not self._knows(head) and (lockfile := lockfiles.find(word, self._cwd)):
            return self._locked(lockfile)
        if self._knows(head):
            source = self._named(head)
            if not below.strip("/"):
                return source
            if not source.url:
                raise UsageError(f"{word}: {head} is a list of signed links and has no {below}")
            if self._has_snapshots(source) and (snapshot := split_snapshot(below, head)) is not None:
                url = f"{source.url.rstrip('/')}/{snapshot.dataset}/{snapshot.below}".rstrip("/")
                name = last_component(below)
                return ParsedSource(name, url, source.preset, source.entry, snapshot=snapshot)
            url = f"{source.url.rstrip('/')}/{below}"
            return ParsedSource(last_component(below), url, source.preset, source.entry)
        name, at, tag = head.partition("@")
        if at and self._knows(name) and self._has_snapshots(source := self._named(name)):
            if (dataset := self._dataset_of(source)) is None:
                raise UsageError(f"{word}: each data set has snapshots of its own: {name}/ds000001@{tag or '1.0.2'}")
            snapshot = split_snapshot(f"{dataset.dataset}@{tag}/{dataset.below}/{below}", name)
            assert snapshot is not None
            top = source.url.rstrip("/").removesuffix(f"/{dataset.below}")
            url = f"{top}/{snapshot.below}".rstrip("/")
            return ParsedSource(last_component(word), url, source.preset, source.entry, snapshot=snapshot)
        if slash or (self._cwd / word).exists():
            path = os.path.abspath(self._cwd / word)
            bucket = word if is_bucket(head) and not (self._cwd / word).exists() else "BUCKET"
            raise UsageError(
                f"{word} is not a source; for a local directory write file://{path}, for a bucket s3://{bucket}"
            )
        hint = did_you_mean(word, self._known_names())
        if not hint and is_bucket(word):
            hint = f"; for a bucket write s3://{word}"
        raise UsageError(f"{word}: no such source or preset{hint} (`mountnd presets` lists them)")

    def from_mountpoint(self, mountpoint: Path) -> ParsedSource:
        """The source or preset that is called like the mountpoint's last component.

        Raises UsageError with similar names.
        """
        name = mountpoint.name
        if self._knows(name):
            return self._named(name)
        if read_pasted(name):
            return self.parse(name)
        hint = did_you_mean(name, self._known_names())
        raise UsageError(
            f"{mountpoint}: no source or preset is called {name or '/'}{hint or ';'} "
            f"Say what to mount: mountnd SOURCE {mountpoint} (`mountnd presets` lists names)"
        )

    def _locked(self, lockfile: NamedLockfile) -> ParsedSource:
        """The source whose objects stand in a lockfile. Raises ConfigError for one that nobody can read."""
        header = lockfile.header
        try:
            url = check_url(header.source, lockfile.path.parent, self._store_schemes)
        except UsageError as e:
            raise ConfigError(f"{lockfile.path}: source: {e}") from None
        preset = presets.find(header.preset) if header.preset else None
        if preset is not None and not f"{url}/".startswith(f"{preset.url.rstrip('/')}/"):
            preset = None  # its licence and its settings are those of other data
        return ParsedSource(lockfile.name, url, preset, lockfile=lockfile)

    def _knows(self, name: str) -> bool:
        return name in self._file.sources or presets.find(name) is not None

    def _has_snapshots(self, source: ParsedSource) -> bool:
        """Whether an `@` in the name of a data set of it is no letter."""
        entry = self._file.sources.get(source.entry)
        declared = bool(source.preset and source.preset.snapshots) or bool(entry and "snapshots_url" in entry.options)
        return source.is_s3 and source.snapshot is None and (declared or self._snapshots)

    def has_snapshots(self, word: str) -> bool:
        """Whether an `@` in the first name behind `word` is the tag of a snapshot."""
        try:
            return self._has_snapshots(self.parse(word))
        except UsageError:
            return False

    def parse_dataset(self, word: str) -> ParsedSource:
        """As `parse`, for a data set that has snapshots; its newest one is meant where none is named.

        Raises UsageError for a source without snapshots.
        """
        source = self.parse(word)
        if source.snapshot is not None:
            return source
        if not self._has_snapshots(source):
            raise UsageError(
                f"{word}: nobody is known to keep snapshots of it, as OpenNeuro does. What a bucket with versions held "
                "on a day: mountnd lock SOURCE --as-of DATE -o FILE"
            )
        if (dataset := self._dataset_of(source)) is None:
            raise UsageError(f"{word}: each data set has snapshots of its own; name one: {word.rstrip('/')}/ds000001")
        return replace(source, snapshot=dataset)

    def _dataset_of(self, source: ParsedSource) -> SnapshotName | None:
        """The newest snapshot of the data set that a source lies in: the first name below what has snapshots, and the
        last one of a URL that is of nothing known."""
        above = [self._named(source.entry).url] if source.entry else []
        above += [source.preset.url] if source.preset else []
        for base in above:
            if source.url.startswith(f"{base.rstrip('/')}/"):
                dataset, _, below = source.url[len(base.rstrip("/")) + 1 :].rstrip("/").partition("/")
                return SnapshotName(dataset, LATEST, below)
        _, _, path = source.url.removeprefix("s3://").rstrip("/").partition("/")
        return SnapshotName(path.rpartition("/")[2], LATEST) if path and not above else None

    def _known_names(self) -> list[str]:
        return [*self._file.sources, *presets.names()]

    def _named(self, name: str) -> ParsedSource:
        file, entry = self._file, self._file.sources.get(name)
        if entry is None:
            preset = presets.find(name)
            assert preset is not None
            return ParsedSource(name, preset.url, preset)
        preset = presets.find(entry.preset) if entry.preset else None
        if entry.preset and preset is None:
            hint = did_you_mean(entry.preset, presets.names())
            raise ConfigError(f"{file.path}: [sources.{name}] preset: no preset is called {entry.preset}{hint}")
        url, pasted = "", None
        if entry.url:
            pasted = read_pasted(entry.url)
            try:
                if not pasted and presets.find(entry.url.partition("/")[0]):
                    return replace(self.parse(entry.url), name=name, entry=name)
                if pasted and "://" not in pasted.word:
                    return replace(self.parse(pasted.word), name=name, entry=name, pasted=pasted)
                base = file.path.parent if file.path else Path("/")
                if not pasted and (lockfile := lockfiles.find(entry.url, base)):
                    return replace(self._locked(lockfile), name=name, entry=name)
                url = check_url(pasted.word if pasted else entry.url, base, self._store_schemes)
            except UsageError as e:
                raise ConfigError(f"{file.path}: [sources.{name}] url: {e}") from None
        elif preset is not None:
            url = preset.url
        return ParsedSource(name, url, preset, name, pasted)


def _with_snapshot(source: ParsedSource) -> ParsedSource:
    """The source of a bucket's URL, in which the first name with an `@` behind the bucket is a data set's."""
    bucket, *names = source.url.removeprefix("s3://").split("/")
    for at, name in enumerate(names):
        if "@" in name and (found := split_snapshot("/".join(names[at:]), "/".join(["s3:/", bucket, *names[:at]]))):
            url = "/".join(["s3:/", bucket, *names[:at], found.dataset, found.below]).rstrip("/")
            return replace(source, url=url, snapshot=found)
    return source


def check_distinct(sources: Sequence[ParsedSource]) -> None:
    """Refuse two sources of one name in one mount (UsageError)."""
    seen: set[str] = set()
    for source in sources:
        if source.name in seen:
            raise UsageError(
                f"two sources of this mount are called {source.name}: "
                "give each a name of its own by [sources.NAME] in the config file"
            )
        seen.add(source.name)


def check_links(source: ParsedSource, urls: Path | None, origin: str = "") -> None:
    """Refuse a dataset of signed links without the file that holds them (UsageError). `origin`: what named the file."""
    if urls is None:
        how = source.preset.links if source.preset else "give the file of links with --urls FILE"
        raise UsageError(f"{source.name} is read by signed links, and their file is missing: {how}")
    if not urls.is_file():
        of = f"{named(origin, 'urls')}: " if origin else ""
        raise UsageError(f"{of}{urls}: no such file of signed links for {source.name}")

"""What a job is asked to do, as it goes over the control socket: JSON whose parts must have their types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from ..checks.kinds import KINDS
from ..errors import UsageError
from .bids import Vocabulary
from .globs import check_pattern

# `--headers`: what holds the headers of the field's formats (352 bytes of NIfTI-1, 66 KB of an EDF with 256 channels, a
# compressed image's first slices). Two blocks; what is no longer comes whole: sidecars, tables.
HEADER_BYTES = 128 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesRequest:
    """Which files are meant.

    Attributes:
        paths: from the root of the tree, without a slash before them; "" is all of it. Directories with all below.
        entities: entity as in file names ("sub") -> the values wanted; "*" and "?" stand for what they do in a shell.
        suffixes, extensions: of file names, any of them.
        vocabulary: BIDS's words, where entities, suffixes or extensions are given.
        include, exclude: patterns of paths below each of `paths` (`globs`).
        listed: paths below the one path that is given, of which nothing else is wanted; None: everything is.
        dry_run: count, read nothing.
        asked: what was typed, for whoever looks at it later.
    """

    paths: tuple[str, ...]
    entities: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    suffixes: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    vocabulary: Vocabulary = field(default_factory=Vocabulary)
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    listed: tuple[str, ...] | None = None
    dry_run: bool = False
    asked: str = ""

    def __post_init__(self) -> None:
        for pattern in (*self.include, *self.exclude):
            check_pattern(pattern)

    @property
    def by_entities(self) -> bool:
        """Whether names are chosen as BIDS has them."""
        return bool(self.entities or self.suffixes or self.extensions)

    @property
    def is_narrowed(self) -> bool:
        """Whether not all files below the paths are meant."""
        return bool(self.by_entities or self.include or self.exclude or self.listed is not None)

    def bytes_of(self, size: int) -> int:
        """How many bytes, from its start, are wanted of a file of so many."""
        return size

    def as_json(self) -> dict[str, Any]:
        """For `from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Raises UsageError for what is no request."""
        kinds = {one.name for one in fields(cls)}
        if not isinstance(value, dict) or not set(value) <= kinds:
            raise UsageError("this request cannot be understood; are mount and command of one version?")
        try:
            return cls(**_files(value), **cls._own(value))
        except (KeyError, TypeError, ValueError):
            raise UsageError("this request cannot be understood; are mount and command of one version?") from None

    @classmethod
    def _own(cls, value: Mapping[str, Any]) -> dict[str, Any]:
        """The fields beside those of `FilesRequest`. Raises KeyError, TypeError, ValueError."""
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefetchRequest(FilesRequest):
    """One prefetch.

    Attributes:
        headers: the first `HEADER_BYTES` of each file only.
        names: names only, no bytes.
        max_bytes: what is selected takes no more than that; None: as much as fits.
        pin: the name under which it is pinned, "" for none.
    """

    headers: bool = False
    names: bool = False
    max_bytes: int | None = None
    pin: str = ""

    def bytes_of(self, size: int) -> int:
        """How many bytes, from its start, are wanted of a file of so many."""
        return min(size, HEADER_BYTES) if self.headers else size

    @classmethod
    def _own(cls, value: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "headers": bool(value.get("headers")),
            "names": bool(value.get("names")),
            "max_bytes": None if value.get("max_bytes") is None else int(value["max_bytes"]),
            "pin": _text(value.get("pin", "")),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyRequest(FilesRequest):
    """One verification.

    Attributes:
        by: kinds of evidence that count (`checks.kinds.KINDS`).
        from_source: read what does not agree once more, past all caches.
        unknown: list the files of which nothing is known, too.
    """

    by: tuple[str, ...] = tuple(KINDS)
    from_source: bool = False
    unknown: bool = False

    @classmethod
    def _own(cls, value: Mapping[str, Any]) -> dict[str, Any]:
        by = _texts(value.get("by", tuple(KINDS)))
        if not set(by) <= set(KINDS):
            raise ValueError
        return {"by": by, "from_source": bool(value.get("from_source")), "unknown": bool(value.get("unknown"))}


def _files(value: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `FilesRequest`. Raises KeyError, TypeError."""
    return {
        "paths": _texts(value["paths"]),
        "entities": {_text(k): _texts(v) for k, v in _dict(value.get("entities", {})).items()},
        "suffixes": _texts(value.get("suffixes", ())),
        "extensions": _texts(value.get("extensions", ())),
        "vocabulary": Vocabulary.from_json(_dict(value.get("vocabulary", {}))),
        "include": _texts(value.get("include", ())),
        "exclude": _texts(value.get("exclude", ())),
        "listed": None if value.get("listed") is None else _texts(value["listed"]),
        "dry_run": bool(value.get("dry_run")),
        "asked": _text(value.get("asked", "")),
    }


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise TypeError
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise TypeError
    return tuple(map(_text, value))


def _dict(value: Any) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise TypeError
    return value

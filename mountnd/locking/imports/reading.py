"""A file that another tool has written of a bucket -> its rows, by what it is. Gzipped files are inflated."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ...errors import ConfigError
from ...lockfile.inflating import opened
from . import addurls, aws, inventory
from .addurls import Addresses
from .rows import Row

# Bytes of a file in JSON, which is read as a whole: a list of some ten million objects; and of a manifest.
_JSON_MAX, _MANIFEST_MAX = 2 << 30, 64 << 20


def rows(path: Path, address: Addresses) -> Iterator[Row]:
    """What the file at `path` lists.

    Args:
        address: for tables of URLs.

    Raises ConfigError, which names the file and what is wrong in it, also while rows are taken.
    """
    with opened(path, "a list of objects") as file:
        try:
            start = file.read(1 << 16).lstrip()[:1]
            file.seek(0)
            if start in (b"{", b"["):
                data = file.read(_JSON_MAX + 1)
                if len(data) > _JSON_MAX:
                    raise ConfigError(f"{path}: larger than {_JSON_MAX >> 30} GiB")
                yield from _of_json(data.decode("utf-8", "surrogateescape"), path)
            else:
                yield from _of_csv(file, path, address)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ConfigError(f"{path}: damaged or cut off ({error}); fetch it anew") from None
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None


def _of_json(text: str, path: Path) -> Iterator[Row]:
    manifest = inventory.manifest(text, str(path))
    if manifest is None:
        yield from aws.rows(text, str(path))
        return
    del text
    for name in manifest.files:
        beside = _beside(path, name)
        with opened(beside, "a list of objects") as file:
            yield from inventory.rows(_lines(file), str(beside), manifest.columns)


def _beside(manifest: Path, name: str) -> Path:
    """Where a file of an inventory lies: by its whole name below a directory around the manifest, as `aws s3 sync`
    leaves it, or beside it. Raises ConfigError."""
    last = name.rpartition("/")[2]
    if last in ("", ".", ".."):
        raise ConfigError(f"{manifest}: {name!r} is no name of a file")
    found = [manifest.parent / last, manifest.parent / "data" / last, manifest.parent.parent / "data" / last]
    there = next((one for one in found if one.is_file()), None)
    if there is None:
        raise ConfigError(f"{manifest}: its file {last} is not beside it; download it to {manifest.parent}")
    return there


def _of_csv(file: IO[bytes], path: Path, address: Addresses) -> Iterator[Row]:
    first = next(csv.reader([file.readline(1 << 20).decode("utf-8-sig", "surrogateescape")]), [])
    file.seek(0)
    if not first:
        raise ConfigError(f"{path}: it is empty, or its first line is")
    if addurls.is_head(first):
        yield from addurls.rows(_lines(file), str(path), address)
        return
    columns: tuple[str, ...] = ()
    manifest = path.parent / "manifest.json"
    if manifest.is_file():
        with opened(manifest, "a list of objects") as said:
            told = inventory.manifest(said.read(_MANIFEST_MAX).decode("utf-8", "replace"), str(manifest))
            columns = told.columns if told is not None and len(told.columns) == len(first) else ()
    yield from inventory.rows(_lines(file), str(path), columns)


def _lines(file: IO[bytes]) -> Iterator[str]:
    with io.TextIOWrapper(file, "utf-8-sig", "surrogateescape", newline="") as text:
        yield from text

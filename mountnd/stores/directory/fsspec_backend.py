"""Files of an fsspec file system (local, gs://, sftp://, memory://, ...), read past all its caches."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import TimeoutError as FutureTimeout
from datetime import UTC, datetime
from typing import Any

from ... import installation
from ...checks.digest import NOTHING_TOLD, Digest, Told, value_of
from ...errors import BadAnswer, Changed, ConfigError, Forbidden, NotFound, StoreError, TimedOut, Unreachable
from ...redaction import identity, redacted
from ..base import Deadline, ObjectId, ObjectStat
from ..facts import SECONDS_END, UNKNOWN_MTIME_NS, datetime_of, size_of
from ..http.etag_trust import EtagTrust
from ..http.etags import is_reliable, normalised
from ..http.status import error_type
from .base import DirectoryName

# What says which version a file is, the strongest first. Names as the file systems spell them:
# gcsfs, s3fs/http, adlfs, ossfs, webdav, ...
_TOKENS = ("generation", "ETag", "etag", "e_tag", "md5Hash", "crc32c", "content_md5", "checksum", "Content-MD5")
_ETAGS = frozenset(("ETag", "etag", "e_tag"))
_TIMES = ("mtime", "LastModified", "last_modified", "updated", "modified", "Last-Modified", "modify", "created")

# GCS decompresses what was stored with Content-Encoding: gzip, ignores ranges of it, and lists the stored
# size (docs.cloud.google.com/storage/docs/transcoding). Whoever accepts gzip gets the stored bytes; then
# nothing on our side may decompress them. Only for the bytes: GCS's own answers are JSON, and may come compressed.
_STORED_BYTES = {"session_kwargs": {"auto_decompress": False, "headers": {"Accept-Encoding": "gzip"}}}


def bytes_options(protocol: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """What the file system that reads bytes is made with, beside the one that reads names. Pure."""
    if protocol not in ("gs", "gcs"):
        return dict(options)
    given = options.get("session_kwargs", {})
    headers = {**given.get("headers", {}), **_STORED_BYTES["session_kwargs"]["headers"]}  # type: ignore[dict-item]
    return {**options, "session_kwargs": {**given, "auto_decompress": False, "headers": headers}}


def settings_mark(protocol: str, settings: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    """What tells servers apart that one URL may mean, by settings outside of it; "" where there are none. Pure.

    Args:
        settings: fsspec's own for this protocol. Secrets among them do not count: they change, and caches outlive that.
    """
    account = environ.get("AZURE_STORAGE_ACCOUNT_NAME") if protocol in ("abfs", "abfss", "az", "adl") else ""
    named = {name: value for name, value in settings.items() if not re.search("key|secret|token|password|sas", name)}
    if not named:
        return f"account={account}" if account else ""
    text = repr(sorted((name, repr(value)) for name, value in {**named, "account_name": account}.items()))
    return f"settings={hashlib.sha256(text.encode()).hexdigest()[:12]}"


# Digests among what fsspec's file systems tell of a file: gcsfs hands on what Google's API says.
_DIGESTS = (("md5", "md5Hash"), ("crc32c", "crc32c"))

# The packages that fsspec's messages name, for URLs that people have.
_PACKAGES = {
    "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs", "abfss": "adlfs", "adl": "adlfs",
    "sftp": "paramiko", "ssh": "paramiko", "smb": "smbprotocol", "gdrive": "gdrivefs", "dropbox": "dropboxdrivefs",
    "oss": "ossfs", "webhdfs": "requests", "hdfs": "pyarrow", "hf": "huggingface_hub", "box": "boxfs",
    "webdav": "webdav4", "dav": "webdav4", "davs": "webdav4", "lakefs": "lakefs-spec", "oci": "ocifs",
}  # fmt: skip


class FsspecBackend:
    """The files below `url`, by fsspec. A URL of one file shows that file alone.

    Calls to file systems that speak asyncio are cancelled at the deadline; the others (local files) block as long as
    the system below them does.

    Args:
        url: any URL that fsspec knows, but for http.
        options: given to fsspec's file system.
        asker: where credentials come from, "" for nowhere: part of the identity.

    Raises ConfigError when no file system takes the URL.
    """

    pins = False
    trust: EtagTrust | None = None

    def __init__(self, url: str, options: Mapping[str, Any], *, asker: str = "") -> None:
        from fsspec import filesystem
        from fsspec.config import conf
        from fsspec.core import split_protocol, url_to_fs

        plain = {"skip_instance_cache": True, "use_listings_cache": False}
        protocol = split_protocol(url)[0] or "file"
        try:
            self._names, base = url_to_fs(url, **plain, **options)
            more = bytes_options(protocol, options)
            self._bytes = self._names if more == dict(options) else filesystem(protocol, **plain, **more)
        except ImportError as error:
            package = _PACKAGES.get(protocol) or error.name or ""
            how = f"type: {installation.here([package])}" if package else str(error)
            raise ConfigError(f"{redacted(url)}: {protocol}:// needs a package that is not installed; {how}") from error
        except (ValueError, TypeError) as error:
            raise ConfigError(f"{redacted(url)}: no file system for it: {error}") from error
        self._base: str = base.rstrip("/")
        self._name = self._base.rpartition("/")[2]
        # Whether the URL names a file: found out with the first request; a final slash says no.
        self._single: bool | None = False if url.endswith("/") else None
        self.url = redacted(url).rstrip("/")
        marks = [mark for mark in (asker, settings_mark(protocol, conf.get(protocol, {}), os.environ)) if mark]
        self.source = identity(url).rstrip("/") + ("#" + ",".join(marks) if marks else "")
        self.is_open = protocol in ("gs", "gcs") and not marks

    def list_directory(self, directory: str, most: int | None, deadline: Deadline) -> list[DirectoryName]:
        if self._is_single(deadline):
            return [] if directory else [DirectoryName(self._name, self.stat(self._name, deadline))]
        where = self._path(directory, deadline)
        infos = self._call(self._names, "ls", where, deadline, detail=True)
        inside = where.rstrip("/") + "/"
        found = []
        for info in infos:
            name = str(info.get("name", "")).rstrip("/")
            if not name:
                continue
            if not name.startswith(inside):
                if name.strip("/") == where.strip("/"):
                    continue  # some give a directory as its own first entry
                name = inside + name.rpartition("/")[2]
            found.append(self._name_of(directory, name.removeprefix(inside), info, deadline))
        return found

    def stat(self, key: str, deadline: Deadline) -> ObjectStat:
        info = self._call(self._names, "info", self._path(key, deadline), deadline)
        if not _is_file(info):
            raise NotFound(f"{self.url}: {key!r} is not a file")
        return self._stat(key, info)

    def read(self, id: ObjectId, start: int, views: Sequence[memoryview], deadline: Deadline) -> None:
        stop = start + sum(len(view) for view in views)
        path = self._path(id.key, deadline)
        body = self._call(self._bytes, "cat_file", path, deadline, start=start, end=stop)
        # What is there afterwards is compared with what was pinned: no token comes back, so nothing changed between.
        there = self.stat(id.key, deadline)
        if there.id.etag != id.etag or id.size not in (-1, there.size):
            raise Changed(f"{self.url}: {id.key!r}: the object was replaced since it was opened")
        if len(body) != stop - start:
            raise BadAnswer(f"{self.url}: {id.key!r}: asked for {stop - start} bytes, got {len(body)}", code="Body")
        at = 0
        for view in views:
            view[:] = body[at : at + len(view)]
            at += len(view)

    def digests(self, id: ObjectId, deadline: Deadline) -> Told:
        """What Google's storage says: other file systems have no digest that is of the content for certain."""
        info = self._call(self._names, "info", self._path(id.key, deadline), deadline)
        if version_token(info)[0] != id.etag or id.size not in (-1, size_of(info.get("size"))):
            return NOTHING_TOLD
        found = ((name, value_of(name, str(info.get(said) or ""))) for name, said in _DIGESTS)
        return Told(tuple(Digest("checksum", name, value, "Google's") for name, value in found if value is not None))

    def close(self) -> None:
        pass  # fsspec's file systems close their sessions when they are collected

    def _path(self, key: str, deadline: Deadline) -> str:
        if self._is_single(deadline):
            if key != self._name:
                raise NotFound(f"{self.url}: is one file, and there is no {key!r}")
            return self._base
        key = key.rstrip("/")
        return f"{self._base}/{key}" if key else self._base or "/"

    def _is_single(self, deadline: Deadline) -> bool:
        if self._single is None:
            self._single = _is_file(self._call(self._names, "info", self._base or "/", deadline))
        return self._single

    def _name_of(self, directory: str, name: str, info: Mapping[str, Any], deadline: Deadline) -> DirectoryName:
        if info.get("islink"):
            try:
                info = self._call(self._names, "info", str(info["name"]), deadline)
            except NotFound:
                return DirectoryName(name, None, "a broken symbolic link")
            except StoreError as error:
                if error.transient:
                    raise
                return DirectoryName(name, None, str(error))
        if info.get("type") == "directory":
            return DirectoryName(name, None)
        if not _is_file(info):
            return DirectoryName(name, None, f"neither a file nor a directory ({info.get('type')})")
        if size_of(info.get("size")) is None:
            return DirectoryName(name, None, f"its size is {info.get('size')!r}")
        return DirectoryName(name, self._stat(directory + name, info))

    def _stat(self, key: str, info: Mapping[str, Any]) -> ObjectStat:
        token, mtime_ns = version_token(info)
        size = size_of(info.get("size"))
        if size is None:
            raise BadAnswer(f"{self.url}: {key!r}: its size is {info.get('size')!r}", code="Size")
        return ObjectStat(ObjectId(self.source, key, token, size=size), size, mtime_ns)

    def _call(self, filesystem: Any, method: str, path: str, deadline: Deadline, **options: Any) -> Any:
        name = f"{self.url}: {path!r}"
        deadline.check(name)
        try:
            if not getattr(filesystem, "async_impl", False):
                return getattr(filesystem, method)(path, **options)
            call = getattr(filesystem, f"_{method}")(path, **options)
            future = asyncio.run_coroutine_threadsafe(call, filesystem.loop)
            try:
                return deadline.result(future, name)
            finally:
                future.cancel()  # where it is not done
        except Exception as error:
            raise deadline.over(name) or error_from_exception(error, name) from error


def _is_file(info: Mapping[str, Any]) -> bool:
    return bool(info.get("type") == "file")


def version_token(info: Mapping[str, Any]) -> tuple[str, int]:
    """(token, mtime in ns) of fsspec's facts about a file; `UNKNOWN_MTIME_NS` where they hold no time. Pure."""
    size = size_of(info.get("size")) or 0
    known = next((ns for name in _TIMES if (ns := _nanoseconds(info.get(name))) is not None), None)
    mtime_ns = UNKNOWN_MTIME_NS if known is None else known
    for name in _TOKENS:
        if (said := info.get(name)) and not (name in _ETAGS and not is_reliable(normalised(str(said)), size)):
            return f"{name}={said}", mtime_ns
    return f"size={info.get('size')} mtime={known or 0} inode={info.get('ino', '')}", mtime_ns


def _nanoseconds(when: Any) -> int | None:
    if isinstance(when, str):
        when = datetime_of(when)
    if isinstance(when, datetime):
        when = when.replace(tzinfo=when.tzinfo or UTC).timestamp()
    if isinstance(when, (int, float)) and not isinstance(when, bool) and abs(when) < SECONDS_END:
        return round(when * 10**6) * 1000  # a float holds no finer time than some 200 ns
    return None  # also for one that is not a number, or that nanoseconds in 64 bits do not hold


def error_from_exception(error: BaseException, name: str) -> StoreError:
    """What to raise instead of what a file system raised: by class, or by the HTTP status that it carries. Pure."""
    if isinstance(error, StoreError):
        return error
    said = f"{name}: {str(error).partition(chr(10))[0] or type(error).__name__}"
    code = type(error).__name__
    if isinstance(error, (FileNotFoundError, NotADirectoryError, IsADirectoryError)):
        return NotFound(said, code=code)
    if isinstance(error, PermissionError):
        return Forbidden(said, code=code)
    if isinstance(error, (TimeoutError, FutureTimeout)):
        return TimedOut(said, code=code)
    status = getattr(error, "status", None) or getattr(error, "code", None)
    if isinstance(status, int) and 300 <= status < 600:
        return error_type(status)(said, code=str(status))
    if isinstance(error, (OSError, EOFError)):
        return Unreachable(said, code=code)
    if type(error).__module__.partition(".")[0] in ("aiohttp", "asyncio"):
        return Unreachable(said, code=code)
    return StoreError(said, code=code)

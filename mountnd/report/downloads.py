"""What was read, as what other programs take: commands of aws and rclone, and a table for `datalad addurls`. Pure.

Keys are whatever somebody has put into a bucket: each is quoted for the shell, or for the table, and its bytes are
those of the key. Where a file has no address without a mount, a comment says so.
"""

from __future__ import annotations

import csv
import io
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..foreign_text import line
from .addresses import bucket_of, store_url, web_url

Document = Mapping[str, Any]
Entry = Mapping[str, Any]

# A word that bash reads back from $'...' only: line breaks would part the line, and other bytes be no text.
_ODD = re.compile(r"[\x00-\x1f\x7f\x80-\x9f\ud800-\udfff\u2028\u2029]")

_HEAD = "#!/usr/bin/env bash\n# {what}, as mountnd saw them read through {mount} until {until}\nset -e\n"


def quoted(word: str) -> str:
    """A word for bash that takes one line whatever it holds."""
    if not _ODD.search(word):
        return shlex.quote(word)
    spelled = []
    for byte in word.encode("utf-8", "surrogateescape"):
        char = chr(byte)
        spelled.append(f"\\x{byte:02x}" if byte < 0x20 or byte > 0x7E else f"\\{char}" if char in "\\'" else char)
    return f"$'{''.join(spelled)}'"


def aws(document: Document) -> str:
    """A script that downloads each file into its path below the working directory."""

    def typed(source: Entry, file: Entry) -> str | None:
        if source["kind"] != "s3":
            return _curl(source, file)
        options = [] if source["signed"] else ["--no-sign-request"]
        options += ["--endpoint-url", source["endpoint_url"]] if source["endpoint_url"] else []
        options += ["--region", source["region"]] if source["region"] else []
        options += ["--profile", source["profile"]] if source["profile"] and source["signed"] else []
        options += ["--request-payer", "requester"] if source["requester_pays"] else []
        if file["version_id"]:  # `s3 cp` takes the current version only
            wanted = ["--bucket", bucket_of(source), "--key", file["key"], "--version-id", file["version_id"]]
            return _words("aws", "s3api", "get-object", *options, *wanted, _here(file))
        return _words("aws", "s3", "cp", *options, str(store_url(source, file["key"])), _here(file))

    # `s3 cp` makes directories, the others do not.
    return _script(document, "The files", typed, lambda source, file: source["kind"] != "s3" or file["version_id"])


def rclone(document: Document) -> str:
    """The same with rclone, which needs no configured remote for it."""

    def typed(source: Entry, file: Entry) -> str | None:
        kind = source["kind"]
        if kind == "s3":
            return _words("rclone", "copyto", f"{_s3_remote(source)}{bucket_of(source)}/{file['key']}", _here(file))
        if kind in ("gs", "gcs"):
            signing = "env_auth=true" if source["signed"] else "anonymous=true"
            return _words("rclone", "copyto", f":gcs,{signing}:{bucket_of(source)}/{file['key']}", _here(file))
        url = web_url(source, file["key"])
        return None if url is None else _words("rclone", "copyurl", url, _here(file))

    return _script(document, "The files", typed, lambda source, file: False)


def datalad(document: Document) -> str:
    """A table for `datalad addurls FILE.csv '{url}' '{path}'`: the files that have a URL."""
    out = io.StringIO(newline="")
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["url", "path", "size", "etag", "source"])
    for file in document["files"]:
        if file["url"]:
            # Bytes that are no UTF-8 cannot stand in a table of text; the URL spells them, and the path escapes them.
            stored = _stored(file)
            path = stored["path"].encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
            table.writerow([file["url"], path, stored["size"], (file["etag"] or "").strip('"'), file["source"]])
    return out.getvalue()


def _script(
    document: Document,
    what: str,
    typed: Callable[[Entry, Entry], str | None],
    needs_directory: Callable[[Entry, Entry], object],
) -> str:
    sources = {source["name"]: source for source in document["sources"]}
    head = _HEAD.format(what=what, mount=line(document["mountpoint"]), until=document["until"])
    return head + "".join(f"{text}\n" for text in _lines(document["files"], sources, typed, needs_directory))


def _lines(
    files: Sequence[Entry],
    sources: Mapping[str, Entry],
    typed: Callable[[Entry, Entry], str | None],
    needs_directory: Callable[[Entry, Entry], object],
) -> Iterator[str]:
    made: set[str] = set()
    for file in files:
        source = sources.get(file["source"])
        command = typed(source, file) if source is not None else None
        if source is None or command is None:
            yield f"# {line(file['path'])}: has no address that can be used without a mount"
            continue
        directory = _here(file).rpartition("/")[0]
        if directory != "." and directory not in made and needs_directory(source, file):
            made.add(directory)
            yield _words("mkdir", "-p", "--", directory)
        yield command


def _curl(source: Entry, file: Entry) -> str | None:
    url = web_url(source, file["key"])
    return None if url is None else _words("curl", "--fail", "--location", "--output", _here(file), url)


def _here(file: Entry) -> str:
    """Where a file goes. A path that begins with a dash would be an option."""
    return f"./{_stored(file)['path']}"


def _stored(file: Entry) -> Entry:
    """Path and size of what is downloaded: of a file that was shown inflated, the compressed one."""
    return file.get("stored") or file


def _words(*words: str) -> str:
    return " ".join(quoted(word) for word in words)


def _s3_remote(source: Entry) -> str:
    """A connection string of rclone's (rclone.org/docs, "Connection strings")."""
    options = ["provider=Other" if source["endpoint_url"] else "provider=AWS"]
    if source["signed"]:
        options.append("env_auth=true")
        if source["profile"]:
            options.append(f"profile={_value(source['profile'])}")
    if source["region"]:
        options.append(f"region={_value(source['region'])}")
    if source["endpoint_url"]:
        options.append(f"endpoint={_value(source['endpoint_url'])}")
    if source["requester_pays"]:
        options.append("requester_pays=true")
    return f":s3,{','.join(options)}:"


def _value(text: str) -> str:
    quoted_ = text.replace('"', '""')
    return f'"{quoted_}"' if re.search(r"[,:\"']", text) else text

"""Which source, and which path in it, a path of the file system means. Pure.

    openneuro/ds000001/sub-01     a preset or a name of the config file, and a path below it
    ds000001/sub-01               an accession number, `DANDI:000026`, a DOI, an ARN: what the command takes as SOURCE
    s3://bucket/key               a bucket (`gs://`, ...) and a key
    https://host/page             a web server and a path
    file:///data/x                this machine's files

A path is everything behind `mountnd://`. URLs in it are written `s3:bucket/key` wherever the file system gives them: a
path with `://` in it would be taken for another file system's. A file system that was made for one source (`source=`)
knows its paths only.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ..config.parsers import split_bucket

_URL = re.compile(
    r"(?P<scheme>(?!doi:|arn:)[A-Za-z][A-Za-z0-9+.-]*):(?P<slashes>/*)(?P<rest>.*)", re.DOTALL | re.IGNORECASE
)
# Of DOIs (doi.org/the-identifier/resources/handbook, 2.2): "10.", a registrant, and one part more.
_DOI = re.compile(r"(?P<word>(?:doi:)?10\.\d{4,}[\d.]*/[^/]+)(?:/(?P<path>.*))?", re.DOTALL | re.IGNORECASE)


class Place(NamedTuple):
    """A source as `SourceParser` takes it, "" for the place where all of them are; and the path in it, no slash around
    it."""

    word: str
    path: str


def place_of(path: str) -> Place:
    """What `path` means: see above. Never raises: what nobody knows is a source of that name."""
    if found := _URL.fullmatch(path):
        scheme, rest = found["scheme"].lower(), found["rest"].strip("/")
        if scheme in ("file", "local"):
            return Place("file:///", rest)
        bucket, _, key = rest.partition("/")
        if scheme in ("s3", "s3a"):
            try:
                bucket, key = split_bucket(rest)
            except ValueError:
                pass  # whoever opens it says what is wrong with it
        return Place(f"{scheme}://{bucket}", key)
    if found := _DOI.fullmatch(path):
        return Place(found["word"], (found["path"] or "").strip("/"))
    word, _, below = path.partition("/")
    return Place(word, below.strip("/"))


def normal(path: str) -> str:
    """`path` as file systems of fsspec give it: always the same, whatever slashes are around it, and no URL."""
    found = _URL.fullmatch(path)
    return f"{found['scheme'].lower()}:{found['rest'].strip('/')}" if found and found["slashes"] else path.strip("/")


def joined(path: str, name: str) -> str:
    """The path of what is called `name` in the directory at `path`."""
    return f"{path}{'' if path.endswith(':') else '/'}{name}" if path else name

"""An S3 server of listings alone, whose pages cost next to nothing to make: names at scale are the daemon's cost.

    python -m tests.benchmarks.names_server

Bucket `bids-N` has N keys in studies, subjects, sessions and modalities, 10 to 20 files in each of the last; `flat-N`
has N in one directory `chunks/`. The text of a session's rows is made once, and its names are put in by `str.replace`:
some 2 us a key, most of it the socket's. Prints its port on one line and ends when stdin closes.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import md5
from http.server import BaseHTTPRequestHandler
from typing import Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from ..model.computed_bucket_server import serve

PAGE_KEYS = 1000
SESSIONS, SUBJECTS = 4, 50  # of a subject, of a study
_FILES = (
    ("anat", 10, "run-{:02}_T1w.nii.gz"),
    ("func", 20, "task-rest_run-{:02}_bold.nii.gz"),
)
IN_SESSION = sum(count for _, count, _ in _FILES)
_ROW = (
    "<Contents><Key>{key}</Key><LastModified>2024-03-{day:02}T10:{minute:02}:00.000Z</LastModified>"
    "<ETag>&quot;{etag}@TAG@&quot;</ETag><Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
)


class Tree(Protocol):
    """Keys by their positions in byte order."""

    count: int

    def key(self, i: int) -> str: ...
    def rows(self, start: int, stop: int) -> str:
        """The XML of the keys at these positions."""
        ...


class Bids:
    """`dsSSSSSS/sub-NNNN/ses-N/MODALITY/sub-NNNN_ses-N_...`."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._names = [f"@DIR@/{modality}/@STEM@_{name.format(i)}" for modality, n, name in _FILES for i in range(n)]
        self._rows = [_row(i, name) for i, name in enumerate(self._names)]
        self._whole = "".join(self._rows)

    def key(self, i: int) -> str:
        session, within = divmod(i, IN_SESSION)
        return self._placed(self._names[within], session)

    def rows(self, start: int, stop: int) -> str:
        parts = []
        while start < stop:
            session, within = divmod(start, IN_SESSION)
            end = min(stop - start + within, IN_SESSION)
            text = self._whole if end - within == IN_SESSION else "".join(self._rows[within:end])
            parts.append(self._placed(text, session))
            start += end - within
        return "".join(parts)

    @staticmethod
    def _placed(text: str, session: int) -> str:
        subject, s = divmod(session, SESSIONS)
        study, n = divmod(subject, SUBJECTS)
        directory, stem = f"ds{study:06}/sub-{n:04}/ses-{s + 1}", f"sub-{n:04}_ses-{s + 1}"
        return text.replace("@DIR@", directory).replace("@STEM@", stem).replace("@TAG@", f"{session:08x}")


class Flat:
    """`chunks/0000000` and so on."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._rows = [_row(i, f"chunks/@K@{i:03}") for i in range(PAGE_KEYS)]

    def key(self, i: int) -> str:
        return f"chunks/{i:07}"

    def rows(self, start: int, stop: int) -> str:
        parts = []
        while start < stop:
            thousand, within = divmod(start, PAGE_KEYS)
            end = min(stop - start + within, PAGE_KEYS)
            text = "".join(self._rows[within:end])
            parts.append(text.replace("@K@", f"{thousand:04}").replace("@TAG@", f"{thousand:08x}"))
            start += end - within
        return "".join(parts)


def _row(i: int, key: str) -> str:
    etag = md5(key.encode(), usedforsecurity=False).hexdigest()[:24]
    return _ROW.format(key=key, day=i % 28 + 1, minute=i % 60, etag=etag, size=1000 + 7919 * i)


@lru_cache
def tree(name: str) -> Tree:
    """The bucket called so. Raises KeyError or ValueError when there is none."""
    kind, _, count = name.rpartition("-")
    return {"bids": Bids, "flat": Flat}[kind](int(count))


def first(keys: Tree, wanted: str) -> int:
    """Position of the first key that is not below a string."""
    low, high = 0, keys.count
    while low < high:
        middle = (low + high) // 2
        if keys.key(middle) < wanted:  # they are ASCII
            low = middle + 1
        else:
            high = middle
    return low


def listing(name: str, query: dict[str, list[str]]) -> bytes:
    """The answer to a ListObjectsV2; a token is the position to go on at."""
    keys = tree(name)
    get = {key: values[0] for key, values in query.items()}
    prefix, after, delimiter = get.get("prefix", ""), get.get("start-after", ""), get.get("delimiter", "")
    limit = min(int(get.get("max-keys", PAGE_KEYS)), PAGE_KEYS)
    i = int(get["continuation-token"]) if "continuation-token" in get else first(keys, max(prefix, after))
    if after and i < keys.count and keys.key(i) == after:
        i += 1
    stop = first(keys, prefix[:-1] + chr(ord(prefix[-1]) + 1)) if prefix else keys.count
    parts: list[str] = []
    told = 0
    while i < stop and told < limit:
        cut = keys.key(i).find("/", len(prefix)) if delimiter else -1
        if cut < 0:
            end = min(i + limit - told, stop)  # no directory lies behind a file here
            parts.append(keys.rows(i, end))
            told, i = told + end - i, end
        else:
            common = keys.key(i)[:cut]
            parts.append(f"<CommonPrefixes><Prefix>{common}/</Prefix></CommonPrefixes>")
            told, i = told + 1, first(keys, common + "0")
    if i < stop:
        parts.append(f"<NextContinuationToken>{i}</NextContinuationToken>")
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>{name}</Name><Prefix>{prefix}</Prefix><MaxKeys>{limit}</MaxKeys><KeyCount>{told}</KeyCount>"
        f"<EncodingType>url</EncodingType><IsTruncated>{'true' if i < stop else 'false'}</IsTruncated>"
        f"{''.join(parts)}</ListBucketResult>"
    ).encode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet

    def do_GET(self) -> None:
        where = urlsplit(self.path)
        name, _, key = unquote(where.path).lstrip("/").partition("/")
        if key:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        else:
            self._answer(200, listing(name, parse_qs(where.query)))

    def do_HEAD(self) -> None:
        self._answer(404 if "/" in self.path.strip("/") else 200, b"")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    serve(Handler)

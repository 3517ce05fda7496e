"""A service of snapshots in a process of its own, and a data set that is exported to a bucket again and again."""

from __future__ import annotations

import hashlib
import json
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from .servers import SCRIPTS, START_S, s3_client, script_server

# What git holds itself; the rest lies in the annex.
_TEXTS = (".json", ".tsv", ".txt", "README", "CHANGES")
# The least that S3 takes as a part that is not the last.
PART = 5 << 20


class SnapshotService:
    """A running service. `url`: of its GraphQL."""

    def __init__(self, port: str, control: str) -> None:
        self.url, self._control = f"http://127.0.0.1:{port}/crn/graphql", f"http://127.0.0.1:{control}/"
        self._direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def know(self, datasets: Mapping[str, Any], **world: Any) -> None:
        """Know these data sets, all else as it is by default but for `world`; and forget the requests so far."""
        self._put({"reset": True, "datasets": datasets, **world})

    def switch(self, **world: Any) -> None:
        """Set these parts of the world, leave the others, and forget the requests so far."""
        self._put(world)

    def log(self) -> list[tuple[str, str, dict[str, str], str]]:
        """Method, path, headers and body of every request since the last change of the world."""
        with self._direct.open(self._control, timeout=START_S) as answer:
            return [(method, path, headers, body) for method, path, headers, body in json.load(answer)]

    def _put(self, said: Mapping[str, Any]) -> None:
        request = urllib.request.Request(self._control, json.dumps(said).encode(), method="PUT")
        self._direct.open(request, timeout=START_S).close()


@contextmanager
def snapshot_service() -> Iterator[SnapshotService]:
    with script_server(SCRIPTS / "snapshot_service.py") as line:
        yield SnapshotService(*line.split())


def annex_key(path: str, body: bytes) -> str:
    """As git-annex names what lies in it, by MD5."""
    end = "." + path.rpartition("/")[2].partition(".")[2]
    return f"MD5E-s{len(body)}--{hashlib.md5(body).hexdigest()}{end if end != '.' else ''}"


def blob_hash(body: bytes) -> str:
    """As `git hash-object`."""
    return hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()


class Exported:
    """A data set in a bucket with versions on the server at `url`, and its snapshots as a service tells them.

    Attributes:
        snapshots: as `SnapshotService.know` takes them.
        trees: tag -> path -> bytes.
    """

    def __init__(self, url: str, dataset: str = "ds000001", bucket: str = "openneuro.org") -> None:
        self.dataset, self.bucket, self.client = dataset, bucket, s3_client(url)
        self.snapshots: list[dict[str, Any]] = []
        self.trees: dict[str, dict[str, bytes]] = {}
        self._versions: dict[str, str] = {}  # of what is there now, by path
        self.client.create_bucket(Bucket=bucket)
        self.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})

    def export(self, tag: str, tree: Mapping[str, bytes]) -> None:
        """Bring the bucket to this tree, and make a snapshot of it."""
        before = self.trees[self.snapshots[-1]["tag"]] if self.snapshots else {}
        for path in before.keys() - tree.keys():
            self.client.delete_object(Bucket=self.bucket, Key=self.key(path))
        for path, body in tree.items():
            if before.get(path) != body:
                self._versions[path] = self.put(path, body)
        self.trees[tag] = dict(tree)
        rows = [
            {
                "filename": path,
                "size": len(body),
                "id": blob_hash(body) if path.endswith(_TEXTS) else annex_key(path, body),
                "urls": [self.url_of(path, self._versions[path])],
            }
            for path, body in tree.items()
        ]
        size = sum(map(len, tree.values()))
        said = {"tag": tag, "created": f"2020-01-0{len(self.snapshots) + 1}T00:00:00.000Z", "size": size}
        self.snapshots.append({**said, "files": rows})

    def put(self, path: str, body: bytes) -> str:
        """Store an object; its version id. What is larger than a part is uploaded in parts."""
        to = {"Bucket": self.bucket, "Key": self.key(path)}
        acl = {"ACL": "public-read"}
        if len(body) <= PART:
            return str(self.client.put_object(**to, Body=body, **acl)["VersionId"])
        upload = self.client.create_multipart_upload(**to, **acl)["UploadId"]
        parts = []
        for number, start in enumerate(range(0, len(body), PART), 1):
            piece = {"PartNumber": number, "UploadId": upload, "Body": body[start : start + PART]}
            parts.append({"PartNumber": number, "ETag": self.client.upload_part(**to, **piece)["ETag"]})
        done = self.client.complete_multipart_upload(**to, UploadId=upload, MultipartUpload={"Parts": parts})
        return str(done["VersionId"])

    def key(self, path: str) -> str:
        return f"{self.dataset}/{path}"

    def url_of(self, path: str, version: str) -> str:
        return f"https://s3.amazonaws.com/{self.bucket}/{quote(self.key(path))}?versionId={version}"

    def row(self, tag: str, path: str) -> dict[str, Any]:
        """What the service says of a file, to be changed."""
        snapshot = next(one for one in self.snapshots if one["tag"] == tag)
        row: dict[str, Any] = next(row for row in snapshot["files"] if row["filename"] == path)
        return row

    def version(self, tag: str, path: str) -> str:
        """The version id of a file in a snapshot."""
        (url,) = self.row(tag, path)["urls"]
        return str(url.partition("?versionId=")[2])

    def known(self) -> dict[str, Any]:
        """As `SnapshotService.know` takes it."""
        return {self.dataset: self.snapshots}

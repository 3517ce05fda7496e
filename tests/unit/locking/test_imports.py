"""What other tools have written down of a bucket, as they write it, and as hands have changed it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from mountnd.errors import ConfigError
from mountnd.lockfile.header import Header
from mountnd.lockfile.record import UNKNOWN_MTIME_NS, Locked
from mountnd.locking.addurls import Table
from mountnd.locking.imports.addurls import addresses_in
from mountnd.locking.imports.reading import rows
from mountnd.locking.imports.rows import Taken

ETAG = "0cc175b9c0f1b6a831c399e269772661"
WHEN = 1_714_566_896 * 10**9  # 2024-05-01T12:34:56Z


def taken(path: Path, root: str = "ds/", source: str = "s3://bkt/ds", endpoint: str = "") -> list[Locked]:
    return list(Taken(rows(path, addresses_in(source, endpoint)), "bkt", root))


def expected(name: str = "a b.nii", **changes: object) -> Locked:
    return Locked(name, f"ds/{name}", "", 7, f'"{ETAG}"', WHEN)._replace(**changes)


def entry(key: str = "ds/a b.nii", **more: object) -> dict[str, object]:
    return {"Key": key, "LastModified": "2024-05-01T12:34:56+00:00", "ETag": f'"{ETAG}"', "Size": 7, **more}


@pytest.mark.parametrize("zipped", [False, True])
def test_list_objects_v2(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "list.json"
    contents = [entry(), entry("elsewhere/x"), entry("ds/é")]
    text = json.dumps({"Contents": contents[:2], "RequestCharged": None}, indent=4) + json.dumps(
        {"Contents": contents[2:]}
    )
    path.write_bytes(gzip.compress(text.encode()) if zipped else text.encode())
    assert taken(path) == [expected(), expected("é")]
    path.write_text(json.dumps(contents))  # --query Contents
    assert taken(path) == [expected(), expected("é")]


def test_list_object_versions_gives_the_latest(tmp_path: Path) -> None:
    path = tmp_path / "versions.json"
    versions = [entry(VersionId="v2", IsLatest=True), entry(VersionId="v1", IsLatest=False)]
    path.write_text(json.dumps({"Versions": versions, "DeleteMarkers": [{"Key": "ds/x", "IsLatest": True}]}))
    assert taken(path) == [expected(version="v2")]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"Contents": [', ", line 1: not JSON"),
        ('{"Contents": []}\n{"x', ", line 2: not JSON"),
        ('{"Buckets": []}', "no list of objects"),
        ('{"Contents": 5}', "Contents is no list"),
        ('{"Contents": [{"Size": 5}]}', "Contents[0]: an object without a Key"),
        ('{"Contents": [{"Key": "k", "Size": -5}]}', "Contents[0]: 'k' has no Size"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_what_is_wrong_with_json_is_told(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "list.json"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        taken(path)
    assert str(path) in str(error.value)
    assert told in str(error.value)


VERSIONS = (
    f'"bkt","ds/a+b.nii","v2","true","false","7","2024-05-01T12:34:56.000Z","{ETAG}","STANDARD"\n'
    f'"bkt","ds/a+b.nii","v1","false","false","9","2023-05-01T12:34:56.000Z","{ETAG[::-1]}","STANDARD"\n'
    '"bkt","ds/gone.nii","v3","true","true","","2024-05-01T12:34:56.000Z","",""\n'
    f'"bkt","ds/%C3%A9%25%FF","v4","true","false","7","2024-05-01T12:34:56.000Z","{ETAG}","GLACIER"\n'
)


@pytest.mark.parametrize("zipped", [False, True])
def test_an_inventory_of_all_versions_without_a_manifest(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "part.csv"
    path.write_bytes(gzip.compress(VERSIONS.encode()) if zipped else VERSIONS.encode())
    assert taken(path) == [expected(version="v2"), expected("é%\udcff", version="v4")]


def test_an_inventory_of_current_versions(tmp_path: Path) -> None:
    path = tmp_path / "part.csv"
    path.write_text(f'"bkt","ds/a%20b.nii","7","2024-05-01T12:34:56.000Z","{ETAG}"\n')
    assert taken(path) == [expected()]


def manifest(tmp_path: Path, schema: str, *files: str) -> Path:
    path = tmp_path / "manifest.json"
    said = {"sourceBucket": "bkt", "fileFormat": "CSV", "fileSchema": schema, "files": [{"key": one} for one in files]}
    path.write_text(json.dumps(said))
    return path


def test_a_manifest_says_what_the_columns_are_and_which_files(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    rest = f'"{ETAG}","7","2024-05-01T12:34:56.000Z"\n'
    (tmp_path / "one.csv.gz").write_bytes(gzip.compress(f'"bkt","ds/a+b.nii","false",{rest}'.encode()))
    (tmp_path / "data/two.csv").write_text(f'"bkt","ds/%C3%A9","false",{rest}')
    schema = "Bucket, Key, IsMultipartUploaded, ETag, Size, LastModifiedDate"
    path = manifest(tmp_path, schema, "x/data/one.csv.gz", "x/data/two.csv")
    assert taken(path) == [expected(), expected("é")]
    assert taken(tmp_path / "one.csv.gz") == [expected()], "beside a manifest a file of it is read as that says"
    with pytest.raises(ConfigError, match="its file three.csv is not beside it"):
        taken(manifest(tmp_path, schema, "x/three.csv"))
    with pytest.raises(ConfigError, match="no name of a file"):
        taken(manifest(tmp_path, schema, "x/.."))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("\n", "it is empty"),
        ('"bkt","k"\n', "line 1: not an S3 Inventory"),
        ('"Bucket","Key","Size"\n', "line 1: a head"),
        ('"bkt","ds/a","x"\n', "line 1: not told what the columns are"),
        (VERSIONS + '"bkt","ds/b"\n', "line 5: 2 columns, where 9 are expected"),
        (VERSIONS.replace('"7"', '"seven"', 1), "line 1: not told what the columns are"),
        (VERSIONS.replace('"7"', '"5.5"')[::1].replace('"5.5"', '"7"', 1), "line 4: '5.5' is no size"),
        (VERSIONS.replace("bkt", "other"), "line 1: an object of the bucket 'other'"),
    ],
)
def test_what_is_wrong_with_an_inventory_is_told(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "part.csv"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        taken(path)
    assert str(path) in str(error.value)
    assert told in str(error.value)


def test_a_table_for_datalad(tmp_path: Path) -> None:
    path = tmp_path / "urls.csv"
    path.write_text(
        "URL,filename,size,md5\n"
        f"https://bkt.s3.amazonaws.com/ds/a%20b.nii?versionId=v2,sub-01/a.nii,7,{ETAG}\n"
        "s3://bkt/ds/x,./x,,\n"
        "http://127.0.0.1:9000/bkt/ds/y,y,7,\n"
    )
    found = taken(path, endpoint="http://127.0.0.1:9000")
    assert found == [
        Locked("sub-01/a.nii", "ds/a b.nii", "v2", 7, "", UNKNOWN_MTIME_NS, f"md5:{ETAG}"),
        Locked("x", "ds/x", "", -1, "", UNKNOWN_MTIME_NS),
        Locked("y", "ds/y", "", 7, "", UNKNOWN_MTIME_NS),
    ]
    with pytest.raises(ConfigError, match="line 4: http://127.0.0.1:9000/bkt/ds/y is no object of the source"):
        taken(path)


@pytest.mark.parametrize(
    "header",
    [
        Header(source="s3://bkt/ds", root="ds/", region="eu-west-1"),
        Header(source="s3://bkt/ds", root="ds/", endpoint_url="http://127.0.0.1:9000"),
    ],
)
def test_an_exported_table_is_imported_again(tmp_path: Path, header: Header) -> None:
    one = expected("é%\n+.nii", version="v/2", digest=f"md5:{ETAG}")
    path = tmp_path / "urls.csv"
    path.write_bytes(b"".join(Table(header, [one, expected()])))
    assert taken(path, endpoint=header.endpoint_url) == [
        one._replace(mtime_ns=UNKNOWN_MTIME_NS), expected(mtime_ns=UNKNOWN_MTIME_NS),
    ]  # fmt: skip


def test_what_has_no_url_is_counted() -> None:
    table = Table(Header(source="file:///data"), [expected()])
    assert b"".join(table) == b"url,path,size,etag,version_id,digest\n"
    assert (table.objects, table.without) == (0, 1)

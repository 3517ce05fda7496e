"""`mountnd://` shows what a mount shows: names, attributes and bytes, by the methods that fsspec's users call."""

from __future__ import annotations

import errno
import hashlib
import inspect
import json
import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import fsspec
import pytest
from fsspec.spec import AbstractFileSystem

from mountnd.api.asynchronous import CHANGING, METHODS
from mountnd.api.filesystem import MountndFileSystem
from tests.support import tree
from tests.support.proxy import Proxy
from tests.support.tree import Bucket

from .conftest import Made


def test_directories(fs: MountndFileSystem) -> None:
    for path, names in tree.DIRECTORIES.items():
        where = f"{path}/" if path else ""
        assert set(fs.ls(path, detail=False)) == {where + name for name in names}
        assert fs.isdir(path)
    assert fs.info("")["type"] == fs.info("sub-01")["type"] == "directory"


def test_a_file_is_listed_as_itself(fs: MountndFileSystem) -> None:
    assert fs.ls(tree.BIG, detail=False) == [tree.BIG]
    assert fs.find(tree.BIG) == [tree.BIG]


def test_info(fs: MountndFileSystem) -> None:
    info = fs.info(tree.BIG)
    body = tree.content(tree.BIG, tree.BIG_SIZE)
    assert info["name"] == tree.BIG
    assert (info["type"], info["size"]) == ("file", tree.BIG_SIZE)
    assert info["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    assert datetime.now(UTC) - info["LastModified"] < timedelta(hours=12)
    assert info["mtime"] == info["LastModified"].timestamp()
    assert fs.modified(tree.BIG) == fs.created(tree.BIG) == info["LastModified"]
    assert fs.size(tree.BIG) == tree.BIG_SIZE
    assert fs.isfile(tree.BIG) and not fs.isdir(tree.BIG) and fs.exists(tree.BIG)


def test_find_du_and_walk(fs: MountndFileSystem) -> None:
    assert fs.find("") == sorted(tree.FILES)
    found = fs.find("", detail=True)
    assert {name: info["size"] for name, info in found.items()} == tree.FILES
    assert fs.find("sub-01") == sorted(name for name in tree.FILES if name.startswith("sub-01/"))
    assert fs.find("", maxdepth=1) == sorted(name for name in tree.FILES if "/" not in name)
    assert fs.find("sub-02", withdirs=True) == sorted(
        ["sub-02", "sub-02/anat", *(name for name in tree.FILES if name.startswith("sub-02/"))]
    )
    assert fs.du("") == sum(tree.FILES.values())
    assert fs.du("sizes", total=False) == {n: size for n, size in tree.FILES.items() if n.startswith("sizes/")}
    walked = {path: ({*directories}, {*files}) for path, directories, files in fs.walk("")}
    assert {path: one | other for path, (one, other) in walked.items()} == tree.DIRECTORIES


def test_find_of_what_is_not_there_is_empty(fs: MountndFileSystem) -> None:
    assert fs.find("nosuch") == [] and fs.find("nosuch", detail=True) == {} and fs.glob("nosuch/*") == []
    with pytest.raises(ValueError, match="maxdepth"):
        fs.find("", maxdepth=0)


@pytest.mark.parametrize(
    "pattern", ["*", "sub-*", "sub-*/anat/*.nii.gz", "**/*.json", "sub-0[12]/**", "sizes/00000?1.bin", "s*/a*/s*T1w*"]
)
def test_glob(fs: MountndFileSystem, pattern: str) -> None:
    memory = fsspec.filesystem("memory", skip_instance_cache=True)
    memory.store, memory.pseudo_dirs = {}, [""]
    for name in tree.FILES:
        memory.pipe(f"/{name}", b"")
    memory.makedirs("/hollow", exist_ok=True)
    memory.makedirs("/nested/hollow", exist_ok=True)
    assert fs.glob(pattern) == sorted(name.lstrip("/") for name in memory.glob(f"/{pattern}"))


@pytest.mark.parametrize(
    ("start", "end"),
    [(None, None), (0, 10), (70_000, 200_000), (-10, None), (None, -5), (-20, -10), (tree.BIG_SIZE - 1, 1 << 40),
     (1 << 40, None), (10, 5), (0, 0), (65_535, 65_537)],
)  # fmt: skip
def test_cat_file_takes_what_a_slice_takes(fs: MountndFileSystem, start: int | None, end: int | None) -> None:
    assert fs.cat_file(tree.BIG, start, end) == tree.content(tree.BIG, tree.BIG_SIZE)[start:end]


def test_cat_of_many(fs: MountndFileSystem) -> None:
    everything = {name: tree.content(name, size) for name, size in tree.FILES.items()}
    assert fs.cat(sorted(tree.FILES)) == everything
    assert fs.cat("", recursive=True) == everything
    assert fs.cat("participants.tsv") == everything["participants.tsv"]
    assert fs.cat("sub-0*/anat/*.json") == {n: body for n, body in everything.items() if n.endswith("T1w.json")}
    some = ["participants.tsv", "nosuch", "sub-01"]
    assert fs.cat(some, on_error="omit") == {"participants.tsv": everything["participants.tsv"]}
    returned = fs.cat(some, on_error="return")
    assert [type(returned[name]) for name in some] == [bytes, FileNotFoundError, IsADirectoryError]
    with pytest.raises((FileNotFoundError, IsADirectoryError)):
        fs.cat(some)


def test_an_open_file_reads_as_files_do(fs: MountndFileSystem) -> None:
    body = tree.content(tree.BIG, tree.BIG_SIZE)
    with fs.open(tree.BIG) as file:
        assert (file.size, file.tell(), file.mode, file.path, file.fs) == (len(body), 0, "rb", tree.BIG, fs)
        assert file.read(5) == body[:5]
        assert file.seek(100_000) == 100_000
        buffer = bytearray(70_000)
        assert file.readinto(buffer) == 70_000 and buffer == body[100_000:170_000]
        assert file.seek(-7, 2) == len(body) - 7
        assert file.read() == body[-7:] and file.read() == b"" and file.read(3) == b""
        file.seek(0)
        assert file.readline() == body[: body.index(b"\n") + 1]
        file.seek(0)
        assert file.read() == body
        assert file.info() == file.details == fs.info(tree.BIG)
        assert file.full_name == f"mountnd://{tree.BIG}"
        with pytest.raises(OSError, match=r"Invalid argument|negative seek"):
            file.seek(-1)
    with pytest.raises(ValueError, match="closed"):
        file.read(1)
    with fs.open("empty/nothing.bin") as file:
        assert file.read() == b""


def test_text_and_compression(made: Made, bucket: Bucket) -> None:
    import gzip

    bucket.put_all({"a.tsv": "né\nzwei\n".encode(), "b.txt.gz": gzip.compress(b"packed\n")})
    fs = made(bucket.url, f"s3://{bucket.name}")
    with fs.open("a.tsv", "r", encoding="utf-8") as file:
        assert list(file) == ["né\n", "zwei\n"]
    assert fs.read_text("a.tsv") == "né\nzwei\n"
    with fs.open("b.txt.gz", compression="infer") as file:
        assert file.read() == b"packed\n"
    assert fs.head("a.tsv", 1) == b"n" and fs.tail("a.tsv", 5) == b"zwei\n"


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda fs: fs.info("nosuch"), FileNotFoundError),
        (lambda fs: fs.ls("nosuch/below"), FileNotFoundError),
        (lambda fs: fs.open("sub-01/nosuch"), FileNotFoundError),
        (lambda fs: fs.cat_file("nosuch"), FileNotFoundError),
        (lambda fs: fs.open("sub-01"), IsADirectoryError),
        (lambda fs: fs.cat_file("sub-01"), IsADirectoryError),
        (lambda fs: fs.ukey("nosuch"), FileNotFoundError),
    ],
)
def test_errors_are_those_of_files(fs: MountndFileSystem, call: Callable[[Any], Any], kind: type[OSError]) -> None:
    with pytest.raises(kind) as raised:
        call(fs)
    assert raised.value.filename


def test_what_is_refused_says_so(made: Made, dataset: Bucket, proxy: Proxy) -> None:
    proxy.rule("status", path=dataset.path(tree.BIG), status=403, code="AccessDenied")
    proxy.rule("status", path=dataset.path("participants.tsv"), status=503)
    fs = made(proxy.url, f"s3://{dataset.name}", probe=False, timeout=1)
    with pytest.raises(PermissionError, match="Permission denied: ") as raised:
        fs.cat_file(tree.BIG)
    assert raised.value.filename == tree.BIG
    with pytest.raises(OSError, match="Input/output error") as failed:
        fs.cat_file("participants.tsv")
    assert failed.value.errno in (errno.EIO, errno.ETIMEDOUT)
    results = fs.cat_ranges([tree.BIG, "sub-01/anat/sub-01_T1w.json", "nosuch"], 0, 4)
    assert isinstance(results[0], PermissionError) and isinstance(results[2], FileNotFoundError)
    assert results[1] == tree.content("sub-01/anat/sub-01_T1w.json", 1_200)[:4]
    with pytest.raises(PermissionError):
        fs.cat_ranges([tree.BIG], 0, 4, on_error="raise")


def test_an_open_file_never_mixes_versions(made: Made, bucket: Bucket) -> None:
    size = 12 * tree.MIB
    bucket.put("f", tree.version(1, size))
    fs = made(bucket.url, f"s3://{bucket.name}", memory="8M", cache_size=0, ttl=0)
    before = fs.ukey("f"), fs.checksum("f")
    with fs.open("f") as file:
        assert tree.versions_in(file.read(1000)) == {1}
        bucket.put("f", tree.version(2, size))
        file.seek(size - 50_000)
        with pytest.raises(OSError, match="Stale file handle") as raised:
            file.read(50_000)
        assert raised.value.errno == errno.ESTALE
    assert tree.versions_in(fs.cat_file("f")) == {2}
    assert fs.ukey("f") != before[0] and fs.checksum("f") != before[1]


def test_names_are_believed_until_they_are_refreshed(made: Made, bucket: Bucket) -> None:
    bucket.put("d/a", b"1")
    fs = made(bucket.url, f"s3://{bucket.name}")
    assert fs.ls("d", detail=False) == ["d/a"]
    bucket.put("d/b", b"2")
    assert fs.ls("d", detail=False) == ["d/a"]
    assert fs.ls("d", detail=False, refresh=True) == ["d/a", "d/b"]
    bucket.put("d/c", b"3")
    fs.invalidate_cache("d")
    assert fs.exists("d/c")
    bucket.put("d/d", b"4")
    fs.invalidate_cache()
    assert fs.exists("d/d")


@pytest.mark.parametrize("name", CHANGING)
def test_nothing_is_changed(fs: MountndFileSystem, name: str) -> None:
    with pytest.raises(OSError, match="Read-only file system") as raised:
        getattr(fs, name)("participants.tsv", "x")
    assert raised.value.errno == errno.EROFS


@pytest.mark.parametrize(
    "call",
    [
        lambda fs: fs.open("new", "wb"), lambda fs: fs.open("participants.tsv", "ab"), lambda fs: fs.open("new", "xb"),
        lambda fs: fs.open("participants.tsv", "r+b"), lambda fs: fs.open("new", "w"), lambda fs: fs.pipe("new", b""),
        lambda fs: fs.write_text("new", ""), lambda fs: fs.mv("participants.tsv", "new"),
        lambda fs: fs.copy("participants.tsv", "new"), lambda fs: fs.rm("participants.tsv"),
        lambda fs: fs.mkdirs("new"), lambda fs: fs.delete("sub-01", recursive=True), lambda fs: fs.put(__file__, "new"),
    ],
)  # fmt: skip
def test_whatever_writes_is_refused(fs: MountndFileSystem, call: Callable[[Any], Any]) -> None:
    with pytest.raises(OSError) as raised:
        call(fs)
    assert raised.value.errno == errno.EROFS
    fs.makedirs("sub-01", exist_ok=True)  # it is there


def test_each_asynchronous_method_has_its_synchronous_one() -> None:
    for name in (*METHODS, *CHANGING):
        assert inspect.iscoroutinefunction(getattr(MountndFileSystem, f"_{name}"))
        own = getattr(MountndFileSystem, name)
        assert name in ("glob", "get_file", "isdir", "isfile") or own is not getattr(AbstractFileSystem, name, None)


def test_instances_and_their_trees_are_shared(made: Made, dataset: Bucket, fs: MountndFileSystem) -> None:
    given = fs.storage_options
    assert MountndFileSystem(**given) is fs
    other = MountndFileSystem(**given, skip_instance_cache=True)
    assert other is not fs
    assert other.tree_of("")[0] is fs.tree_of("")[0]
    again = pickle.loads(pickle.dumps(fs))
    assert again is fs
    told = json.loads(fs.to_json())
    assert told["protocol"] == "mountnd"
    assert AbstractFileSystem.from_json(json.dumps(told)) is fs
    with fs.open(tree.BIG) as file:
        file.seek(1000)
        copy = pickle.loads(pickle.dumps(file))
        assert copy.read(10) == file.read(10)
        copy.close()

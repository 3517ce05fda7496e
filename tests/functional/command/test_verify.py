"""`mountnd verify`, as it is typed: bytes through mounts and of sources, compared with all that is known of them."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anycrc
import pytest

from mountnd.lockfile.header import Header
from mountnd.lockfile.record import Locked
from mountnd.lockfile.writing import write
from tests.support import cli, tree
from tests.support.cli import run_mountnd
from tests.support.place import BucketPlace
from tests.support.proxy import Proxy
from tests.support.quirky import Quirky, quirky_server, thing
from tests.support.servers import dandi_server, s3_client

pytestmark = pytest.mark.kernel

MIB = 1 << 20
BOLD, T1 = "sub-01/func/sub-01_task-rest_bold.nii", "sub-01/anat/sub-01_T1w.nii.gz"
FILES = {
    "dataset_description.json": b'{"Name": "x", "BIDSVersion": "1.9.0"}',
    BOLD: tree.content(BOLD, 3 * MIB + 7),
    # Shorter than what comes by several GETs, all of which a proxy may spoil: an object's first bytes are compared
    # under its ETag, and would tell that it means nothing.
    T1: tree.content("t1", 150_000),
    "sub-02/anat/sub-02_T1w.nii.gz": tree.content("t2", 100_000),
    "sub-02/empty.txt": b"",
}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


@pytest.fixture
def bucket(bucket: tree.Bucket) -> tree.Bucket:
    bucket.put_all(FILES)
    return bucket


@pytest.fixture
def where(tmp_path: Path) -> Iterator[Path]:
    with cli.mountpoint(tmp_path.resolve() / "mnt") as path:
        yield path


class Place(BucketPlace):
    def verify(self, *words: str | Path, code: int = 0) -> tuple[dict[str, Any], str]:
        """Of the source itself."""
        return verified(self.source, *words, *self.options, code=code)

    def spoil(self, key: str, times: int | None = None) -> None:
        """From now on the bytes of this object come changed, under the right ETag."""
        self.proxy.rule("flip", method="GET", path=self.bucket.path(key), times=times)


def verified(*words: str | Path, code: int = 0) -> tuple[dict[str, Any], str]:
    """`mountnd verify WORDS --json`: its one job, and the standard error."""
    done = run_mountnd("verify", *words, "--json")
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout)["jobs"][0] if done.stdout else {}, done.stderr


def by(told: dict[str, Any]) -> dict[str, int]:
    """How many files were checked by what."""
    return {f"{row['kind']} {row['algorithm']}": row["files"] for row in told["by"]}


@pytest.fixture
def place(bucket: tree.Bucket, proxy: Proxy, tmp_path: Path, where: Path) -> Place:
    return Place(bucket, proxy, tmp_path / "cache", where)


class TestOfASource:
    def test_all_match_by_their_etags(self, place: Place) -> None:
        told, err = place.verify()
        assert (told["files"], told["verified"], told["unknown"]) == (len(FILES), len(FILES), 0)
        assert by(told)["etag md5"] == len(FILES) and told["findings"] == [] and err == ""
        assert told["read_bytes"] == sum(map(len, FILES.values())) == told["verified_bytes"]

    def test_bytes_that_are_changed_under_the_right_etag_are_named(self, place: Place) -> None:
        place.spoil(T1)
        told, err = place.verify("--by", "etag", code=1)
        (finding,) = told["findings"]
        assert told["verified"] == len(FILES) - 1 and told["mismatch"] == 1
        assert (finding["path"], finding["what"], finding["key"]) == (T1, "mismatch", T1)
        wrong = FILES[T1][:-1] + bytes([FILES[T1][-1] ^ 1])
        assert finding["expected"][0]["value"] == md5(FILES[T1]) and finding["found"] == {"md5": md5(wrong)}
        assert finding["from_source"] == len(FILES[T1]) and finding["from_disk"] == 0
        assert "1 of the files" in err

    def test_what_is_shown_to_a_person(self, place: Place) -> None:
        place.spoil(BOLD)
        done = run_mountnd("verify", place.source, *place.options, "--from-source")
        assert done.returncode == 1
        assert f"{len(FILES) - 1} of {len(FILES)} files match" in done.stdout and "1 do not match" in done.stdout
        assert "ETag (an MD5)" in done.stdout
        assert f"{BOLD}: its bytes are not those" in done.stderr and f"expected md5 {md5(FILES[BOLD])}" in done.stderr
        assert "it differs as well: it is the source" in done.stderr

    def test_only_what_is_asked_for(self, place: Place) -> None:
        told, _ = place.verify("--sub", "01", "--suffix", "bold")
        assert (told["files"], told["belonging"]) == (2, 1)
        told, _ = place.verify("--include", "sub-02", "--exclude", "*.txt")
        assert told["files"] == 1

    def test_dry_run_reads_nothing(self, place: Place) -> None:
        told, _ = place.verify("--dry-run")
        assert by(told)["etag md5"] == len(FILES) and told["read_bytes"] == told["verified"] == 0
        assert sum(r.sent for r in place.proxy.gets()) <= 1
        done = run_mountnd("verify", place.source, *place.options, "-n")
        assert done.returncode == 0 and f"{len(FILES)} of {len(FILES)} files can be checked" in done.stdout

    def test_what_cannot_be_read_is_named_and_the_rest_checked(self, place: Place) -> None:
        place.proxy.rule("status", path=place.bucket.path(T1), status=403, code="AccessDenied")
        told, _ = place.verify(code=1)
        (finding,) = told["findings"]
        assert (finding["path"], finding["what"]) == (T1, "unreadable") and "denied" in finding["reason"].lower()
        assert told["verified"] == len(FILES) - 1 and told["not_asked"]["files"] == 1

    def test_a_head_that_is_refused_leaves_the_rest(self, place: Place) -> None:
        place.proxy.rule("status", method="HEAD", prefix=f"/{place.bucket.name}/sub", status=403, code="AccessDenied")
        told, _ = place.verify()
        assert told["verified"] == len(FILES) and told["not_asked"]["files"] == len(FILES) - 1

    def test_one_that_was_replaced_after_it_was_listed(self, place: Place) -> None:
        place.verify("--dry-run")
        place.bucket.put(T1, b"new" * 50)
        told, _ = place.verify("--ttl", "1000")
        assert told["verified"] == len(FILES)

    def test_what_it_asks_for(self, place: Place) -> None:
        """A HEAD for each file, one GET for a small one; no HEAD where nothing is asked of the store."""
        place.verify()
        heads = [r.path for r in place.proxy.requests() if r.method == "HEAD" and r.path != f"/{place.bucket.name}"]
        assert sorted(heads) == sorted(place.bucket.path(key) for key in FILES)
        assert len([r for r in place.proxy.gets(place.bucket.path(T1)) if r.sent > 1]) <= 2
        assert sum(r.sent for r in place.proxy.gets()) <= sum(map(len, FILES.values())) + 70_000
        place.proxy.clear()
        place.verify("--by", "etag,manifest,annex")
        assert not [r for r in place.proxy.requests() if r.method == "HEAD" and r.path != f"/{place.bucket.name}"]

    def test_ctrl_c_keeps_what_it_has(self, place: Place) -> None:
        place.proxy.rule("hold", path=place.bucket.path(BOLD), method="GET")
        words = [*cli.MOUNTND, "verify", place.source, *place.options, "--json"]
        process = subprocess.Popen(
            ["env", "--default-signal=INT", *words], env=cli.environment(), cwd="/",
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            place.proxy.await_request(lambda r: r.path.endswith(BOLD) and r.open and r.method == "GET")
            place.proxy.await_request(lambda r: r.path.endswith("sub-02_T1w.nii.gz") and not r.open and r.sent > 1)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            with process:
                process.kill()
        assert process.returncode == 130, err
        (told,) = json.loads(out)["jobs"]
        assert told["stopped"] == "interrupted" and told["verified"] < len(FILES)
        assert f"of {len(FILES)} files" in err and "Traceback" not in err

    @pytest.mark.parametrize(
        ("words", "code", "says"),
        [
            (["--by", "etags"], 2, "lockfile, etag"),
            (["--by", ""], 2, "--by"),
            (["--sub", "99"], 1, "What is there: --sub: 01, 02"),
            (["--include", ".."], 2, "no pattern"),
            (["-0"], 2, "--from"),
            (["--no-such"], 2, "--no-such"),
            (["--by", "annex"], 3, "nothing could be checked"),
        ],
    )
    def test_mistakes(self, place: Place, words: list[str], code: int, says: str) -> None:
        _, err = place.verify(*words, code=code)
        assert says in err and err.count("\n") == 1

    def test_words_that_are_nothing(self, tmp_path: Path) -> None:
        for words in (["verify"], ["verify", str(tmp_path)], ["verify", "openneur"]):
            done = run_mountnd(*words)
            assert done.returncode == 2, done.stderr
            assert done.stderr.count("\n") == 1 and done.stdout == ""


class TestChecksumsOfS3:
    @pytest.fixture
    def client(self, bucket: tree.Bucket) -> Any:
        return s3_client(bucket.url)

    def put(self, client: Any, place: Place, key: str, body: bytes, **more: Any) -> None:
        client.put_object(Bucket=place.bucket.name, Key=key, Body=body, ACL="public-read", **more)

    @pytest.mark.parametrize("algorithm", ["SHA256", "SHA1", "CRC32", "CRC32C"])
    def test_of_the_whole_object(self, place: Place, client: Any, algorithm: str) -> None:
        body = b"a" * 300_000
        given = {"ChecksumAlgorithm": algorithm}
        if algorithm == "CRC32C":  # boto3 would need awscrt to compute it
            crc = anycrc.Model("CRC32-ISCSI").calc(body)
            given["ChecksumCRC32C"] = base64.b64encode(crc.to_bytes(4, "big")).decode()
        self.put(client, place, "summed/a.nii", body, **given)
        told, _ = place.verify("--include", "summed")
        assert by(told) == {"etag md5": 1, f"checksum {algorithm.lower()}": 1}
        told, _ = place.verify("--include", "summed", "--by", "checksum")
        assert by(told) == {f"checksum {algorithm.lower()}": 1}
        place.proxy.rule("flip", method="GET", path=place.bucket.path("summed/a.nii"))
        told, _ = place.verify("--include", "summed", "--by", "checksum", "--cache-size", "0", code=1)
        (finding,) = told["findings"]
        assert finding["expected"][0]["by"] == f"x-amz-checksum-{algorithm.lower()}"

    def test_an_upload_in_parts_is_not_checked_by_what_is_of_its_parts(self, place: Place, client: Any) -> None:
        name, key = place.bucket.name, "parts/b.nii"
        upload = client.create_multipart_upload(Bucket=name, Key=key, ACL="public-read", ChecksumAlgorithm="SHA256")
        parts = []
        for number, body in enumerate((b"1" * 5 * MIB, b"2" * 1000), 1):
            part = client.upload_part(
                Bucket=name, Key=key, UploadId=upload["UploadId"], PartNumber=number, Body=body,
                ChecksumAlgorithm="SHA256",
            )  # fmt: skip
            parts.append({"PartNumber": number, "ETag": part["ETag"], "ChecksumSHA256": part.get("ChecksumSHA256", "")})
        client.complete_multipart_upload(
            Bucket=name, Key=key, UploadId=upload["UploadId"], MultipartUpload={"Parts": parts}
        )
        told, _ = place.verify("--include", "parts", "--list-unknown", code=3)
        (finding,) = told["findings"]
        assert (finding["path"], finding["what"], told["unknown"]) == (key, "unknown", 1)
        told, _ = place.verify()
        assert (told["unknown"], told["verified"]) == (1, len(FILES))

    def test_an_object_under_a_key_of_kms(self, place: Place, client: Any) -> None:
        """moto's ETag of it is the MD5 all the same: what says that it need not be one is the header."""
        self.put(client, place, "kms/c.nii", b"c" * 1000, ServerSideEncryption="aws:kms")
        told, _ = place.verify("--include", "kms", "--by", "etag,manifest", "--dry-run")
        place.proxy.rule("flip", method="GET", path=place.bucket.path("kms/c.nii"))
        told, _ = place.verify("--include", "kms", "--by", "etag", code=3)
        assert told["unknown"] == 1 and told["findings"] == []


class TestETagsThatNeedNotBeMd5s:
    @pytest.fixture
    def server(self) -> Iterator[Quirky]:
        with quirky_server() as server:
            yield server

    def verify(self, server: Quirky, tmp_path: Path, *words: str, code: int = 0) -> tuple[dict[str, Any], str]:
        options = ["--endpoint-url", server.url, "--anonymous", "--cache-dir", str(tmp_path / "cache")]
        return verified("s3://bkt", *words, *options, code=code)

    def test_none_of_a_server_is(self, server: Quirky, tmp_path: Path) -> None:
        """Named, and not called wrong."""
        server.hold({f"{i}.nii": thing(b"%d" % i * 100, etag=md5(b"another%d" % i)) for i in range(4)})
        told, _ = self.verify(server, tmp_path, code=1)
        assert (told["doubt"], told["mismatch"], told["verified"]) == (4, 0, 0)
        assert all("either they are not, or the bytes are wrong" in finding["reason"] for finding in told["findings"])

    def test_others_of_the_server_are(self, server: Quirky, tmp_path: Path) -> None:
        server.hold({"good.nii": b"good" * 100, "bad.nii": thing(b"bad" * 100, etag=md5(b"was good"))})
        told, _ = self.verify(server, tmp_path, code=1)
        assert (told["mismatch"], told["doubt"]) == (1, 0) and told["findings"][0]["path"] == "bad.nii"

    def test_one_file_alone_is_judged_by_others_that_lie_beside_it(self, server: Quirky, tmp_path: Path) -> None:
        bad = thing(b"bad" * 100, etag=md5(b"was good"))
        server.hold({"d/bad.nii": bad, "d/good.json": b"{}", "d/odd.json": thing(b"[]", etag=md5(b"odd"))})
        told, _ = self.verify(server, tmp_path, "--include", "bad.nii", code=1)
        assert (told["mismatch"], told["doubt"], told["files"]) == (1, 0, 1)
        server.hold({"d/bad.nii": bad, "d/odd.json": thing(b"[]", etag=md5(b"odd"))})
        told, _ = self.verify(server, tmp_path / "other", "--include", "bad.nii", code=1)
        assert (told["mismatch"], told["doubt"]) == (0, 1)

    def test_what_another_digest_vouches_for_is_right(self, server: Quirky, tmp_path: Path) -> None:
        body = b"x" * 100
        sums = f"{sha256(body)}  x.nii\n".encode()
        server.hold({"x.nii": thing(body, etag=md5(b"other")), "sha256sums": sums})
        told, _ = self.verify(server, tmp_path)
        assert told["verified"] == 2 and by(told) == {"etag md5": 1, "manifest sha256": 1}

    @pytest.mark.parametrize(
        "headers",
        [
            {"x-amz-server-side-encryption": "aws:kms"},
            {"x-amz-server-side-encryption": "aws:kms:dsse"},
            {"x-amz-server-side-encryption-customer-algorithm": "AES256"},
        ],
    )
    def test_encryption_with_keys_of_ones_own(self, server: Quirky, tmp_path: Path, headers: dict[str, str]) -> None:
        server.hold({"a.nii": b"a" * 100, "b.nii": thing(b"b" * 100, etag=md5(b"other"), headers=headers)})
        told, _ = self.verify(server, tmp_path)
        assert (told["verified"], told["unknown"]) == (1, 1)


class TestChecksumFiles:
    def test_in_all_forms(self, place: Place) -> None:
        data = {
            f"d/{name}": name.encode() * 100
            for name in ("gnu.nii", "star.nii", "bsd.nii", "back\\slash.nii", "one.nii")
        }
        gnu = f"{sha256(data['d/gnu.nii'])}  gnu.nii\n{sha256(data['d/star.nii'])} *./star.nii\n"
        escaped = f"\\{sha256(data['d/back' + chr(92) + 'slash.nii'])}  back\\\\slash.nii\n"
        bsd = f"# made by hand\nMD5 (d/bsd.nii) = {md5(data['d/bsd.nii'])}\n"
        place.bucket.put_all(data)
        place.bucket.put("d/sha256sums", (gnu + escaped).encode())
        place.bucket.put("CHECKSUMS", bsd.encode())
        place.bucket.put("d/one.nii.md5", f"{md5(data['d/one.nii'])}\n".encode())
        told, _ = place.verify("--by", "manifest")
        assert by(told) == {"manifest sha256": 3, "manifest md5": 2} and told["verified"] == 5
        told, _ = verified(f"{place.source}/d", "--by", "manifest", *place.options)
        assert by(told) == {"manifest sha256": 3, "manifest md5": 1}

    def test_those_above_count_and_what_is_missing_or_wrong_is_named(self, place: Place) -> None:
        sums = (
            f"{sha256(FILES[T1])}  {T1}\n{'0' * 64}  {BOLD}\n{'1' * 64}  sub-01/gone.nii\n{'1' * 64}  sub-02/gone.nii\n"
        )
        place.bucket.put("sha256sums", (sums + "nonsense\n").encode())
        place.mount()
        told, _ = verified(place.mnt / "sub-01", code=1)
        found = {finding["path"]: finding for finding in told["findings"]}
        assert set(found) == {f"{place.mnt}/{BOLD}", f"{place.mnt}/sub-01/gone.nii"}
        wrong = found[f"{place.mnt}/{BOLD}"]
        assert wrong["expected"][0]["by"] == "sha256sums, line 2" and wrong["found"] == {"sha256": sha256(FILES[BOLD])}
        assert [one["kind"] for one in wrong["agrees"]] == ["etag"]
        assert found[f"{place.mnt}/sub-01/gone.nii"]["what"] == "missing"
        assert any("line 5" in remark for remark in told["remarks"])

    def test_a_file_in_a_mount_alone(self, place: Place) -> None:
        place.bucket.put("sub-01/anat/md5sum.txt", f"{md5(FILES[T1])}  {T1.rpartition('/')[2]}\n".encode())
        place.mount()
        told, _ = verified(place.mnt / T1)
        assert told["files"] == 1 and by(told) == {"etag md5": 1, "manifest md5": 1}

    def test_names_of_annex_keys(self, place: Place) -> None:
        good, bad = b"good" * 10, b"bad" * 10
        place.bucket.put(f"annex/MD5E-s40--{md5(good)}.nii.gz", good)
        place.bucket.put(f"annex/SHA256E-s30--{sha256(good)}.json", bad)
        told, _ = place.verify("--by", "annex", code=1)
        assert told["verified"] == 1 and told["findings"][0]["path"].startswith("annex/SHA256E")


class TestThroughAMount:
    def test_paths_in_it(self, place: Place) -> None:
        place.mount()
        told, _ = verified(place.mnt / "sub-01", place.mnt / "sub-02/empty.txt")
        assert (told["files"], told["verified"]) == (3, 3)
        done = run_mountnd("verify", "anat", cwd=place.mnt / "sub-02")
        assert done.returncode == 0 and "1 of 1 file match" in done.stdout, done.stderr

    def test_a_list_of_paths(self, place: Place, tmp_path: Path) -> None:
        place.mount()
        lists = tmp_path / "list"
        lists.write_text(f"{place.mnt}/{T1}\n{place.mnt}/sub-09/none\n/etc/hostname\n")
        done = run_mountnd("verify", "--from", lists, "--json")
        told = json.loads(done.stdout)
        assert done.returncode == 1 and told["strays"] == ["/etc/hostname"]
        assert told["jobs"][0]["verified"] == 1 and told["jobs"][0]["findings"][0]["path"] == f"{place.mnt}/sub-09/none"

    def test_wrong_bytes_in_the_cache_are_told_from_wrong_bytes_at_the_source(self, place: Place) -> None:
        place.spoil(T1)
        place.mount()
        assert (place.mnt / T1).read_bytes() != FILES[T1]
        place.unmount()
        place.proxy.behave()
        place.mount()
        told, _ = verified(place.mnt / T1, place.mnt / "sub-02", code=1)
        (finding,) = told["findings"]
        assert (finding["from_disk"], finding["from_source"]) == (len(FILES[T1]), 0) and finding["source"] is None
        done = run_mountnd("verify", place.mnt / T1, place.mnt / "sub-02", "--from-source")
        assert done.returncode == 1
        assert "read again past the caches it matches" in done.stderr and f"mountnd cache clear {T1}" in done.stderr
        assert (place.mnt / T1).read_bytes() != FILES[T1]  # nothing is mended
        place.unmount()
        assert run_mountnd("cache", "clear", T1, "--cache-dir", place.cache).returncode == 0
        place.mount()
        told, _ = verified(place.mnt / T1)
        assert told["verified"] == 1

    def test_a_damaged_block_on_disk_is_read_anew_and_told(self, place: Place) -> None:
        told, _ = place.verify()
        assert told["damaged"] == 0
        for chunk in (place.cache / "blocks").glob("??/*"):
            data = bytearray(chunk.read_bytes())
            data[-200:] = bytes(byte ^ 255 for byte in data[-200:])  # of its last block
            chunk.write_bytes(data)
        told, _ = place.verify()
        assert told["verified"] == len(FILES) and told["damaged"] > 0
        done = run_mountnd("verify", place.source, *place.options)
        assert done.returncode == 0

    def test_it_does_not_count_as_read_by_programs(self, place: Place) -> None:
        place.mount()
        verified(place.mnt)
        report = run_mountnd("report", place.mnt, "--format", "json")
        assert report.returncode == 0, report.stderr
        assert [file["asked"] for file in json.loads(report.stdout)["files"] if file.get("asked")] == []

    def test_its_options_are_its_own_and_a_mount_that_is_gone(self, place: Place) -> None:
        place.mount()
        _, err = verified(place.mnt, "--profile", "x", code=2)
        assert "--profile" in err and "with options of its own" in err
        record = cli.daemon_record(place.mnt)
        os.kill(record.pid, signal.SIGKILL)
        done = run_mountnd("verify", place.mnt)
        assert done.returncode in (1, 2) and done.stderr.count("\n") == 1 and "Traceback" not in done.stderr

    def test_offline_what_is_cached_is_checked(self, place: Place) -> None:
        place.verify("--include", "sub-02")
        place.verify("--dry-run")
        place.proxy.down()
        place.mount("--offline")
        told, _ = verified(place.mnt / "sub-02")
        assert told["verified"] == told["files"] == 2
        told, _ = verified(place.mnt / T1, code=1)
        assert told["unreadable"] == 1


class TestWhatOthersKnow:
    def test_dandi(self, tmp_path: Path) -> None:
        files = tmp_path / "files"
        (files / "sub-1").mkdir(parents=True)
        (files / "sub-1/a.nwb").write_bytes(b"a" * 70_000)
        (files / "sub-1/a.nwb.json").write_bytes(b"{}")
        (files / "sub-1/b.nwb").write_bytes(b"this is damaged")
        with dandi_server(files) as url:
            told, _ = verified(
                "dandi://000026", "--endpoint-url", f"{url}/api", "--cache-dir", tmp_path / "cache", code=1
            )
        assert told["verified"] == 2 and by(told) == {"dandi sha256": 2, "dandi dandi-etag": 2}
        (finding,) = told["findings"]
        assert finding["path"] == "sub-1/b.nwb" and {one["by"] for one in finding["expected"]} == {
            "dandi:dandi-etag", "dandi:sha2-256",
        }  # fmt: skip

    def test_a_lockfile(self, place: Place, tmp_path: Path) -> None:
        git = hashlib.sha1(b"blob %d\0" % len(FILES[T1]) + FILES[T1]).hexdigest()
        records = [
            Locked(T1, T1, "", len(FILES[T1]), f'"{md5(FILES[T1])}"', digest=f"git-sha1:{git}"),
            Locked(BOLD, BOLD, "", len(FILES[BOLD]), f'"{md5(FILES[BOLD])}"', digest=f"sha256:{'0' * 64}"),
        ]
        lock = tmp_path / "data.lock"
        write(lock, Header(source=place.source, endpoint_url=place.proxy.url), records)
        told, _ = verified(lock, "--anonymous", "--cache-dir", place.cache, code=1)
        assert told["verified"] == 1 and by(told) == {"lockfile git-sha1": 1, "etag md5": 1}
        (finding,) = told["findings"]
        assert finding["path"] == BOLD and finding["expected"][0]["by"] == "lockfile data.lock"
        done = run_mountnd(lock, place.mnt, "--anonymous", "--cache-dir", place.cache)
        assert done.returncode == 0, done.stderr
        told, _ = verified(place.mnt / T1, "--by", "lockfile")
        assert by(told) == {"lockfile git-sha1": 1}

    def test_a_finding_names_the_key_of_an_object_that_a_lockfile_shows_elsewhere(
        self, place: Place, tmp_path: Path
    ) -> None:
        wrong = f"sha256:{'0' * 64}"
        record = Locked("renamed/bold.nii", BOLD, "", len(FILES[BOLD]), f'"{md5(FILES[BOLD])}"', digest=wrong)
        lock = tmp_path / "renamed.lock"
        write(lock, Header(source=place.source, endpoint_url=place.proxy.url), [record])
        told, _ = verified(lock, "--anonymous", "--cache-dir", place.cache, code=1)
        (finding,) = told["findings"]
        assert (finding["path"], finding["key"]) == ("renamed/bold.nii", BOLD)

    def test_a_version_that_is_not_the_current_one(self, place: Place, tmp_path: Path) -> None:
        """What the store says is asked of that version, too."""
        client, name = s3_client(place.bucket.url), place.bucket.name
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        old, new = b"old" * 1000, b"new" * 1000
        ids = [
            client.put_object(Bucket=name, Key="v.nii", Body=body, ACL="public-read", ChecksumAlgorithm="SHA256")
            for body in (old, new)
        ]
        lock = tmp_path / "old.lock"
        record = Locked("v.nii", "v.nii", ids[0]["VersionId"], len(old), f'"{md5(old)}"', digest=f"md5:{md5(old)}")
        write(lock, Header(source=place.source, endpoint_url=place.proxy.url), [record])
        told, _ = verified(lock, "--anonymous", "--cache-dir", place.cache)
        assert by(told) == {"lockfile md5": 1, "etag md5": 1, "checksum sha256": 1}
        place.proxy.rule("flip", method="GET", path=place.bucket.path("v.nii"))
        told, _ = verified(lock, "--anonymous", "--cache-dir", place.cache, "--cache-size", "0", code=1)
        assert told["findings"][0]["version"] == ids[0]["VersionId"]

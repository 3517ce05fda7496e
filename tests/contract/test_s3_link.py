"""How an S3 bucket is reached: who signs, in which region, at which endpoint, trusting whom; all carriers alike."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mountnd.errors import Forbidden, NoCredentials, StoreError, Unreachable, WrongRegion
from mountnd.stores.base import ObjectId
from mountnd.stores.fsspec import FsspecStore
from mountnd.stores.s3 import S3Store

from ..servers import Answer, Scripted, program, scripted_server
from .contract import listed, read, soon

ETAG = '"t"'
EMPTY = b"<ListBucketResult></ListBucketResult>"
LIST = Answer(200, {"Content-Length": str(len(EMPTY))}, EMPTY)
BYTE = Answer(
    206,
    {
        "Content-Range": "bytes 0-0/5",
        "Content-Length": "1",
        "ETag": ETAG,
        "Last-Modified": "Mon, 12 Oct 2009 17:50:00 GMT",
    },
    b"x",
)
HEAD = Answer(200, {"Content-Length": "5", "ETag": ETAG, "Last-Modified": "Mon, 12 Oct 2009 17:50:00 GMT"})
ALL = {"HEAD /bkt/k": HEAD, "GET /bkt/k": BYTE, "GET /bkt/odd//k": BYTE, "GET *": LIST}

Asked = list[tuple[str, str, dict[str, str]]]


def ask_all(store: S3Store) -> None:
    """One of each request: LIST, HEAD, and bytes by the carrier and by botocore."""
    store.list_page("", deadline=soon())
    store.head("k", deadline=soon())
    read(store, ObjectId(store.source, "k", ETAG), 0, 1)
    read(store, ObjectId(store.source, "odd//k", ETAG), 0, 1)
    store.close()


@pytest.fixture(params=["wire", "obstore"])
def make(request: pytest.FixtureRequest, stage: Scripted) -> Callable[..., S3Store]:
    """Makes a store on the stage, which answers everything."""
    stage.play(ALL)

    def make(**how: Any) -> S3Store:
        return S3Store("bkt", **{"endpoint_url": stage.url, "region": "us-east-1", "carrier": request.param, **how})

    return make


Make = Callable[..., S3Store]


def scopes(asked: Asked) -> set[str]:
    """Who signed for where: `key/region` of each Authorization header, "" for an unsigned request."""
    found = set()
    for _, _, headers in asked:
        credential = headers.get("authorization", "").partition("Credential=")[2].split("/")
        found.add("/".join((credential[0], credential[2])) if len(credential) > 2 else "")
    return found


# who signs


@pytest.mark.usefixtures("signed")
def test_signs_with_what_the_chain_finds(make: Make, stage: Scripted) -> None:
    store = make()
    ask_all(store)
    assert scopes(stage.log()) == {"test/us-east-1"}
    assert store.notice == ""


@pytest.mark.usefixtures("signed")
def test_anonymous_never_signs(make: Make, stage: Scripted) -> None:
    ask_all(make(anonymous=True))
    assert scopes(stage.log()) == {""}


def test_without_credentials_it_reads_unsigned_and_says_so(make: Make, stage: Scripted) -> None:
    store = make()
    store.probe(soon())
    assert "unsigned" in store.notice
    ask_all(store)
    assert scopes(stage.log()) == {""}


def test_without_credentials_where_some_are_needed(make: Make, stage: Scripted) -> None:
    with pytest.raises(NoCredentials, match="aws configure"):
        make(anonymous=False).probe(soon())
    assert stage.log() == []


@pytest.fixture
def aws_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Writes the AWS files: (credentials, config)."""

    def write(credentials: str, config: str = "") -> None:
        for name, text in (("AWS_SHARED_CREDENTIALS_FILE", credentials), ("AWS_CONFIG_FILE", config)):
            path = tmp_path / name
            path.write_text(text)
            monkeypatch.setenv(name, str(path))

    return write


def test_a_profile_is_used(make: Make, stage: Scripted, aws_files: Callable[..., None]) -> None:
    aws_files(
        "[default]\naws_access_key_id=d\naws_secret_access_key=s\n[hcp]\naws_access_key_id=h\naws_secret_access_key=s"
    )
    ask_all(make(profile="hcp"))
    assert scopes(stage.log()) == {"h/us-east-1"}


def test_a_missing_profile_is_named(make: Make, stage: Scripted, aws_files: Callable[..., None]) -> None:
    aws_files("[default]\naws_access_key_id=d\naws_secret_access_key=s\n")
    with pytest.raises(NoCredentials, match=r"'hcp'.*default.*aws configure --profile hcp"):
        make(profile="hcp").probe(soon())
    aws_files("", "[profile hcp]\nregion=us-east-1\n")
    with pytest.raises(NoCredentials, match="'hcp'"):
        make(profile="hcp").probe(soon())
    assert stage.log() == []


def test_credentials_that_end_are_renewed(
    make: Make, stage: Scripted, aws_files: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a credential process, whose keys are always about to end: the session asks it anew, and so do the carriers."""
    from mountnd.stores.s3 import bodies, signing

    monkeypatch.setattr(bodies, "_CREDENTIALS_S", 0.0)  # each request is a minute later
    monkeypatch.setattr(signing, "KEEP_S", -1.0)
    script = tmp_path / "process.py"
    script.write_text(
        "import json, pathlib, datetime\n"
        f"count = pathlib.Path({str(tmp_path / 'count')!r})\n"
        "n = int(count.read_text()) + 1 if count.exists() else 1\n"
        "count.write_text(str(n))\n"
        "end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=30)\n"
        'print(json.dumps({"Version": 1, "AccessKeyId": f"key{n}", "SecretAccessKey": "s", "SessionToken": f"token{n}",'
        ' "Expiration": end.isoformat()}))\n'
    )
    aws_files("", f"[default]\ncredential_process = {sys.executable} {script}\n")
    store = make()
    id = ObjectId(store.source, "k", ETAG)
    for _ in range(3):
        read(store, id, 0, 1)
    store.close()
    tokens = [headers["x-amz-security-token"] for method, _, headers in stage.log() if method == "GET"]
    assert len(set(tokens)) == 3
    assert [f"token{scope.removeprefix('key').split('/')[0]}" for scope in sorted(scopes(stage.log()))] == sorted(
        tokens
    )


def test_after_an_expired_token_the_files_are_read_anew(
    make: Make, stage: Scripted, aws_files: Callable[..., None]
) -> None:
    def files(key: str) -> None:
        aws_files(f"[default]\naws_access_key_id={key}\naws_secret_access_key=s\naws_session_token=t\n")

    body = b"<Error><Code>ExpiredToken</Code></Error>"
    expired = Answer(400, {"Content-Length": str(len(body))}, body)
    files("old")
    store = make()
    store.probe(soon())
    stage.play({"GET *": expired})
    for ask in (lambda: store.probe(soon()), lambda: read(store, ObjectId(store.source, "k", ETAG), 0, 1)):
        with pytest.raises(Forbidden, match="expired"):
            ask()
    files("new")
    stage.play(ALL)
    read(store, ObjectId(store.source, "k", ETAG), 0, 1)
    assert scopes(stage.log()) == {"new/us-east-1"}
    store.close()


# where


@pytest.mark.usefixtures("signed")
@pytest.mark.parametrize("status", [200, 301, 403, 400])
def test_an_open_region_is_asked_by_one_unsigned_head(make: Make, stage: Scripted, status: int) -> None:
    stage.play({**ALL, "HEAD /bkt": Answer(status, {"x-amz-bucket-region": "eu-west-1", "Content-Length": "0"})})
    ask_all(make(region=None))
    asked = stage.log()
    heads = [headers for method, target, headers in asked if (method, target) == ("HEAD", "/bkt")]
    assert len(heads) == 1
    assert "authorization" not in heads[0]
    assert scopes(asked) == {"", "test/eu-west-1"}


@pytest.mark.usefixtures("signed")
def test_a_server_that_knows_no_regions_is_in_us_east_1(make: Make, stage: Scripted) -> None:
    ask_all(make(region=None))
    assert scopes(stage.log()) == {"", "test/us-east-1"}


@pytest.mark.usefixtures("signed")
def test_a_named_region_is_not_asked(make: Make, stage: Scripted) -> None:
    ask_all(make(region="ap-south-1"))
    assert scopes(stage.log()) == {"test/ap-south-1"}
    assert not [target for method, target, _ in stage.log() if target == "/bkt" and method == "HEAD"]


MOVED = b"<Error><Code>PermanentRedirect</Code><Endpoint>elsewhere</Endpoint></Error>"
MALFORMED = b"<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>"


@pytest.mark.usefixtures("signed")
@pytest.mark.parametrize(
    "answer",
    [
        Answer(301, {"x-amz-bucket-region": "eu-west-1", "Content-Length": str(len(MOVED))}, MOVED),
        Answer(400, {"Content-Length": str(len(MALFORMED))}, MALFORMED),
    ],
    ids=["301", "400"],
)
def test_the_wrong_region_is_an_error_that_names_the_right_one(make: Make, stage: Scripted, answer: Answer) -> None:
    """Nothing is redirected behind our back: names would work then, and bytes would not."""
    stage.play({"GET *": answer, "HEAD *": Answer(answer.status, {"x-amz-bucket-region": "eu-west-1"})})
    store = make()
    for ask in (
        lambda: store.probe(soon()),
        lambda: store.head("k", deadline=soon()),
        lambda: read(store, ObjectId(store.source, "k", ETAG), 0, 1),
    ):
        with pytest.raises(WrongRegion, match="--region eu-west-1") as caught:
            ask()
        assert caught.value.region == "eu-west-1"
    assert scopes(stage.log()) == {"test/us-east-1"}
    store.close()


POISON = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
    "AWS_ENDPOINT": "http://127.0.0.1:1",
    "AWS_REGION": "xx-nowhere-1",
    "AWS_DEFAULT_REGION": "xx-nowhere-1",
    "AWS_SKIP_SIGNATURE": "true",
    "AWS_REQUEST_PAYER": "true",
    "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
    "AWS_S3_EXPRESS": "true",
    "AWS_BUCKET": "another",
    "AWS_BUCKET_NAME": "another",
}


@pytest.mark.usefixtures("signed")
def test_what_the_source_names_goes_before_the_environment(
    make: Make, stage: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in POISON.items():
        monkeypatch.setenv(name, value)
    ask_all(make())
    asked = stage.log()
    assert scopes(asked) == {"test/us-east-1"}
    assert all(target.startswith("/bkt") for _, target, _ in asked)
    assert all("x-amz-request-payer" not in headers for _, _, headers in asked)


@pytest.mark.usefixtures("signed")
def test_what_the_source_leaves_open_the_environment_fills_for_all(
    make: Make, stage: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", stage.url)
    ask_all(make(endpoint_url=None, path_style=True))
    assert {method for method, _, _ in stage.log()} == {"GET", "HEAD"}
    assert len(stage.log()) == 4


@pytest.mark.usefixtures("signed")
def test_requester_pays_goes_with_every_request(make: Make, stage: Scripted) -> None:
    ask_all(make(requester_pays=True))
    assert [headers.get("x-amz-request-payer") for _, _, headers in stage.log()] == ["requester"] * 4


@pytest.mark.parametrize(
    ("bucket", "how", "endpoint", "path_style"),
    [
        ("fcp-indi", {}, "https://fcp-indi.s3.us-east-1.amazonaws.com", False),
        ("fcp-indi", {"region": "us-west-2"}, "https://fcp-indi.s3.us-west-2.amazonaws.com", False),
        ("fcp-indi", {"path_style": True}, "https://s3.us-east-1.amazonaws.com", True),
        ("openneuro.org", {}, "https://s3.us-east-1.amazonaws.com", True),
        ("fcp-indi", {"region": "cn-north-1"}, "https://fcp-indi.s3.cn-north-1.amazonaws.com.cn", False),
        ("b-b", {"endpoint_url": "https://minio.lab:9000"}, "https://minio.lab:9000", True),
        ("b-b", {"endpoint_url": "https://minio.lab", "path_style": False}, "https://b-b.minio.lab", False),
        ("b-b", {"endpoint_url": "https://gate.lab/s3/"}, "https://gate.lab/s3", True),
    ],
)
def test_both_clients_go_where_botocore_goes(bucket: str, how: dict[str, Any], endpoint: str, path_style: bool) -> None:
    from mountnd.stores.s3.link import Wanted, connect, event_loop
    from mountnd.stores.s3.names import wait
    from mountnd.stores.s3.translate import Subject

    wanted = {"endpoint_url": None, "region": "us-east-1", "path_style": None, **how}
    settled = Wanted(bucket=bucket, profile=None, anonymous=True, requester_pays=False, connections=4, **wanted)
    link = wait(connect(settled), event_loop(), Subject("s3://x"), soon())
    wait(link.client.close(), event_loop(), Subject("s3://x"), soon())
    assert (link.endpoint, link.path_style) == (endpoint, path_style)


def test_no_request_is_made_before_the_first(stage: Scripted) -> None:
    stage.play(ALL)
    S3Store("bkt", endpoint_url=stage.url).close()
    assert stage.log() == []


def test_a_bad_endpoint_is_an_error_that_is_not_asked_again() -> None:
    with pytest.raises(StoreError, match="minio.lab") as caught:
        S3Store("bkt", endpoint_url="minio.lab:9000", region="us-east-1", anonymous=True).probe(soon())
    assert not caught.value.transient


def test_a_proxy_of_the_environment_is_used_by_all(stage: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    host = "http://bucket.invalid"
    stage.play({f"HEAD {host}/bkt/k": HEAD, f"GET {host}/bkt/k": BYTE, f"GET {host}/bkt/odd//k": BYTE, "GET *": LIST})
    monkeypatch.setenv("http_proxy", stage.url)
    ask_all(S3Store("bkt", endpoint_url=host, region="us-east-1", anonymous=True))
    assert len(stage.log()) == 4
    stage.play({f"HEAD {host}/k": HEAD, f"GET {host}/k": BYTE})
    web = FsspecStore(f"{host}/k")
    (stat,), _ = listed(web, "")
    assert read(web, stat.id, 0, 1) == b"x"
    assert len(stage.log()) == 2
    web.close()


def test_a_host_that_needs_no_proxy_gets_none(make: Make, stage: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    ask_all(make(anonymous=True))
    assert len(stage.log()) == 4


# whom to trust


@pytest.fixture(scope="module")
def private_ca(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """(certificate of a private authority, of a server for 127.0.0.1, its key)"""
    where = tmp_path_factory.mktemp("ca")
    openssl = program("openssl")

    def run(*arguments: str) -> None:
        subprocess.run([openssl, *arguments], cwd=where, check=True, capture_output=True, timeout=60)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    run("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test CA", "-days", "2",
        "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")  # fmt: skip
    run("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=server")
    (where / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    run("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
        "-extfile", "names", "-out", "server.pem")  # fmt: skip
    return where / "ca.pem", where / "server.pem", where / "server.key"


@pytest.fixture(scope="module")
def tls_stage(private_ca: tuple[Path, Path, Path]) -> Iterator[Scripted]:
    with scripted_server(tls=private_ca[1:]) as server:
        yield server


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "AWS_CA_BUNDLE"])
def test_an_authority_of_ones_own_is_trusted_by_all(
    make: Make,
    tls_stage: Scripted,
    private_ca: tuple[Path, Path, Path],
    variable: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    monkeypatch.setenv(variable, str(private_ca[0]))
    tls_stage.play({**ALL, "HEAD /k": HEAD, "GET /k": BYTE})
    ask_all(make(endpoint_url=tls_stage.url, anonymous=True))
    web = FsspecStore(f"{tls_stage.url}/k")
    (stat,), _ = listed(web, "")
    assert read(web, stat.id, 0, 1) == b"x"
    web.close()


def test_an_authority_that_nobody_knows_is_trusted_by_none(make: Make, tls_stage: Scripted) -> None:
    tls_stage.play(ALL)
    store = make(endpoint_url=tls_stage.url, anonymous=True)
    for ask in (
        lambda: store.probe(soon()),
        lambda: read(store, ObjectId(store.source, "k", ETAG), 0, 1),
        lambda: FsspecStore(f"{tls_stage.url}/k").probe(soon()),
    ):
        with pytest.raises(Unreachable):
            ask()
    assert tls_stage.log() == []
    store.close()


def test_importing_the_store_imports_none_of_its_libraries() -> None:
    code = (
        "import sys, json; import mountnd.stores.s3, mountnd.stores.signed_urls, mountnd.stores.fsspec;"
        "heavy = {'s3fs', 'botocore', 'aiohttp', 'obstore', 'urllib3', 'fsspec'};"
        "print(json.dumps(sorted(heavy & set(sys.modules))))"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)
    assert json.loads(said.stdout) == []

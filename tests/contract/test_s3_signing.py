"""Who signs requests to S3; both clients alike."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mountnd.errors import NoCredentials
from mountnd.stores.base import ObjectId

from ..support.servers import Scripted
from .reading import first_name, read
from .s3_stage import ETAG, Make, ask_all, scopes


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
    first_name(store)
    assert "unsigned" in store.notice
    ask_all(store)
    assert scopes(stage.log()) == {""}


def test_without_credentials_where_some_are_needed(make: Make, stage: Scripted) -> None:
    with pytest.raises(NoCredentials, match="aws configure"):
        first_name(make(anonymous=False))
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
        first_name(make(profile="hcp"))
    aws_files("", "[profile hcp]\nregion=us-east-1\n")
    with pytest.raises(NoCredentials, match="'hcp'"):
        first_name(make(profile="hcp"))
    assert stage.log() == []


def test_credentials_that_end_are_renewed(
    make: Make, stage: Scripted, aws_files: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a credential process, whose keys are always about to end: the session asks it anew, and so do the clients."""
    from mountnd.stores.s3.access import credentials

    monkeypatch.setattr(credentials, "KEPT_S", -1.0)  # each request is a minute later
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

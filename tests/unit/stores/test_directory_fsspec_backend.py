from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from mountnd.errors import BadAnswer, Forbidden, NotFound, ServerFault, StoreError, Throttled, TimedOut, Unreachable
from mountnd.stores.directory.fsspec_backend import (
    FsspecBackend,
    bytes_options,
    error_from_exception,
    settings_mark,
    version_token,
)
from mountnd.stores.facts import UNKNOWN_MTIME_NS


@pytest.mark.parametrize("protocol", ["gs", "gcs"])
def test_gs_bytes_are_the_stored_ones(protocol: str) -> None:
    """Nothing on the way may decompress what lies there compressed; names are asked for as usual."""
    made = bytes_options(protocol, {"token": "anon", "session_kwargs": {"trust_env": True, "headers": {"X": "1"}}})
    assert made == {
        "token": "anon",
        "session_kwargs": {
            "trust_env": True,
            "auto_decompress": False,
            "headers": {"X": "1", "Accept-Encoding": "gzip"},
        },
    }
    assert bytes_options(protocol, {}) == {
        "session_kwargs": {"auto_decompress": False, "headers": {"Accept-Encoding": "gzip"}}
    }


def test_others_are_made_as_they_were_asked_for() -> None:
    assert bytes_options("sftp", {"port": 22}) == {"port": 22}


@pytest.mark.parametrize(
    ("info", "token"),
    [
        ({"generation": "17", "etag": "CJ", "size": 5, "mtime": 1.0}, "generation=17"),
        ({"ETag": '"e"', "LastModified": datetime(2009, 10, 12, tzinfo=UTC), "size": 5}, 'ETag="e"'),
        ({"md5Hash": "x==", "size": 5}, "md5Hash=x=="),
        ({"size": 5, "mtime": 1.5, "ino": 7}, "size=5 mtime=1500000000 inode=7"),
        ({"size": 5}, "size=5 mtime=0 inode="),
    ],
)
def test_the_strongest_token_is_taken(info: dict[str, object], token: str) -> None:
    assert version_token(info)[0] == token


@pytest.mark.parametrize(
    "when",
    [
        1255369830,
        1255369830.0,
        datetime(2009, 10, 12, 17, 50, 30, tzinfo=UTC),
        datetime(2009, 10, 12, 17, 50, 30),  # noqa: DTZ001 (memory's are naive, and UTC)
        "2009-10-12T17:50:30Z",
        "2009-10-12T17:50:30.000+00:00",
        "20091012T175030Z",
        "Mon, 12 Oct 2009 17:50:30 GMT",
    ],
)
def test_times_as_file_systems_spell_them(when: object) -> None:
    for name in ("mtime", "LastModified", "updated", "Last-Modified", "created"):
        assert version_token({"size": 1, name: when})[1] == 1255369830 * 10**9


def test_a_time_that_nobody_knows_is_the_constant_one() -> None:
    never = datetime(1, 1, 1, tzinfo=UTC), float("nan"), float("inf"), 10.0**30, "0001-01-01T00:00:00Z"
    for when in (None, "yesterday", "", True, object(), *never):
        assert version_token({"size": 1, "mtime": when}) == ("size=1 mtime=0 inode=", UNKNOWN_MTIME_NS)


class Refusal(Exception):
    def __init__(self, status: int) -> None:
        super().__init__("no\nsecond line")
        self.status = status


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (FileNotFoundError("x"), NotFound),
        (NotADirectoryError("x"), NotFound),
        (IsADirectoryError("x"), NotFound),
        (PermissionError("x"), Forbidden),
        (TimeoutError(), TimedOut),
        (ConnectionResetError(), Unreachable),
        (OSError(5, "I/O error"), Unreachable),
        (EOFError(), Unreachable),
        (Refusal(404), NotFound),
        (Refusal(403), Forbidden),
        (Refusal(429), Throttled),
        (Refusal(500), ServerFault),
        (Refusal(416), BadAnswer),
        (Refusal(99), StoreError),
        (ValueError("x"), StoreError),
    ],
)
def test_what_file_systems_raise(error: Exception, kind: type[StoreError]) -> None:
    said = error_from_exception(error, "gs://b/k")
    assert type(said) is kind
    assert str(said).startswith("gs://b/k: ")
    assert "\n" not in str(said)


def test_settings_that_choose_the_server_tell_sources_apart() -> None:
    assert settings_mark("gs", {}, {"AZURE_STORAGE_ACCOUNT_NAME": "lab"}) == ""
    assert settings_mark("abfs", {}, {"AZURE_STORAGE_ACCOUNT_NAME": "lab"}) == "account=lab"
    assert settings_mark("gs", {"token": "t", "secret": "s"}, {}) == ""
    marks = {settings_mark("gs", {"endpoint_url": url, "token": url}, {}) for url in ("http://a", "http://b")}
    assert len(marks) == 2
    assert settings_mark("gs", {"endpoint_url": "http://a", "token": "new"}, {}) in marks


def test_who_asks_is_part_of_the_identity(tmp_path: Path) -> None:
    url = f"file://{tmp_path}"
    assert (FsspecBackend(url, {}).source, FsspecBackend(url, {}, asker="google=").source) == (url, f"{url}#google=")

"""From text to values, and `-o`."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mountnd.config import addresses, parsers
from mountnd.config.dash_o import parse_dash_o
from mountnd.config.layers import from_environment
from mountnd.config.option_types import RawValue, parse
from mountnd.config.options import BY_NAME, OPTIONS
from mountnd.errors import UsageError

HERE = Path("/here")


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        *[("memory", raw) for raw in ("", "lots", "-1", "1M", "4 0M", "512X", "1e9", "nan", "0x10", True, 1.5, None)],
        *[("cache_size", raw) for raw in ("-1", "M", "1..5G", "512 furlongs", False)],
        *[("ttl", raw) for raw in ("soon", "-1", "inf", "nan", "", "1h", True, [1])],
        *[("timeout", raw) for raw in ("0", "-5", "indefinite", "1e400", "86401", "")],
        *[("file_mode", raw) for raw in ("888", "1777", "rw", "", "-1", 444, 0o444, "0x1ff")],
        *[("uid", raw) for raw in ("root", "-1", "4294967295", "1.5", "", True)],
        *[("allow_other", raw) for raw in ("maybe", "", 2, "tru", 1.0)],
        *[("endpoint_url", raw) for raw in ("s3.example.org", "ftp://h", "http://", "http:// h", "https://h?x", 5)],
        *[
            ("metrics", raw)
            for raw in ("", "::1", ":9100", "127.0.0.1", "h:65536", "a b:1", "http://h:1", "-1", True, 1.5)
        ],
        *[("region", raw) for raw in ("", "us east", "a\nb", 1)],
        *[("log_file", raw) for raw in ("", "a\0b", 3)],
        *[("verbose", raw) for raw in ("-1", "many", "", -1)],
    ],
)
def test_an_invalid_value_is_refused_with_name_value_and_what_is_accepted(name: str, raw: object) -> None:
    with pytest.raises(UsageError) as caught:
        parse(BY_NAME[name], RawValue(raw, "somewhere", HERE))
    message = str(caught.value)
    assert caught.value.exit_code == 2
    assert message.startswith(f"somewhere {name}: {raw!r} is not ")
    assert len(message.partition(" is not ")[2]) > 5


def test_a_message_does_not_name_the_option_twice() -> None:
    for origin in ("--ttl", "-o ttl", "MOUNTND_TTL"):
        with pytest.raises(UsageError) as caught:
            parse(BY_NAME["ttl"], RawValue("x", origin, HERE))
        assert str(caught.value).startswith(f"{origin}: 'x' is not a number of seconds such as 300, or indefinite")


@given(st.integers(0, 2**50))
def test_sizes_in_bytes_are_themselves(n: int) -> None:
    assert parsers.size(str(n)) == parsers.size(n) == parsers.size(f"{n}B") == n
    assert parsers.size(f"{n}K") == parsers.size(f"{n} KiB") == parsers.size(f"{n}kib") == n * 1024
    assert parsers.size(f"{n}MB") == n * 1000 * 1000


def test_paths_start_where_the_layer_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert parsers.path("x/../y", HERE) == Path("/here/y")
    assert parsers.path("~/y", HERE) == Path("/home/ada/y")
    assert parsers.path("/y", HERE) == Path("/y")


def test_dash_o_takes_both_spellings_and_switches() -> None:
    found = parse_dash_o(
        ["cache-dir=/a,cache_size=1G,allow_other,no-anonymous", "noforeground,debug=false,verbose"], HERE
    )
    got = {name: parse(BY_NAME[name], given) for name, given in found.items()}
    assert got == {
        "cache_dir": Path("/a"),
        "cache_size": 1 << 30,
        "allow_other": True,
        "anonymous": False,
        "foreground": False,
        "debug": False,
        "verbose": 1,
    }


def test_dash_o_ignores_what_mount_adds() -> None:
    added = (
        "rw,ro,dev,nodev,suid,nosuid,exec,noexec,auto,noauto,user,users,nouser,owner,group,defaults,_netdev,nofail,"
        "x-systemd.automount,x-gvfs-show,X-mount.mkdir,comment=mine,user=ada,noatime,relatime,strictatime,lazytime,,"
    )
    assert parse_dash_o([added], HERE) == {}
    assert list(parse_dash_o([added + "ttl=1"], HERE)) == ["ttl"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("tll=4", "-o tll: unknown option: did you mean ttl?"),
        ("cachedir=/x", "-o cachedir: unknown option: did you mean cache_dir?"),
        ("memory", "-o memory: a value is missing, write -o memory=SIZE"),
        ("nottl", "-o nottl: unknown option"),
        ("no_allow_other=1", "-o no_allow_other: unknown option: did you mean allow_other?"),
        ("=3", "-o : unknown option"),
    ],
)
def test_dash_o_refuses(text: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_dash_o([f"rw,{text},auto"], HERE)
    assert str(caught.value).startswith(says)


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1), min_size=1))
def test_commas_in_a_value_can_be_escaped(names: list[str]) -> None:
    def escaped(text: str) -> str:
        return text.replace("\\", "\\\\").replace(",", "\\,")

    for name in names:
        found = parse_dash_o([f"ttl=1,log_file={escaped(name)},rw"], HERE)
        assert found["log_file"].raw == name
        assert found["ttl"].raw == "1"


def test_the_last_of_equal_names_wins() -> None:
    assert parse_dash_o(["ttl=1,ttl=2", "ttl=3"], HERE)["ttl"].raw == "3"


def test_every_option_has_a_variable_and_an_empty_one_sets_nothing() -> None:
    environ = {option.variable: "7" for option in OPTIONS}
    assert set(from_environment(environ, HERE)) == {option.name for option in OPTIONS}
    assert from_environment(dict.fromkeys(environ, ""), HERE) == {}
    assert from_environment({"MOUNTND": "1", "TTL": "2"}, HERE) == {}


def test_near_names() -> None:
    assert parsers.near("opneneuro", ["openneuro", "indi"]) == ["openneuro"]
    assert parsers.near("microns65", ["openneuro", "microns"]) == ["microns"]
    assert parsers.near("qqqq", ["openneuro", "indi"]) == []
    assert parsers.did_you_mean("INDY", ["indi"]) == ": did you mean indi?"
    assert parsers.did_you_mean("zz", ["indi"]) == ""
    assert math.isinf(parsers.ttl("Indefinite"))


AP = "arn:aws:s3:us-west-2:123456789012:accesspoint/my-ap"
OUTPOST = "arn:aws-cn:s3-outposts:cn-north-1:123456789012:outpost/op-1/accesspoint/my-ap"


@pytest.mark.parametrize(
    ("path", "bucket", "prefix"),
    [
        ("bkt", "bkt", ""),
        ("bkt/", "bkt", ""),
        ("bkt/a/b", "bkt", "a/b"),
        ("bkt//a", "bkt", "/a"),
        (AP, AP, ""),
        (f"{AP}/", AP, ""),
        (f"{AP}/a/b:c/", AP, "a/b:c/"),
        (AP.replace("point/", "point:") + "/a", AP.replace("point/", "point:"), "a"),
        (f"{OUTPOST}/a", OUTPOST, "a"),
    ],
)
def test_a_bucket_and_what_lies_below_it(path: str, bucket: str, prefix: str) -> None:
    assert parsers.split_bucket(path) == (bucket, prefix)


@pytest.mark.parametrize(
    ("raw", "host", "port", "text"),
    [
        ("9100", "127.0.0.1", 9100, "127.0.0.1:9100"),
        (9100, "127.0.0.1", 9100, "127.0.0.1:9100"),
        ("0", "127.0.0.1", 0, "127.0.0.1:0"),
        ("0.0.0.0:9100", "0.0.0.0", 9100, "0.0.0.0:9100"),
        ("localhost:80", "localhost", 80, "localhost:80"),
        ("[::1]:9100", "::1", 9100, "[::1]:9100"),
    ],
)
def test_an_address_to_listen_at(raw: object, host: str, port: int, text: str) -> None:
    found = addresses.address(raw)
    assert found == (host, port) and str(found) == text
    assert addresses.address(text) == found

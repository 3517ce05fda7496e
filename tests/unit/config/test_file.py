"""The config file: what it may hold, and how it says what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from mountnd.config.file import load, xdg_directory
from mountnd.errors import ConfigError


def write(directory: Path, text: str | bytes) -> Path:
    path = directory / "config.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_everything_a_file_may_hold(tmp_path: Path) -> None:
    file = load(
        write(
            tmp_path,
            """
            [defaults]
            memory = 1073741824
            log_file = "log"
            [sources.lab]
            url = "s3://lab/bids"
            anonymous = true
            [sources."ds 1"]
            preset = "openneuro"
            url = "s3://openneuro.org/ds000001"
            [sources.knees]
            urls = "links.txt"
            [mounts."/mnt/lab/"]
            source = "lab"
            [mounts."~/brains"]
            sources = ["lab", "openneuro"]
            ttl = "indefinite"
            [mounts."/mnt/openneuro"]
            allow_other = true
            """,
        )
    )
    assert set(file.defaults) == {"memory", "log_file"}
    assert file.defaults["log_file"].base == tmp_path
    assert (file.sources["lab"].url, set(file.sources["lab"].options)) == ("s3://lab/bids", {"anonymous"})
    assert file.sources["ds 1"].preset == "openneuro"
    assert set(file.sources["knees"].options) == {"urls"}
    assert file.mounts[Path("/mnt/lab")].sources == ("lab",)
    assert file.mounts[Path("~/brains").expanduser()].sources == ("lab", "openneuro")
    assert file.mounts[Path("/mnt/openneuro")].sources == ()


def test_an_empty_file_sets_nothing(tmp_path: Path) -> None:
    file = load(write(tmp_path, ""))
    assert not file.defaults
    assert not file.sources
    assert not file.mounts


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a = [1\nb = 2\n", "bad TOML: "),
        ("[default]\nttl = 1", "unknown key default: did you mean defaults?"),
        ("[defaults]\ntll = 1", "[defaults] unknown key tll: did you mean ttl?"),
        ('[defaults]\nconfig = "x"', "[defaults] unknown key config"),
        ('[sources.a]\nurl = "s3://b"\nregoin = "x"', "[sources.a] unknown key regoin: did you mean region?"),
        ('[sources.a]\nurl = "s3://b"\nmemory = "1G"', "[sources.a] unknown key memory: it may hold url, preset, "),
        ("[sources.a]\nttl = 1", '[sources.a] needs url = "s3://bucket/prefix", preset = "NAME" or urls = "FILE"'),
        ("[sources.a]\nurl = 3", "[sources.a] url: 3 is not text in quotes"),
        ('[sources."a/b"]\nurl = "s3://b"', "a source's name becomes a directory, so it cannot be 'a/b'"),
        ('[sources.".."]\nurl = "s3://b"', "a source's name becomes a directory, so it cannot be '..'"),
        ("sources = 3", "sources must be a table, written [sources]"),
        ("[sources]\na = 3", "sources.a must be a table, written [sources.a]"),
        ('[mounts.here]\nsource = "a"', '[mounts."here"]: write the whole path of the mountpoint'),
        ('[mounts."/a"]\nsource = "a"\nsources = ["b"]', "has both source and sources"),
        ('[mounts."/a"]\nsources = "b"', "sources: write a list of names"),
        ('[mounts."/a"]\nsources = []', "sources: write a list of names"),
        ('[mounts."/a"]\nsources = ["a", 1]', "sources: 1 is not text in quotes"),
        ("[defaults]\nfile_mode = 444", "[defaults] file_mode: 444 is not an octal mode"),
        ("[defaults]\nttl = true", "[defaults] ttl: True is not a number of seconds"),
        ('[defaults]\nallow_other = "perhaps"', "[defaults] allow_other: 'perhaps' is not true or false"),
        ('[mounts."/a"]\ntimeout = 0', "timeout: 0 is not a number of seconds above 0"),
    ],
)
def test_an_invalid_file_is_refused(tmp_path: Path, text: str, says: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert caught.value.exit_code == 2
    assert str(caught.value).startswith(f"{path}: ") or str(caught.value).startswith(f"{path} ")
    assert says in str(caught.value)


def test_syntax_errors_carry_the_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="line 3"):
        load(write(tmp_path, "[defaults]\nttl = 1\nmemory 2\n"))
    with pytest.raises(ConfigError, match=r"not UTF-8 \(at line 2\)"):
        load(write(tmp_path, b"[defaults]\n# caf\xe9\n"))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the config file: No such file"):
        load(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="cannot read the config file: Is a directory"):
        load(tmp_path)


def test_xdg_ignores_relative_directories(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert xdg_directory({"XDG_CONFIG_HOME": "/etc/x"}, "XDG_CONFIG_HOME", "~/.config") == Path("/etc/x")
    assert xdg_directory({"XDG_CONFIG_HOME": "x"}, "XDG_CONFIG_HOME", "~/.config") == Path("/home/ada/.config")
    assert xdg_directory({}, "XDG_CONFIG_HOME", "~/.config") == Path("/home/ada/.config")


@pytest.mark.parametrize(
    "text",
    [
        "x = " + "[" * 5000 + "]" * 5000,
        "x = " + "{a=" * 5000,
        "[defaults]\nmemory = " + "9" * 5000,
        "[defaults]\nmemory = 0x" + "f" * 5000,
        "[defaults]\nmemory = '" + "9" * 5000 + "'",
        "[defaults]\nmemory = '1" + "0" * 400 + ".0G'",
        "[defaults]\nuid = 0x" + "f" * 5000,
        "[defaults]\nttl = 0x" + "f" * 5000,
        "[defaults]\nverbose = '" + "9" * 5000 + "'",
        "[defaults]\ncache_dir = '" + "d" * 5000 + "'",
        "[sources.x]\nurl = 0x" + "f" * 5000,
        "[defaults]\nttl = 1979-99-99",
    ],
)
def test_numbers_and_depths_out_of_range_are_told_of(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value).startswith(str(path)) or "memory" in str(caught.value)
    assert len(str(caught.value)) < 1000

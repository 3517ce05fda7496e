"""Where a user's home is, for those who have none as well."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from mountnd.config import home


def unknown(uid: int) -> object:
    raise KeyError(uid)


@pytest.fixture
def nameless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pwd, "getpwuid", unknown)


def test_home_comes_first_then_the_user_database(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    named = pwd.getpwuid(os.getuid()).pw_dir
    monkeypatch.setenv("HOME", str(tmp_path))
    assert home.home_directory() == str(tmp_path)
    assert home.expand_home("~") == str(tmp_path)
    assert home.expand_home("~/a/b") == str(tmp_path / "a/b")
    for value in ("", "relative"):
        monkeypatch.setenv("HOME", value)
        assert home.home_directory() == named
    monkeypatch.delenv("HOME")
    assert home.home_directory() == named


@pytest.mark.usefixtures("nameless")
def test_a_user_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME", raising=False)
    assert home.home_directory() is None
    for text in ("~", "~/x"):
        with pytest.raises(LookupError, match="no home directory"):
            home.expand_home(text)
    assert home.expand_home("a/~/x") == "a/~/x"
    assert home.expand_home("~no-such-user/x") == "~no-such-user/x"


@pytest.mark.usefixtures("nameless")
def test_a_home_that_is_somebody_elses_or_to_be_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "later"))
    assert home.home_directory() == str(tmp_path / "later")
    monkeypatch.setattr(home.os, "stat", lambda path: (_ for _ in ()).throw(PermissionError(13, "denied", path)))
    assert home.home_directory() is None

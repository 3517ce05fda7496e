"""Where messages go."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import threading

import pytest

from mountnd.daemon import logs
from mountnd.errors import MountError


@pytest.fixture(autouse=True)
def _restored():
    root, own = logging.getLogger(), logging.getLogger("mountnd")
    before = root.handlers[:], root.level, own.level
    root.handlers = []
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers, root.level, own.level = before
    logging.captureWarnings(False)


@pytest.mark.parametrize(
    ("verbose", "debug", "default", "wanted"),
    [
        (0, False, logging.WARNING, logging.WARNING),
        (1, False, logging.WARNING, logging.INFO),
        (0, False, logging.INFO, logging.INFO),
        (2, False, logging.INFO, logging.DEBUG),
        (0, True, logging.WARNING, logging.DEBUG),
    ],
)
def test_levels(verbose, debug, default, wanted):
    assert logs.level(verbose, debug, default=default) == wanted


def test_our_own_log_starts_anew_and_stays_small(tmp_path):
    path = tmp_path / "log"
    path.write_text("the last mount's\n")
    logs.to_file(path, 0, False, own=True)
    for _ in range(6000):
        logging.getLogger("mountnd.x").info("%s", "x" * 1000)
    sizes = [p.stat().st_size for p in tmp_path.iterdir()]
    assert len(sizes) == 2
    assert sum(sizes) <= 2 << 20
    assert not path.read_text().startswith("the last")


def test_a_named_log_is_appended_to_and_survives_rotation(tmp_path):
    path = tmp_path / "log"
    path.write_text("before\n")
    logs.to_file(path, 0, False, own=False)
    log = logging.getLogger("mountnd.x")
    log.info("first")
    path.rename(tmp_path / "log.1")
    log.info("second")
    assert (tmp_path / "log.1").read_text().startswith("before\n")
    assert "second" in path.read_text()


@pytest.mark.parametrize("own", [False, True])
def test_a_log_that_was_removed_is_made_again(tmp_path, own):
    path = tmp_path / "directory" / "log"
    path.parent.mkdir()
    logs.to_file(path, 0, False, own=own)
    log = logging.getLogger("mountnd.x")
    shutil.rmtree(path.parent)
    log.warning("lost")  # and nobody who logs is bothered
    path.parent.mkdir()
    log.warning("kept")
    assert "kept" in path.read_text()


def test_our_own_log_does_not_follow_a_later_mounts(tmp_path):
    path = tmp_path / "log"
    logs.to_file(path, 0, False, own=True)
    path.unlink()
    path.write_text("")
    logging.getLogger("mountnd.x").warning("of the earlier one")
    assert path.read_text() == ""


def test_libraries_speak_only_with_debug(tmp_path):
    path = tmp_path / "log"
    logs.to_file(path, 2, False, own=False)
    logging.getLogger("botocore").info("chatter")
    assert "chatter" not in path.read_text()
    logs.to_file(path, 0, True, own=False)
    logging.getLogger("botocore").info("chatter")
    assert "chatter" in path.read_text()


def test_a_log_that_cannot_be_written(tmp_path):
    with pytest.raises(MountError, match="cannot be written"):
        logs.check(tmp_path / "none" / "log")


def test_warnings_are_forwarded_until_it_is_ended(tmp_path):
    logs.to_file(tmp_path / "log", 0, False, own=True)
    said: list[str] = []
    stop = logs.forward(said.append, 0, False)
    log = logging.getLogger("mountnd.stores")
    log.warning("read %s", "unsigned")
    log.info("no")
    stop()
    log.warning("later")
    assert said == ["read unsigned"]


@pytest.mark.parametrize("own", [False, True])
def test_a_log_is_its_owners_alone(tmp_path, own):
    path = tmp_path / "log"
    path.write_text("before\n")
    path.chmod(0o644)
    logs.to_file(path, 0, False, own=own)
    assert path.stat().st_mode & 0o777 == 0o600
    logging.getLogger("mountnd.x").warning("after")
    assert path.read_text().startswith("before\n") is not own
    path.rename(tmp_path / "log.1")
    logging.getLogger("mountnd.x").warning("in a new one")
    assert own or path.stat().st_mode & 0o777 == 0o600


def test_a_pipe_that_nobody_reads_is_told_of_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(MountError, match="cannot be written"):
        logs.check(tmp_path / "pipe")


def test_what_nobody_catches_goes_to_the_log(tmp_path):
    hooks = threading.excepthook, sys.unraisablehook
    try:
        logs.to_file(tmp_path / "log", 0, False, own=False)

        def fail():
            raise ValueError("sig\nforged https://u:PLANTED@h/")

        thread = threading.Thread(target=fail, name="worker")
        thread.start()
        thread.join()
    finally:
        threading.excepthook, sys.unraisablehook = hooks
    text = (tmp_path / "log").read_text()
    assert "uncaught in worker" in text and "PLANTED" not in text and "\nforged" not in text

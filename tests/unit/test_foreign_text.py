"""Text from elsewhere: one line, visible, bounded; and every log record gives it so."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from mountnd import foreign_text

CLI = Path(__file__).parents[2] / "mountnd" / "cli"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 脳 text", "plain é 脳 text"),
        ("a\x1b[2Jb\x9b31m\x07\x08\x7f", "a\\x1b[2Jb\\x9b31m\\x07\\x08\\x7f"),
        ("one\ntwo\r\nthree\x85four\u2028five\x0b\x0c", "one\\ntwo\\r\\nthree\\x85four\\u2028five\\x0b\\x0c"),
        ("gpj.\u202egnp\u2066\u200f\u061c", "gpj.\\u202egnp\\u2066\\u200f\\u061c"),
        ("\udcff\ud800 \u200b\ufeff\U000e0041", "\\udcff\\ud800 \\u200b\\ufeff\\U000e0041"),
        ("NUL\0", "NUL\\x00"),
        ("https://u:secret1@h/?sig=x", "https://***@h/?sig=***"),
    ],
)
def test_a_line_shows_what_cannot_be_seen(text: str, shown: str) -> None:
    assert foreign_text.line(text) == shown
    assert foreign_text.line(shown) == shown


def test_a_line_is_bounded_and_keeps_both_ends() -> None:
    text = foreign_text.line("s3://bucket: '" + "k" * 20_000 + "': access denied")
    assert len(text) < foreign_text.LINE + 100
    assert text.startswith("s3://bucket: 'kkk") and text.endswith("k': access denied")
    assert "more characters" in text
    assert len(foreign_text.line("\x1b" * (1 << 20))) < foreign_text.LINE + 100


@pytest.mark.parametrize("region", ["eu-central-1", "us-gov-west-1", "fr-par", "eu-central-003", "auto", "RegionOne"])
def test_a_region(region: str) -> None:
    assert foreign_text.as_region(region) == region


@pytest.mark.parametrize(
    "text", ["x; touch /tmp/y", "$(x)", "-r", "a b", "a\nb", "evil.com/", "x" * 64, "", "é", "a_b"]
)
def test_no_region(text: str) -> None:
    assert foreign_text.as_region(text) == ""


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """A library's logger with a handler of its own, as S3FS_LOGGING_LEVEL gives s3fs one."""
    before, out = logging.getLogRecordFactory(), io.StringIO()
    logger = logging.getLogger("library")
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    foreign_text.log_records()
    try:
        yield logger, out
    finally:
        logging.setLogRecordFactory(before)
        logger.removeHandler(handler)


def test_every_log_record_is_one_line_without_secrets(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, out = log
    logger.debug("headers=%s", {"Authorization": b"AWS4-HMAC-SHA256 Credential=AK, Signature=5ec3e7"})
    logger.warning("%s: not found", "key\nERROR forged \x1b[31m")
    assert out.getvalue() == "DEBUG headers={'Authorization': '***'}\nWARNING key\\nERROR forged \\x1b[31m: not found\n"


def test_a_traceback_begins_no_line_of_its_own(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, out = log
    try:
        try:
            raise ValueError("x-amz-security-token:5ec3e7\nERROR forged\r\x1b[2K")
        except ValueError as e:
            raise KeyError("https://u:5ec3e7-pass@h/") from e
    except KeyError:
        logger.exception("broken")
    head, *rest = out.getvalue().splitlines()
    assert head == "ERROR broken"
    assert rest and all(line.startswith("    | ") for line in rest)
    assert "5ec3e7" not in out.getvalue() and "\x1b" not in out.getvalue() and "forged" in out.getvalue()


def test_a_message_that_cannot_be_written_is_written_all_the_same(log: tuple[logging.Logger, io.StringIO]) -> None:
    class Odd:
        def __str__(self) -> str:
            raise ZeroDivisionError

    logger, out = log
    logger.warning("%d %s", "no number")  # noqa: PLE1206
    logger.warning("%s", Odd())
    assert len(out.getvalue().splitlines()) == 2
    assert "cannot be written: ZeroDivisionError" in out.getvalue()


def test_the_command_line_prints_in_one_place() -> None:
    """What does not go through `streams` or `tables` would reach the terminal as it came. (The demo's console shows
    nothing but what is its own, and paths, which it escapes.)"""
    allowed = {"streams.py", "tables.py", "options_page.py"}
    for path in CLI.rglob("*.py"):
        text = path.read_text()
        if path.name not in allowed:
            found = [line for line in text.splitlines() if "click.echo(" in line or " print(" in line]
            assert found in ([], ["            click.echo(ctx.get_help(), err=True)"]), path

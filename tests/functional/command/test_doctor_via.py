"""`mountnd doctor SOURCE --via URL`: what a caching proxy does, in words. Real site caches: tests/cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mountnd.cli.diagnose_via import judged
from mountnd.daemon.host import Finding
from mountnd.stores.via.manner import Manner
from mountnd.stores.via.trial import AT_ONCE, Reply, Trial
from tests.support.caches import cache_server
from tests.support.cli import run_mountnd
from tests.support.proxy import proxied
from tests.support.quirky import Quirky, thing
from tests.support.servers import Answer, scripted_server

URL = "http://cache:3128"
GOOD = Trial(
    Manner.SERVER, Reply(206, '"e"', 0, 10, b"x" * 10, "1"), right=True, kept=True, whole=False, condition=412, asked=1
)


def told(tried: Trial) -> list[Finding]:
    return list(judged(URL, tried, 20 << 20))


class TestWords:
    def test_all_well(self) -> None:
        found = told(GOOD)
        assert [finding.level for finding in found] == ["ok"] * 4
        assert "by the bucket's host name" in found[0].what

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"kept": False}, "keeps no ranges"),
            ({"kept": None}, "cannot be told"),
            ({"whole": True}, "fetches whole objects"),
            ({"condition": 206}, "does not heed If-Match"),
            ({"condition": 502}, "HTTP 502"),
            ({"asked": AT_ONCE}, "asks the source several times"),
            ({"asked": None}, "cannot be told"),
        ],
    )
    def test_one_thing_that_is_not(self, change: dict[str, object], says: str) -> None:
        (warning,) = [finding for finding in told(GOOD._replace(**change)) if finding.level != "ok"]
        assert warning.level == "warn" and says in warning.what

    @pytest.mark.parametrize(
        ("first", "says"),
        [
            (Reply(why=f"{URL}: refused the connection"), "refused the connection"),
            (Reply(200, '"e"'), "does not know ranges"),
            (Reply(206, "", 0, 10), "leaves out the ETag"),
            (Reply(206, 'W/"e"', 0, 10), "leaves out the ETag, or weakens it"),
            (Reply(206, '"e"', 0, 10, b"y" * 10), "gives other bytes"),
            (Reply(307, location="http://elsewhere/"), "leads elsewhere"),
            (Reply(407), "wants a user"),
            (Reply(421), "does not serve this bucket"),
            (Reply(403), "refuses what the source gives"),
            (Reply(502), "could not fetch this one"),
        ],
    )
    def test_what_cannot_be_used(self, first: Reply, says: str) -> None:
        manner = Manner.PROXY if first.status == 502 else Manner.SERVER
        (bad,) = told(Trial(manner, first))
        assert bad.level == "bad" and says in bad.what and bad.what.startswith(URL)


@pytest.fixture
def origin(quirky: Quirky) -> Quirky:
    """A source that numbers its answers, as S3 does."""
    quirky.hold({"sub-01/bold.nii": thing(bytes(range(256)) * 36_000), "README": b"read me" * 10_000}, numbered=True)
    return quirky


@pytest.fixture
def doctor(origin: Quirky) -> Iterator[object]:
    def run(via: str, *more: str) -> tuple[int, str]:
        options = ("--endpoint-url", origin.url, "--region", "us-east-1", "--anonymous", "--via", via, *more)
        done = run_mountnd("doctor", "s3://bkt", *options)
        assert "Traceback" not in done.stderr
        return done.returncode, " ".join((done.stdout + done.stderr).split())

    return run  # type: ignore[return-value]


def test_our_own(origin: Quirky, doctor: object, tmp_path: Path) -> None:
    with cache_server(tmp_path, "s3://bkt", origin.url) as node:
        code, said = doctor(node.url)  # type: ignore[operator]
    assert code == 0, said
    for words in (
        "gives the right bytes",
        "keeps ranges",
        "heeds If-Match",
        f"{AT_ONCE} requests for the same at once were 1",
    ):
        assert f"{node.url} " in said and words in said, said


def test_one_that_keeps_nothing(origin: Quirky, doctor: object) -> None:
    with proxied(origin.url) as proxy:
        code, said = doctor(proxy.url)  # type: ignore[operator]
    assert code == 0, said
    assert "keeps no ranges" in said and f"{AT_ONCE} requests for the same at once were {AT_ONCE}" in said, said


def test_one_that_lies_and_one_that_is_not_there(origin: Quirky, doctor: object) -> None:
    page = Answer(200, {"Content-Length": "20", "Content-Type": "text/html"}, b"<html>sign in</html>")
    with scripted_server({"GET *": page}) as liar:
        code, said = doctor(f"{liar.url},http://127.0.0.1:9")  # type: ignore[operator]
    assert code == 1
    assert "does not know ranges" in said and "http://127.0.0.1:9" in said, said


def test_a_source_that_passes_them_by_and_none(quirky: Quirky) -> None:
    options = ("--endpoint-url", quirky.url, "--region", "us-east-1", "--via", "http://127.0.0.1:9")
    quirky.hold({"a": b"x" * 100, "b": b"y" * 100})
    keys = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}
    done = run_mountnd("doctor", "s3://bkt", *options, env=keys)
    assert "passed by: its requests are signed" in " ".join(done.stdout.split()), done.stdout
    quirky.hold({"a": b"x" * 100, "b": b"y" * 100}, etag_listing="constant", etag_answer="constant")
    done = run_mountnd("doctor", "s3://bkt", *options, "--anonymous")
    assert "no object was found whose ETag tells its version" in " ".join(done.stdout.split()), done.stdout
    done = run_mountnd("doctor", "--via", "http://127.0.0.1:9")
    assert (done.returncode, "--via needs a source" in done.stderr) == (2, True)

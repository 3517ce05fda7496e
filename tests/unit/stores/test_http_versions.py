from __future__ import annotations

import pytest

from mountnd.stores.base import ObjectId, ObjectStat
from mountnd.stores.facts import UNKNOWN_MTIME_NS
from mountnd.stores.http.versions import Answer, Known, Match, compare, fits, is_listed, size_in

WHEN, LATER = "Mon, 12 Oct 2009 17:50:30 GMT", "Mon, 12 Oct 2009 17:50:32 GMT"
SECONDS = 1255369830


def test_tokens_of_web_files() -> None:
    answer = Answer.of({"ETag": '"e"', "Last-Modified": WHEN}, 5)
    assert (answer.token, answer.mtime_ns) == ('"e"', SECONDS * 10**9)
    assert Answer.of({"Last-Modified": WHEN}, 5).token == f"5-{WHEN}"
    assert Answer.of({"ETag": 'W/"e"', "Last-Modified": WHEN}, 5).token == f"5-{WHEN}"
    assert Answer.of({"ETag": 'W/"e"'}, 5).token == 'W/"e"'  # better than nothing
    assert Answer.of({}, 5).token == "5-"
    assert Answer.of({"Last-Modified": "soon"}, 5).mtime_ns == UNKNOWN_MTIME_NS


ETAG, DATED, WEAK = (ObjectId("s", "k", token, "", 5) for token in ('"e"', f"5-{WHEN}", 'W/"e"'))
SAME, UNPROVEN, OTHER = Match


@pytest.mark.parametrize(
    ("id", "known", "answer", "match"),
    [
        (ETAG, None, ('"e"', 5, LATER), SAME),
        (ETAG, None, ("e", 5, ""), SAME),
        (ETAG, None, ('"e"', None, ""), SAME),
        (ETAG, None, ('"e"', 6, WHEN), OTHER),
        (ETAG, None, ('"f"', 5, WHEN), OTHER),
        (ETAG, None, ("", 5, WHEN), UNPROVEN),
        (ETAG, None, ('W/"e"', 5, WHEN), UNPROVEN),
        (ETAG._replace(size=-1), None, ('"e"', 6, WHEN), SAME),
        (ETAG, Known('"f"', WHEN), ('"f"', 5, WHEN), SAME),
        (ETAG, Known('"f"', WHEN), ('"e"', 5, WHEN), OTHER),
        (ETAG, Known("", WHEN), ('"x"', 5, WHEN), SAME),
        (ETAG, Known("", WHEN), ("", 5, LATER), OTHER),
        (ETAG, Known("", WHEN), ("", 5, ""), UNPROVEN),
        (ETAG, Known("", ""), ("", 5, ""), UNPROVEN),
        (DATED, None, ('"x"', 5, WHEN), SAME),
        (DATED, None, ('"x"', 5, LATER), OTHER),
        (DATED, None, ('"x"', 6, WHEN), OTHER),
        (DATED, None, ('"x"', 5, ""), UNPROVEN),
        (DATED, Known('"x"', WHEN), ('"x"', 5, WHEN), SAME),
        (DATED, Known('"x"', WHEN), ('"y"', 5, WHEN), OTHER),
        (DATED, Known('"x"', WHEN), ('"x"', 5, LATER), OTHER),
        (DATED, Known('"x"', WHEN), ("", 5, WHEN), UNPROVEN),
        (WEAK, None, ('W/"e"', 5, ""), SAME),
        (WEAK, None, ('W/"f"', 5, ""), OTHER),
        (WEAK, None, ("", 5, ""), UNPROVEN),
        (ObjectId("s", "k", "5-", "", 5), None, ("", 5, ""), SAME),
        (ObjectId("s", "k", "5-", "", 5), None, ("", 5, WHEN), OTHER),
    ],
)
def test_an_answer_is_of_the_version(
    id: ObjectId, known: Known | None, answer: tuple[str, int | None, str], match: Match
) -> None:
    by_date = not id.etag.startswith('"')
    assert compare(id, known, Answer(*answer, "x/y"), by_date=by_date) is match


def test_the_date_counts_where_the_etag_does_not() -> None:
    known, answer = Known('"e"', WHEN), Answer('"e"', 5, LATER, "")
    assert compare(ETAG, known, answer, by_date=False) is Match.SAME
    assert compare(ETAG, known, answer, by_date=True) is Match.OTHER


def test_what_a_head_vouched_for_is_taken() -> None:
    page = Answer("", 5, "", "x/y")
    assert compare(ETAG, Known("", "", page), page, by_date=False) is Match.SAME
    assert compare(ETAG, Known("", "", page), page._replace(kind="text/html"), by_date=False) is Match.UNPROVEN


def test_the_size_of_the_whole() -> None:
    assert size_in(206, "bytes 5-9/100", 5) == 100
    assert size_in(206, "bytes 5-9/*", 5) is None
    assert size_in(206, None, 5) is None
    assert size_in(200, None, 5) == 5
    assert size_in(200, "bytes 5-9/100", 5) == 100


def test_what_is_listed() -> None:
    row = ObjectStat(ObjectId("s", "k", '"E"', "", 5), 5, SECONDS * 10**9)
    assert is_listed(row.id, row)
    assert is_listed(DATED, row)
    assert not is_listed(ETAG, row)
    assert not is_listed(row.id._replace(size=6), row)
    assert fits(row, Answer("", 5, WHEN, ""))
    assert fits(row, Answer("", None, "Mon, 12 Oct 2009 17:50:31 GMT", ""))
    assert not fits(row, Answer("", 5, LATER, ""))
    assert not fits(row, Answer("", 6, WHEN, ""))
    assert not fits(row, Answer("", 5, "", ""))

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mountnd.errors import BadAnswer
from mountnd.stores.facts import UNKNOWN_MTIME_NS
from mountnd.stores.s3.listing import page as listing
from mountnd.stores.s3.listing.continuation import after_of
from mountnd.stores.s3.listing.page import parse_page

NS = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'

# A key is at most 1,024 bytes of UTF-8.
keys = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)


def contents(key: str, *, etag: str = "&quot;e&quot;", size: object = 3, time: str = "2009-10-12T17:50:30.000Z") -> str:
    return (
        f"<Contents><Key>{key}</Key><LastModified>{time}</LastModified><ETag>{etag}</ETag><Size>{size}</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents>"
    )


def page(*inside: str, encoded: bool = True, token: str | None = None, head: str = HEAD) -> bytes:
    how = "<EncodingType>url</EncodingType>" if encoded else ""
    more = "<IsTruncated>false</IsTruncated>"
    if token is not None:
        more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{escape(token)}</NextContinuationToken>"
    return f"{head}<ListBucketResult{NS}><Name>b</Name>{how}{more}{''.join(inside)}</ListBucketResult>".encode()


@pytest.mark.parametrize("encode", [quote, quote_plus, lambda key: quote(key, safe="/~!*'()")])
@given(key=keys)
def test_a_key_comes_back_as_it_was(encode: object, key: str) -> None:
    body = page(contents(encode(key)), f"<CommonPrefixes><Prefix>{encode(key + '/')}</Prefix></CommonPrefixes>")  # type: ignore[operator]
    found = parse_page(body, "s3://b")
    assert [stat.id.key for stat in found.objects] == [key]
    assert found.prefixes == [key + "/"]
    assert found.objects[0].id.etag == '"e"'


@given(key=st.text(st.characters(codec="utf-8", exclude_characters="\r", exclude_categories=("Cc", "Cn")), min_size=1))
def test_a_server_that_does_not_encode_is_not_decoded(key: str) -> None:
    if any(ord(c) in (0xFFFE, 0xFFFF) for c in key):
        return
    found = parse_page(page(contents(escape(key)), encoded=False), "s3://b")
    assert [stat.id.key for stat in found.objects] == [key]


@given(
    names=st.lists(keys, max_size=8),
    seconds=st.integers(0, 4_102_444_800),
    size=st.integers(0, 5 * 2**40),
    token=st.none() | st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1),
    space=st.sampled_from(["", "\n  "]),
)
def test_the_expression_and_the_parser_agree(
    names: list[str], seconds: int, size: int, token: str | None, space: str
) -> None:
    time = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    inside = [space + contents(quote(name), size=size, time=time) for name in names]
    body = page(
        *inside, *(f"<CommonPrefixes><Prefix>{quote(n)}/</Prefix></CommonPrefixes>" for n in names), token=token
    )
    fast = listing._by_expression(body)
    assert fast is not None
    assert fast == listing._by_parser(body)
    found = parse_page(body, "s")
    assert found.token == token
    assert [(stat.size, stat.mtime_ns) for stat in found.objects] == [(size, seconds * 10**9)] * len(names)


SLOW = {
    "an order of its own": contents("a").replace("<Size>3</Size>", "").replace("<Key>", "<Size>3</Size><Key>"),
    "an attribute": contents("a").replace("<Contents>", '<Contents x="1">'),
    "further children": contents("a").replace("<Size>", "<Restore><Done>true</Done></Restore><Size>"),
    "no storage class": contents("a").replace("<StorageClass>STANDARD</StorageClass>", "<Other/>"),
    "CDATA": contents("a").replace("<Key>a</Key>", "<Key><![CDATA[a]]></Key>"),
    "a comment": "<!-- " + contents("not there") + " -->" + contents("a"),
    "a namespace prefix": contents("a").replace("<", "<s:").replace("<s:/", "</s:").replace(
        "<s:Contents>", '<s:Contents xmlns:s="http://s3.amazonaws.com/doc/2006-03-01/">'),
    "entities by number": contents("a").replace("&quot;", "&#x22;"),
    "an owner": contents("a").replace("<Size>", "<Owner><ID>1</ID><DisplayName>x</DisplayName></Owner><Size>"),
    "one more that is usual": contents("a") + contents("b"),
}  # fmt: skip


@pytest.mark.parametrize("what", SLOW)
def test_other_shapes_mean_the_same(what: str) -> None:
    found = parse_page(page(SLOW[what]), "s")
    assert found.objects[0].id.key == "a"
    assert len(found.objects) == (2 if "one more" in what else 1)
    assert (found.objects[0].id.etag, found.objects[0].size) == ('"e"', 3)
    assert found.objects[0].mtime_ns == 1255369830 * 10**9


def test_an_xml_name_for_a_character_is_resolved_once() -> None:
    body = page(contents("a&amp;lt;b&#38;c&gt;"), encoded=False)
    assert listing._by_expression(body) == listing._by_parser(body)
    assert parse_page(body, "s").objects[0].id.key == "a&lt;b&c>"


def test_another_encoding_of_the_document_is_obeyed() -> None:
    body = page(contents("é"), encoded=False, head='<?xml version="1.0" encoding="ISO-8859-1"?>\n')
    assert parse_page(body.decode().encode("latin-1"), "s").objects[0].id.key == "é"


def test_a_key_that_is_not_utf8_is_reported_and_hides_no_other() -> None:
    prefixes = "<CommonPrefixes><Prefix>d%FF/</Prefix></CommonPrefixes>"
    found = parse_page(page(contents("caf%E9"), contents("b"), prefixes), "s")
    assert [stat.id.key for stat in found.objects] == ["b"]
    assert found.prefixes == []
    assert found.unshowable == ("'caf\\udce9'", "'d\\udcff/'")


def test_an_etag_without_quotes_gets_them() -> None:
    for given_, wanted in (("e", '"e"'), ('"e"', '"e"'), ("&quot;e&quot;", '"e"'), ('W/"e"', 'W/"e"')):
        assert parse_page(page(contents("a", etag=given_)), "s").objects[0].id.etag == wanted


def test_fractions_of_a_second_are_cut_off() -> None:
    for time in ("2009-10-12T17:50:30.999Z", "2009-10-12T17:50:30Z", "2009-10-12T19:50:30+02:00"):
        assert parse_page(page(contents("a", time=time)), "s").objects[0].mtime_ns == 1255369830 * 10**9


def test_storage_classes_are_kept_once() -> None:
    one, two = parse_page(page(contents("a"), contents("b")), "s").objects
    assert one.storage_class == "STANDARD"
    assert one.storage_class is two.storage_class


IMPOSSIBLE_DATES = [
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1601-01-01T00:00:00Z", "Mon, 01 Jan 0001 00:00:00 GMT", "",
    "yesterday", "2009-13-45T17:50:30Z", "-1", "null",
]  # fmt: skip


@pytest.mark.parametrize("time", IMPOSSIBLE_DATES)
def test_an_impossible_date_is_unknown_and_costs_no_other_row(time: str) -> None:
    one, two = parse_page(page(contents("a", time=time), contents("b")), "s").objects
    assert (one.id.key, one.size, one.mtime_ns) == ("a", 3, UNKNOWN_MTIME_NS)
    assert two.mtime_ns == 1255369830 * 10**9


@pytest.mark.parametrize(
    "time", ["Mon, 12 Oct 2009 17:50:30 GMT", "2009-10-12T17:50:30", "2009-10-12 17:50:30.5", "2009-10-12t17:50:30z"]
)
def test_a_date_in_another_format_is_read(time: str) -> None:
    assert parse_page(page(contents("a", time=time)), "s").objects[0].mtime_ns == 1255369830 * 10**9


@pytest.mark.parametrize("size", ["", "-1", "many", "1_0", "3.5", str(2**63), "9" * 30, "9" * 5000, "\u0663"])
def test_a_row_without_a_size_that_can_be_is_reported(size: str) -> None:
    found = parse_page(page(contents("a", size=size), contents("b")), "s")
    assert [stat.id.key for stat in found.objects] == ["b"]
    assert len(found.unshowable) == 1
    assert "'a'" in found.unshowable[0]
    assert size[:20] in found.unshowable[0]


def test_rows_that_lack_elements() -> None:
    rows = ["<Key>a</Key><Size>1</Size>", "<Key>b</Key>", "<Size>1</Size>", ""]
    found = parse_page(page(*(f"<Contents>{row}</Contents>" for row in rows), contents("z")), "s")
    assert [(stat.id.key, stat.mtime_ns == UNKNOWN_MTIME_NS) for stat in found.objects] == [("a", True), ("z", False)]
    assert len(found.unshowable) == 3


@pytest.mark.parametrize("etag", ["", "&#1;&#2;", "\x01\x7f", "caf\u00e9"])
def test_an_etag_that_cannot_be_one_is_left_out(etag: str) -> None:
    one, two = parse_page(page(contents("a", etag=etag), contents("b")), "s").objects
    assert (one.id.key, one.id.etag, one.size, one.mtime_ns) == ("a", "", 3, 1255369830 * 10**9)
    assert two.id.etag == '"e"'


@pytest.mark.parametrize(
    ("written", "key"), [("a&#1;b", "a\x01b"), ("a\x1fb", "a\x1fb"), ("a&b", "a&b"), ("a&bad;b", "a&bad;b"),
                         ("a\uffff", "a\uffff"), ("a&amp;b", "a&b"), ("&#x41;&", "A&")],
)  # fmt: skip
def test_a_key_that_breaks_the_rules_of_xml_is_read_as_it_was_meant(written: str, key: str) -> None:
    body = page(contents(written), contents("&#x1;"), contents("z"), encoded=False)
    assert [stat.id.key for stat in parse_page(body, "s").objects] == [key, "\x01", "z"]


def test_raw_bytes_that_are_not_utf8_cost_one_row() -> None:
    body = page(contents("caf?"), contents("b"), encoded=False).replace(b"caf?", b"caf\xe9")
    found = parse_page(body, "s")
    assert [stat.id.key for stat in found.objects] == ["b"]
    assert found.unshowable == ("'caf\\udce9'",)


@pytest.mark.parametrize(
    ("inside", "marker", "after"),
    [
        (contents("a") + contents("b/"), "", "b/"),
        (contents("a") + "<CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes>", "", "b/\ufffd"),
        (contents("c") + "<CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes>", "", "c"),
        (contents("a") + contents("b", size="many"), "", "b"),
        (contents("a"), "<NextMarker>b%2Bc/</NextMarker>", "b+c/"),
    ],
)
def test_a_page_that_goes_on_without_a_token_goes_on_behind_its_last_key(inside: str, marker: str, after: str) -> None:
    body = page(inside, marker).replace(b"false", b"true")
    assert after_of(parse_page(body, "s").token) == after


def test_which_version_answered() -> None:
    assert not listing.parse(page(contents("a")), "s").version_1
    assert listing.parse(page("<Marker></Marker>"), "s").version_1
    assert listing.parse(page("<NextMarker>a</NextMarker>"), "s").version_1
    assert not listing.parse(page("<Marker/><KeyCount>0</KeyCount>"), "s").version_1
    assert not listing.parse(page("<NextMarker>a</NextMarker>", token="t"), "s").version_1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"<html/>",
        b"<ListBucketResult>",
        page().replace(b"false", b"true"),
        b'<?xml version="1.0" encoding="nonsense"?><ListBucketResult/>',
        b'<!DOCTYPE a [<!ENTITY b "c">]><ListBucketResult><Contents>&d;</Contents></ListBucketResult>',
        page(contents("a"))[:-10],
    ],
)
def test_what_is_no_page_is_a_bad_answer(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        parse_page(body, "s3://b")

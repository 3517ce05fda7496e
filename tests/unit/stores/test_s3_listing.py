from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mountnd.errors import BadAnswer
from mountnd.stores.s3 import listing
from mountnd.stores.s3.listing import parse_page

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


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"<html/>",
        b"<ListBucketResult>",
        page(contents("a", size="many")),
        page(contents("a", size="-1").replace("<Size>-1</Size>", "")),
        page(contents("a", time="yesterday")),
        page(contents("a", time="2009-10-12T17:50:30")),
        page("<Contents><Key>a</Key></Contents>"),
        page().replace(b"false", b"true"),
        b'<?xml version="1.0" encoding="nonsense"?><ListBucketResult/>',
        b'<!DOCTYPE a [<!ENTITY b "c">]><ListBucketResult><Contents>&d;</Contents></ListBucketResult>',
        page(contents("&bad;")),
        page(contents("a"))[:-10],
    ],
)
def test_what_is_no_page_is_a_bad_answer(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        parse_page(body, "s3://b")

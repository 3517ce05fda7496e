from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mountnd.stores.s3.listing.repair import repaired, restored


@given(st.binary(max_size=60))
def test_any_bytes_come_back(raw: bytes) -> None:
    body = raw.replace(b"<", b"(").replace(b">", b")").replace(b"&", b"+").replace(b"\r", b"\n")
    whole = b"<a>" + body + b"</a>"
    got = repaired(whole) or whole
    assert restored(ElementTree.fromstring(got).text or "") == body.decode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    ("written", "meant"),
    [("&#0;", "\0"), ("&#x1F;", "\x1f"), ("&#9;&#x41;", "\tA"), ("&", "&"), ("&&amp;", "&&"), ("&who;", "&who;"),
     ("&#xD800;", "&#xD800;"), ("&#1114112;", "&#1114112;"), ("&#xFFFE;", "\ufffe"), ("&lt;&amp;lt;", "<&lt;")],
)  # fmt: skip
def test_references(written: str, meant: str) -> None:
    body = f"<a>{written}</a>".encode()
    assert restored(ElementTree.fromstring(repaired(body) or body).text or "") == meant


def test_what_is_right_and_what_defines_entities_is_left_alone() -> None:
    assert repaired(b"<a>x &amp; y&#65;</a>") is None
    assert repaired(b"<!DOCTYPE a><a>&b;</a>") is None

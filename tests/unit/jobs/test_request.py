"""What comes over the control socket is a request, or a clear refusal."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mountnd.errors import UsageError
from mountnd.jobs.request import HEADER_BYTES, PrefetchRequest
from mountnd.jobs.schema import vocabulary


def test_it_is_the_same_on_the_other_side() -> None:
    request = PrefetchRequest(
        paths=("a", "b\udcff"), entities={"sub": ("01",)}, suffixes=("bold",), vocabulary=vocabulary(),
        include=("*.a",), listed=("x",), headers=True, max_bytes=7, pin="p", asked="a b",
    )  # fmt: skip
    assert PrefetchRequest.from_json(json.loads(json.dumps(request.as_json()))) == request
    assert request.bytes_of(10) == 10 and request.bytes_of(10 << 20) == HEADER_BYTES


@pytest.mark.parametrize(
    "said",
    [
        None, [], "x", {}, {"paths": "a"}, {"paths": [1]}, {"paths": ["a\0"]}, {"paths": [], "max_bytes": "x"},
        {"paths": [], "unheard_of": 1}, {"paths": [], "entities": []}, {"paths": [], "entities": {"sub": "01"}},
        {"paths": [], "vocabulary": {"version": 1}}, {"paths": [], "listed": {}},
    ],
)  # fmt: skip
def test_what_is_none_is_refused(said: Any) -> None:
    with pytest.raises(UsageError, match="cannot be understood"):
        PrefetchRequest.from_json(said)


def test_a_pattern_is_looked_at_before_anything_is_done() -> None:
    with pytest.raises(UsageError, match="no pattern"):
        PrefetchRequest(paths=(), include=("..",))

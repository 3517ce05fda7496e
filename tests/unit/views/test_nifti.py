"""Sizes from headers, and headers that cannot be true."""

from __future__ import annotations

import pytest

from mountnd.views import formats, nifti, unfit
from mountnd.views.unfit import Unfit
from tests.support.nifti_files import header, image


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("shape", [(1,), (3, 5), (64, 64, 30, 10), (2, 2, 2, 2, 2, 2, 2)])
@pytest.mark.parametrize("bitpix", [8, 16, 32, 64])
def test_a_size_is_that_of_the_file(version: int, order: str, shape: tuple[int, ...], bitpix: int) -> None:
    data = image(shape, version=version, order=order, bitpix=bitpix)
    assert nifti.size_of(data[: nifti.HEADER_BYTES]) == len(data)


def test_single_bits_take_whole_bytes() -> None:
    assert nifti.size_of(header((3, 3), bitpix=1) + bytes(4)) == 352 + 2


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "header"),
        (b"\x5c\x01", "header"),
        (header((3,))[:347], "header"),
        (header((3,), version=2)[:539], "header"),
        (bytes(540), "header"),
        (header((3,), magic=b"abcd"), "header"),
        (header((3,), magic=b"ni1\0"), "pair"),
        (header((3,), version=2, magic=b"ni2\0\r\n\x1a\n"), "pair"),
        (header((3, 0)), "dimensions"),
        (header((3, -1)), "dimensions"),
        (header((3, 3), bitpix=-8), "dimensions"),
        (header((2**40,) * 7, version=2), "dimensions"),
        (header((3,), offset=float("nan")), "offset"),
        (header((3,), offset=0), "offset"),
        (header((3,), offset=352.5), "offset"),
    ],
)
def test_what_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(Unfit) as caught:
        nifti.size_of(data)
    assert caught.value.name == why


def test_reasons_keep_their_numbers() -> None:
    assert [unfit.name_of(unfit.number_of(name)) for name in unfit.REASONS] == list(unfit.REASONS)
    assert unfit.name_of(0) is unfit.name_of(200) is None
    assert unfit.number_of("header") == 1 and unfit.number_of("gzip") == 9, "kept on disk: append only"


def test_the_option_knows_every_view() -> None:
    from mountnd.config.parsers import VIEW_NAMES

    assert sorted(VIEW_NAMES) == sorted(formats.FORMATS)

"""Why a compressed file cannot be shown inflated, by a number that is kept. Pure."""

from __future__ import annotations

# Append only: what is kept on disk holds their places.
REASONS = {
    "header": "its data do not begin with the header that its name promises",
    "pair": "its header is of an image whose data are in a file of their own (.hdr and .img)",
    "dimensions": "the dimensions in its header cannot be true",
    "offset": "its header does not tell where the data begin",
    "size": "it does not inflate to the size that its header tells",
    "trailing": "bytes follow its compressed data that are no gzip and no zeros",
    "truncated": "its compressed data end too soon",
    "damaged": "its compressed data are damaged",
    "gzip": "it is no gzip file",
}
_NUMBERS = {name: number for number, name in enumerate(REASONS, 1)}
_NAMES = tuple(REASONS)


class Unfit(Exception):
    """It cannot be shown inflated. Attributes: name: one of `REASONS`; `str()` says it in words."""

    def __init__(self, name: str) -> None:
        super().__init__(REASONS[name])
        self.name = name


def number_of(name: str) -> int:
    """The number of a reason, from 1 on."""
    return _NUMBERS[name]


def name_of(number: int) -> str | None:
    """The reason of a number; None where there is none."""
    return _NAMES[number - 1] if 1 <= number <= len(_NAMES) else None

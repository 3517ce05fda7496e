"""The views there are, by the name that `--view` takes: a line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from . import nifti


class Format(NamedTuple):
    """One kind of compressed file.

    Attributes:
        end: how its names end, in lower case, `.gz` last; the view takes that away.
        size_of: bytes of the whole inflated file, from its first `head_bytes`. Raises Unfit.
    """

    end: str
    size_of: Callable[[bytes], int]
    head_bytes: int


FORMATS: Mapping[str, Format] = {
    "nii": Format(".nii.gz", nifti.size_of, nifti.HEADER_BYTES),
}

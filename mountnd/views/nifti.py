"""How long a NIfTI file is, from its header. Pure.

Layouts: nifti1.h and nifti2.h of the NIfTI Data Format Working Group, https://nifti.nimh.nih.gov (NIfTI-1.1, NIfTI-2).
"""

from __future__ import annotations

import math
import struct

from .unfit import Unfit

# Bytes of a header by its first number, `sizeof_hdr`.
NIFTI1, NIFTI2 = 348, 540
# Bytes from the start that tell everything.
HEADER_BYTES = NIFTI2

_LARGEST = 2**63 - 1


def size_of(head: bytes) -> int:
    """Bytes of the whole file: `vox_offset + prod(dim[1..dim[0]]) * bitpix / 8`.

    Args:
        head: its first bytes, `HEADER_BYTES` of them where it has so many.

    Raises Unfit for what is no single-file NIfTI, and for a header that cannot be true.
    """
    for order in "<>":
        (length,) = struct.unpack_from(f"{order}i", head.ljust(4, b"\xff"))
        if length in (NIFTI1, NIFTI2):
            break
    else:
        raise Unfit("header")
    if len(head) < length:
        raise Unfit("header")
    if length == NIFTI1:
        dim = struct.unpack_from(f"{order}8h", head, 40)
        (bitpix,) = struct.unpack_from(f"{order}h", head, 72)
        (offset,) = struct.unpack_from(f"{order}f", head, 108)
        magic, expected, pair = head[344:348], b"n+1\0", b"ni1\0"
    else:
        dim = struct.unpack_from(f"{order}8q", head, 16)
        (bitpix,) = struct.unpack_from(f"{order}h", head, 14)
        (offset,) = struct.unpack_from(f"{order}q", head, 168)
        magic, expected, pair = head[4:8], b"n+2\0", b"ni2\0"
    if magic != expected:
        raise Unfit("pair" if magic == pair else "header")
    if not 1 <= dim[0] <= 7 or any(n < 1 for n in dim[1 : dim[0] + 1]) or bitpix < 1:
        raise Unfit("dimensions")
    if not math.isfinite(offset) or offset != int(offset) or offset < length:
        raise Unfit("offset")
    size: int = int(offset) + (math.prod(dim[1 : dim[0] + 1]) * bitpix + 7) // 8
    if size > _LARGEST:
        raise Unfit("dimensions")
    return size

"""NIfTI files made here, as they are found in archives, and as they should not be."""

from __future__ import annotations

import gzip
import io
import random
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple


def header(
    shape: tuple[int, ...],
    *,
    version: int = 1,
    order: str = "<",
    bitpix: int = 16,
    offset: float | None = None,
    magic: bytes | None = None,
) -> bytes:
    """The header of an image of this shape, 348 or 540 bytes."""
    dim = (len(shape), *shape, *(1,) * (7 - len(shape)))
    code = {8: 2, 16: 4, 32: 16, 64: 64}.get(bitpix, 4)
    if version == 1:
        raw = bytearray(348)
        struct.pack_into(f"{order}i", raw, 0, 348)
        struct.pack_into(f"{order}8h", raw, 40, *dim)
        struct.pack_into(f"{order}2h", raw, 70, code, bitpix)
        struct.pack_into(f"{order}8f", raw, 76, *(1.0,) * 8)
        struct.pack_into(f"{order}f", raw, 108, 352 if offset is None else offset)
        raw[344:348] = magic or b"n+1\0"
    else:
        raw = bytearray(540)
        struct.pack_into(f"{order}i", raw, 0, 540)
        raw[4:12] = magic or b"n+2\0\r\n\x1a\n"
        struct.pack_into(f"{order}2h", raw, 12, code, bitpix)
        struct.pack_into(f"{order}8q", raw, 16, *dim)
        struct.pack_into(f"{order}8d", raw, 104, *(1.0,) * 8)
        struct.pack_into(f"{order}q", raw, 168, int(544 if offset is None else offset))
    return bytes(raw)


def voxels(count: int, seed: int = 0, zeros: float = 0.4) -> bytes:
    """Bytes that compress as images do: a part of zeros, and noise in every other byte."""
    noise = random.Random(seed).randbytes((count + 1) // 2)
    data = bytearray(count)
    data[::2] = noise
    cut = int(count * zeros)
    data[:cut] = bytes(cut)
    return bytes(data)


def image(shape: tuple[int, ...], *, version: int = 1, order: str = "<", bitpix: int = 16, seed: int = 0) -> bytes:
    """A whole .nii file."""
    size = bitpix // 8
    for n in shape:
        size *= n
    head = header(shape, version=version, order=order, bitpix=bitpix)
    return head + bytes(4) + voxels(size, seed)


def gzipped(data: bytes, level: int = 6, name: str = "") -> bytes:
    """As one gzip member, always the same."""
    out = io.BytesIO()
    with gzip.GzipFile(name, "wb", level, out, mtime=0) as file:
        file.write(data)
    return out.getvalue()


def members(data: bytes, piece: int, level: int = 6) -> bytes:
    """As many members, as bgzip and `cat a.gz b.gz` make them."""
    return b"".join(gzipped(data[at : at + piece], level) for at in range(0, len(data), piece))


class Made(NamedTuple):
    """A stored file. `inflated`: what is to be read of it; None: it is not to be opened."""

    name: str
    stored: bytes
    inflated: bytes | None


def made() -> Iterator[Made]:
    """Some of each kind, `X.nii.gz` all of them."""
    shapes = [(3,), (5, 4), (16, 16, 9), (31, 7, 5, 3), (8, 8, 4, 2, 3), (2, 3, 2, 2, 2, 2, 2), (64, 64, 40)]
    for n, shape in enumerate(shapes):
        for version in (1, 2):
            for order in "<>":
                for bitpix in (8, 16, 32, 64):
                    plain = image(shape, version=version, order=order, bitpix=bitpix, seed=n)
                    level = 1 + (n + bitpix // 8) % 9
                    yield Made(
                        f"ok-{n}-{version}-{'le' if order == '<' else 'be'}-{bitpix}", gzipped(plain, level), plain
                    )
    plain = image((40, 30, 20), seed=7)
    whole = gzipped(plain)
    yield Made("ok-stored", gzipped(plain, 0), plain)
    yield Made("ok-named", gzipped(plain, name="x.nii"), plain)
    yield Made("ok-extension", gzipped(extended := header((9, 9), offset=384) + bytes(36) + voxels(162)), extended)
    for piece in (1000, 4096, len(plain) // 2 + 1, len(plain) - 1):
        yield Made(f"ok-members-{piece}", members(plain, piece), plain)
    yield Made("ok-empty-members", gzipped(b"") + whole + gzipped(b""), plain)
    for zeros in (1, 4, 511, 512, 10_240, 70_000):
        yield Made(f"ok-zeros-{zeros}", whole + bytes(zeros), plain)
    yield Made("ok-size-ends-in-zeros", gzipped(even := image((128, 256, 2), seed=3) + b"")[:], even)
    yield Made("bad-longer", gzipped(plain + b"more"), None)
    yield Made("bad-shorter", gzipped(plain[:-1]), None)
    yield Made("bad-twice", whole + whole, None)
    yield Made("bad-another-member", whole + gzipped(b"x"), None)
    for tail in (b"x", b"\0\0garbage\0\0", b"\x1f", b"\x1f\x8b", b"\x1f\x8b\x08garbage", bytes(3) + whole):
        yield Made(f"bad-trailing-{tail[:6].hex()}-{len(tail)}", whole + tail, None)
    for cut in (1, 4, 8, 9, 100, len(whole) // 2, len(whole) - 10, len(whole) - 1):
        yield Made(f"bad-cut-{cut}", whole[:-cut], None)
    yield Made("bad-header-alone", gzipped(header((40, 30, 20))), None)
    yield Made("bad-header-and-4", gzipped(header((40, 30, 20)) + bytes(4)), None)
    yield Made("bad-empty", b"", None)
    yield Made("bad-empty-member", gzipped(b""), None)
    yield Made("bad-not-gzip", plain, None)
    yield Made("bad-html", b"<html>not found</html>" * 40, None)
    yield Made("bad-other", gzipped(b"col1\tcol2\n" * 1000), None)
    yield Made("bad-pair", gzipped(header((3, 3), magic=b"ni1\0")), None)
    yield Made("bad-pair-2", gzipped(header((3, 3), version=2, magic=b"ni2\0\r\n\x1a\n")), None)
    yield Made("bad-magic", gzipped(header((3, 3), magic=b"abc\0") + bytes(22)), None)
    for name, dim in {"dim0-0": 0, "dim0-8": 8, "dim0-negative": -1, "dim0-large": 20_000}.items():
        head = bytearray(header((3, 3)))
        struct.pack_into("<h", head, 40, dim)
        yield Made(f"bad-{name}", gzipped(bytes(head) + bytes(22)), None)
    for name, n in {"zero": 0, "negative": -5}.items():
        head = bytearray(header((3, 3)))
        struct.pack_into("<h", head, 44, n)
        yield Made(f"bad-dim-{name}", gzipped(bytes(head) + bytes(22)), None)
    yield Made("bad-huge", gzipped(header((32_767,) * 7, bitpix=64) + bytes(200)), None)
    yield Made("bad-huge-2", gzipped(header((2**40,) * 7, version=2, bitpix=64) + bytes(200)), None)
    yield Made("bad-bitpix", gzipped(header((3, 3), bitpix=0) + bytes(22)), None)
    for name, offset in {
        "nan": float("nan"),
        "inf": float("inf"),
        "negative": -352.0,
        "zero": 0.0,
        "part": 352.5,
    }.items():
        yield Made(f"bad-offset-{name}", gzipped(header((3, 3), offset=offset) + bytes(22)), None)
    damaged = bytearray(whole)
    damaged[len(damaged) // 2] ^= 0x55
    yield Made("bad-damaged", bytes(damaged), None)
    checksum = bytearray(whole)
    checksum[-8] ^= 1
    yield Made("bad-checksum", bytes(checksum), None)


def as_gzip_does(stored: bytes) -> bytes | None:
    """What `gzip -d` makes of a file without a warning; None where it warns or fails. By zlib alone."""
    out, left = b"", stored
    while left:
        if out and not left.strip(b"\0"):
            return out
        z = zlib.decompressobj(31)
        try:
            out += z.decompress(left)
        except zlib.error:
            return None
        if not z.eof:
            return None
        left = z.unused_data
    return out if stored else None

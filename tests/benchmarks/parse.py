"""How fast pages of a listing are parsed, on one core: keys a second, beside botocore's parser on the same pages.

Pages of a flat walk are read side by side, and parsing is what one core can do of them: botocore's parser alone would
hold a walk of a million keys for most of a minute.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import md5
from urllib.parse import quote

from .goals import PARSE_AIM, PARSE_GOAL
from .place import RESULTS

KEYS = 1000  # in a page: S3 gives no more
PAGES = 40
BEST_OF = 5
BEGIN = datetime(2020, 9, 13, 12, 26, 40, tzinfo=UTC)

# What S3 writes of each object, by when it was put there: since 2025 every new one has a checksum.
KINDS = {
    "without checksums": "",
    "with checksums": "<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>",
}


def page(number: int, checksum: str) -> bytes:
    """A page of a BIDS data set as S3 writes it when asked with `encoding-type=url`."""
    rows = []
    for i in range(number * KEYS, (number + 1) * KEYS):
        subject, run = divmod(i, 8)
        stem = f"sub-{subject:05d}_ses-01_task-rest_run-{run}_bold"
        key = f"ds{number:06d}/sub-{subject:05d}/ses-01/func/{stem}.nii.gz"
        when = (BEGIN + timedelta(seconds=i)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        etag = md5(key.encode(), usedforsecurity=False).hexdigest()
        rows.append(
            f"<Contents><Key>{quote(key)}</Key><LastModified>{when}</LastModified><ETag>&quot;{etag}&quot;</ETag>"
            f"{checksum}<Size>{1000 + i}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>openneuro.org</Name><Prefix></Prefix><NextContinuationToken>1{number:040d}</NextContinuationToken>"
        f"<KeyCount>{KEYS}</KeyCount><MaxKeys>{KEYS}</MaxKeys><EncodingType>url</EncodingType>"
        f"<IsTruncated>true</IsTruncated>{''.join(rows)}</ListBucketResult>"
    ).encode()


def ours(body: bytes) -> int:
    from mountnd.stores.s3.listing.page import parse_page

    return len(parse_page(body, "s3://openneuro.org").objects)


def botocores() -> Callable[[bytes], int]:
    """botocore's parser of ListObjectsV2, without what its client does before and after."""
    from botocore.parsers import create_parser
    from botocore.session import get_session

    shape = get_session().get_service_model("s3").operation_model("ListObjectsV2").output_shape
    parser = create_parser("rest-xml")
    return lambda body: len(parser.parse({"headers": {}, "status_code": 200, "body": body}, shape)["Contents"])


def rate(parse: Callable[[bytes], int], pages: list[bytes]) -> float:
    """Keys a second of this process's time; the best of some rounds, as others use the machine too."""
    best = 0.0
    for _ in range(BEST_OF):
        begun = time.process_time()
        keys = sum(parse(body) for body in pages)
        best = max(best, keys / (time.process_time() - begun))
        if keys != KEYS * len(pages):
            raise AssertionError(f"{keys} keys of {KEYS * len(pages)}")
    return best


def run() -> None:
    """Print a table, and keep it and the rates in `results/`."""
    theirs = botocores()
    rates: dict[str, dict[str, float]] = {}
    for kind, checksum in KINDS.items():
        pages = [page(number, checksum) for number in range(PAGES)]
        rates[kind] = {"ours": rate(ours, pages), "botocore": rate(theirs, pages[:4])}
    (RESULTS / "parse.json").write_text(json.dumps(rates, indent=1))
    shown = table(rates)
    (RESULTS / "parse.md").write_text(shown + "\n")
    print(f"\n{shown}\n")


def table(rates: dict[str, dict[str, float]]) -> str:
    """Markdown, with the verdicts."""
    out = ["| keys/s parsed, one core | ours | botocore | goal | aim | verdict |", "|---|--:|--:|--:|--:|---|"]
    for kind, found in rates.items():
        verdict = "held" if found["ours"] >= PARSE_GOAL else "**missed**"
        verdict += ", aim reached" if found["ours"] >= PARSE_AIM else ""
        numbers = (found["ours"], found["botocore"], PARSE_GOAL, PARSE_AIM)
        out.append(f"| S3's pages {kind} | " + " | ".join(f"{n / 1e3:,.0f} k" for n in numbers) + f" | {verdict} |")
    return "\n".join(out)

"""What a mount's requests would cost at S3's list prices, and whom; and what was saved by not downloading. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from .figures import Figures, figures

# S3 Standard in us-east-1 (N. Virginia), in US dollars: https://aws.amazon.com/s3/pricing/, as listed in 2025. Other
# regions and classes are up to twice as dear. Not in it: the first 100 GB a month that go to the internet are free, as
# is whatever stays within the bucket's region.
SOURCE, LISTED = "https://aws.amazon.com/s3/pricing/", "2025"
GET_OR_HEAD, LIST, GB_OUT = 0.0004 / 1000, 0.005 / 1000, 0.09

# Who pays.
OWNER, READER, KEYS = "owner", "reader", "keys"
_PAYERS = {
    OWNER: "the owner of the bucket, not you: requests are unsigned (many such buckets are sponsored by AWS Open Data)",
    READER: "you: the source is mounted with --requester-pays",
    KEYS: "the owner of the bucket, which may be you or your lab: requests are signed with your keys",
}


class Cost(NamedTuple):
    """An estimate in US dollars.

    Attributes:
        requests: for GETs, HEADs and LISTs; transfer: for the bytes, if they went to the internet.
        payer: OWNER, READER or KEYS.
    """

    requests: float
    transfer: float
    payer: str

    @property
    def total(self) -> float:
        return self.requests + self.transfer


def cost(done: Figures, payer: str) -> Cost:
    """The estimate for what one source did."""
    requests = (done.gets + done.heads) * GET_OR_HEAD + done.lists * LIST
    return Cost(requests, done.fetched / 1e9 * GB_OUT, payer)


def payer_of(source: Mapping[str, Any]) -> str:
    """Who pays for the requests to a source in S3."""
    if source["requester_pays"]:
        return READER
    return KEYS if source["signed"] else OWNER


def costs(sources: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The document's `cost`: for the sources in S3, at AWS or elsewhere."""
    rows = []
    for source in sources:
        if source["kind"] == "s3":
            estimate = cost(figures(source["counters"]), payer_of(source))
            rows.append(
                {
                    "source": source["name"],
                    "requests_usd": round(estimate.requests, 6),
                    "transfer_usd": round(estimate.transfer, 6),
                    "payer": estimate.payer,
                    "who": _PAYERS[estimate.payer],
                    "at_aws": source["endpoint_url"] is None or "amazonaws.com" in source["endpoint_url"],
                }
            )
    prices = {"get_or_head_usd": GET_OR_HEAD, "list_usd": LIST, "gb_to_internet_usd": GB_OUT}
    return {"by_source": rows, "prices": {**prices, "source": SOURCE, "listed": LISTED}}


def saved(
    files: Sequence[Mapping[str, Any]],
    datasets: Sequence[Mapping[str, Any]],
    sources: Sequence[Mapping[str, Any]],
    fetched: int,
    from_disk: int,
) -> dict[str, Any]:
    """The document's `saved`: bytes that were read and fetched, beside those of a download.

    The whole is that of the datasets which files were read from, or of the sources where there are none. Where not all
    of its names are known it is a lower bound.
    """  # fmt: skip
    whole: Sequence[Mapping[str, Any]] = _outermost(datasets) or sources
    in_one = {(file["source"], file["key"], file["etag"]): file["size"] for file in files}
    known = [one["known"] for one in whole]
    # The whole is not less than the part that was read, however little of its directories was listed.
    return {
        "read": sum(file["bytes_read"] for file in files),
        "fetched": fetched,
        "from_disk": from_disk,
        "files": len(in_one),
        "files_whole": sum(in_one.values()),
        "whole_of": "datasets" if datasets else "sources",
        "whole": max(sum(one["bytes"] for one in known), sum(in_one.values())),
        "whole_files": max(sum(one["files"] for one in known), len(in_one)),
        "whole_is_complete": all(one["complete"] for one in known),
    }


def _outermost(datasets: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those that lie in no other: derivatives are counted with what they lie in."""
    tops = [f"{one['path']}/" if one["path"] else "" for one in datasets]
    return [
        one
        for one in datasets
        if not any(f"{one['path']}/".startswith(top) and top != f"{one['path']}/" for top in tops if one["path"])
    ]

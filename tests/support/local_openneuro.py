"""An S3 server on this machine with a bucket called as OpenNeuro's: what documents say can be typed as it stands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mountnd.demo import dataset

from .servers import moto_server, s3_client

BUCKET, DATASET = "openneuro.org", "ds000001"


@contextmanager
def local_openneuro() -> Iterator[str]:
    """Its endpoint URL, for MOUNTND_ENDPOINT_URL. It holds the demo's data set as ds000001."""
    with moto_server() as url:
        client = s3_client(url)
        client.create_bucket(Bucket=BUCKET)
        for name, body in dataset.files():
            client.put_object(Bucket=BUCKET, Key=f"{DATASET}/{name}", Body=body, ACL="public-read")
        client.close()
        yield url

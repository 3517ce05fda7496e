"""An S3 server on this machine with a bucket called as OpenNeuro's: what documents say can be typed as it stands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mountnd.demo import dataset

from .quirky import Quirky, quirky_server, thing
from .servers import moto_server, s3_client

BUCKET, DATASET = "openneuro.org", "ds000001"
HCP_BUCKET, HCP_SUBJECT = "hcp-openaccess", "HCP_1200/100307"


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


@contextmanager
def local_archives(keys: dict[str, str]) -> Iterator[Quirky]:
    """The same beside a bucket called as HCP's, which holds one image for whoever signs with one of `keys`: access key
    ids, each with its secret key."""
    found = {f"{DATASET}/{name}": body for name, body in dataset.files()}
    found["ds000002/dataset_description.json"] = found[f"{DATASET}/dataset_description.json"]
    image = found[f"{DATASET}/sub-01/anat/sub-01_T1w.nii.gz"]
    with quirky_server() as server:
        server.switch(
            buckets={
                BUCKET: {key: thing(body) for key, body in found.items()},
                HCP_BUCKET: {f"{HCP_SUBJECT}/T1w/T1w_acpc_dc_restore.nii.gz": thing(image)},
            },
            private={HCP_BUCKET: keys},
        )
        yield server

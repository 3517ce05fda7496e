"""What a source says of its bucket, and what follows from that alone. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BucketOptions:
    """What a source says of its bucket; None where it says nothing. See `S3Store`.

    Attributes:
        endpoint_url: settled by `identity.py`; None for AWS's own.
        signs: whether credentials are looked for; False for a source whose identity says that it is unsigned.
    """

    bucket: str
    endpoint_url: str | None
    region: str | None
    profile: str | None
    anonymous: bool | None
    requester_pays: bool
    path_style: bool | None
    connections: int
    most_requests: int = 1_024
    signs: bool = True
    directory: str = ""

    @property
    def is_arn(self) -> bool:
        """Whether an access point is named by its ARN."""
        return self.bucket.startswith("arn:")

    @property
    def is_express(self) -> bool:
        """A directory bucket (S3 Express), or an access point to one."""
        return self.bucket.endswith(("--x-s3", "--xa-s3"))

    @property
    def known_region(self) -> str:
        """That of the ARN, else the one that was named; "" where it must be found out."""
        return (self.bucket.split(":")[3] if self.is_arn else "") or self.region or ""

    @property
    def addressing(self) -> str:
        """botocore's word for where the bucket stands in a URL."""
        if self.is_arn or self.is_express:
            return "virtual"  # they have no other way
        path_style = self.path_style
        if path_style is None:
            # A bucket name with a dot does not fit the certificate of *.s3.amazonaws.com.
            path_style = self.endpoint_url is not None or "." in self.bucket
        return "path" if path_style else "virtual"

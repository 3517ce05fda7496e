"""Where a bucket is as s3fs's client of S3 has it: partitions, access points, dual stack, acceleration and the rest."""

from __future__ import annotations

from typing import Any

from .bucket_options import BucketOptions


async def ask_s3fs(
    session: Any, options: BucketOptions, region: str, *, signed: bool
) -> tuple[str, bool, tuple[str, str]]:
    """Where botocore would send a GET, and what it would sign it for. No request is made.

    Returns:
        URL of the bucket and False, or URL of the service and True for path style; (region, service).
    """
    from asyncio import get_running_loop

    from s3fs import S3FileSystem

    s3_options: dict[str, object] = {"addressing_style": options.addressing, "us_east_1_regional_endpoint": "regional"}
    if options.is_express:
        # We sign each request with the keys themselves, instead of a session that botocore would begin.
        s3_options["disable_s3_express_session_auth"] = True
    filesystem = S3FileSystem(
        anon=not signed,
        endpoint_url=options.endpoint_url,
        session=session,
        loop=get_running_loop(),  # where it closes what it may have left open
        # Said, so that settings for fsspec (FSSPEC_S3_KEY, ~/.config/fsspec) change nothing.
        key=None,
        secret=None,
        token=None,
        username=None,
        password=None,
        requester_pays=False,
        use_ssl=True,
        cache_regions=False,
        client_kwargs={"region_name": region, "verify": True},
        config_kwargs={"s3": s3_options},
        skip_instance_cache=True,
        use_listings_cache=False,
    )
    client = await filesystem.set_session()
    signed_for = client.meta.region_name, "s3"

    def note(*, region_name: str, signing_name: str, **_: Any) -> None:
        nonlocal signed_for
        signed_for = region_name, signing_name

    try:
        client.meta.events.register("choose-signer.s3.GetObject", note)
        url = await client.generate_presigned_url("get_object", Params={"Bucket": options.bucket, "Key": "x"})
    finally:
        await client.close()
    base = url.partition("?")[0].removesuffix("/x")
    service = base.removesuffix(f"/{options.bucket}")
    return service, service != base, signed_for

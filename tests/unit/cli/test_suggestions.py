"""What `doctor` suggests: only with values of the expected form, whoever chose them."""

from __future__ import annotations

import pytest

from mountnd.cli.remedies import suggest_fix
from mountnd.config.options import SourceConfig
from mountnd.errors import WrongRegion
from mountnd.stores.s3.translate import Subject, error_from_response

SOURCE = SourceConfig(name="x", url="s3://bucket")


def refusal(region: str, *, header: bool) -> WrongRegion:
    fault = {"Code": "PermanentRedirect", **({} if header else {"Region": region})}
    meta = {"HTTPStatusCode": 301, "HTTPHeaders": {"x-amz-bucket-region": region} if header else {}}
    error = error_from_response({"Error": fault, "ResponseMetadata": meta}, Subject("s3://bucket"))
    assert isinstance(error, WrongRegion)
    return error


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("region", ["x; touch y", "$(touch y)", "-r", "a\nb", "\x1b[31m", "evil.example/", "r" * 99])
def test_a_region_that_is_none_becomes_no_command(region: str, header: bool) -> None:
    error = refusal(region, header=header)
    assert error.region == "" and f"--region {region}" not in str(error)
    assert suggest_fix(error, SOURCE, None) == "--region with the region that the bucket is in"
    assert (
        suggest_fix(WrongRegion("x", region=region), SOURCE, None) == "--region with the region that the bucket is in"
    )


@pytest.mark.parametrize("region", ["eu-central-1", "us-gov-west-1", "fr-par"])
def test_a_region_is_suggested(region: str) -> None:
    assert suggest_fix(refusal(region, header=True), SOURCE, None) == f"--region {region}"

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from mountnd.errors import StoreError
from mountnd.stores.http.trust import Trust, settle_trust

from ...support.certificates import PrivateCA


def test_what_was_written_for_aws_takes_the_systems_place(tmp_path: Path) -> None:
    names = ("aws", "profile", "requests", "openssl")
    aws, profile, requests, openssl = (str(tmp_path / name) for name in names)
    for name in names:
        (tmp_path / name).touch()
    environ = {"AWS_CA_BUNDLE": aws, "REQUESTS_CA_BUNDLE": requests, "SSL_CERT_FILE": openssl}
    beside = (("REQUESTS_CA_BUNDLE", requests), ("SSL_CERT_FILE", openssl))
    assert settle_trust(profile, environ) == Trust(aws, "AWS_CA_BUNDLE", system=False)
    assert settle_trust(None, environ, with_system=True) == Trust(aws, "AWS_CA_BUNDLE", True, beside)
    del environ["AWS_CA_BUNDLE"]
    assert settle_trust(profile, environ).bundle == profile
    assert settle_trust(None, environ) == Trust(extra=beside)
    assert settle_trust(None, {"AWS_CA_BUNDLE": "", "SSL_CERT_DIR": ""}) == Trust()


def test_what_was_not_asked_for_may_be_missing(private_ca: PrivateCA) -> None:
    environ = {"AWS_CA_BUNDLE": str(private_ca.authority), "SSL_CERT_FILE": "/no/such", "SSL_CERT_DIR": "/no/such"}
    assert settle_trust(None, environ).bundle == str(private_ca.authority)


@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_a_missing_path_is_named_with_its_variable(variable: str) -> None:
    with pytest.raises(StoreError, match=f"{variable}, /no/such: No such") as caught:
        settle_trust(None, {variable: "/no/such"})
    assert not caught.value.transient


def test_a_missing_bundle_of_the_profile_is_named() -> None:
    with pytest.raises(StoreError, match="ca_bundle of the AWS profile, /no/such: No such"):
        settle_trust("/no/such", {})


def test_one_directory_of_several_must_be_there(tmp_path: Path) -> None:
    assert settle_trust(None, {"SSL_CERT_DIR": f"/no/such:{tmp_path}"}) == Trust()


@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
def test_a_file_without_certificates_is_named(variable: str, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").touch()
    with pytest.raises(StoreError, match=f"{variable}, .*empty.pem"):
        settle_trust(None, {variable: str(tmp_path / "empty.pem")}).context()


def test_a_bundle_takes_the_systems_place_and_nothing_is_added_later(private_ca: PrivateCA) -> None:
    context = settle_trust(None, {"AWS_CA_BUNDLE": str(private_ca.authority)}).context()
    context.load_verify_locations(str(private_ca.certificate))  # as libraries do with theirs
    assert [one["subject"] for one in context.get_ca_certs()] == [((("commonName", "test CA"),),)]
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname


def test_a_directory_of_certificates_will_do(tmp_path: Path) -> None:
    assert settle_trust(None, {"AWS_CA_BUNDLE": str(tmp_path)}).context().get_ca_certs() == []

"""nginx's configuration as a node of a ring, and what `nginx -V` says. nginx itself reads it in test_cache_server."""

from __future__ import annotations

import re

import pytest

from mountnd.cluster.nginx_config import LOCK_S, READ_S, SLICE, Features, Plan, configuration
from mountnd.cluster.program import features
from mountnd.errors import MountError, UsageError
from mountnd.stores.via import parts
from mountnd.stores.via.manner import Origin

PATH_STYLE = Origin("https", "s3.us-east-1.amazonaws.com", "/openneuro.org", "openneuro.org")
VIRTUAL = Origin("https", "fcp-indi.s3.us-east-1.amazonaws.com", "", "fcp-indi")
LOCAL = Origin("http", "127.0.0.1:9000", "/bkt", "bkt")
DEBIAN = (
    "nginx version: nginx/1.22.1\nconfigure arguments: --with-cc-opt='-g -O2' --with-http_ssl_module --with-threads "
    "--with-http_slice_module --with-stream=dynamic"
)


def text(*buckets: Origin, **changes: object) -> str:
    plan = Plan("/var/cache/ring", "127.0.0.1:8090", buckets or (PATH_STYLE, VIRTUAL, LOCAL), 10 << 30, 5 << 30)
    return configuration(plan._replace(certificates="/etc/ssl/ca.pem")._replace(**changes))


def test_what_was_found_to_matter() -> None:
    said = text()
    for line in (
        "proxy_cache_valid 206 365d;", "proxy_cache_background_update off;", "keepalive 64;", "proxy_ssl_verify on;",
        "proxy_ssl_server_name on;", 'proxy_set_header Connection "";', "proxy_cache_lock on;",
        "proxy_set_header Range $slice_range;", "proxy_pass_request_headers off;",
    ):  # fmt: skip
        assert line in said
    assert "$http_if_match $slice_range" in re.search(r"proxy_cache_key (.*);", said)[1]  # type: ignore[index]
    timeouts = re.findall(r"proxy_cache_lock_(?:timeout|age) (\d+)s", said)
    assert timeouts == [str(LOCK_S)] * 2 and LOCK_S > 2 * READ_S
    assert parts.SLICE % SLICE == 0  # no two nodes fetch the same


def test_only_the_named_buckets() -> None:
    said = text(PATH_STYLE)
    pattern = re.search(r'"~(\^\S+\$)" https://source_0;', said)
    assert pattern is not None
    allowed = re.compile(pattern[1])
    place = PATH_STYLE.place
    assert allowed.match(f"{place}/openneuro.org/ds000001/a.nii")
    assert allowed.match(f"{place}/openneuro.org/ds000001/a.nii?versionId=Fx%2B._~-1")
    for other in (
        f"{place}/openneuro.org/", f"{place}/openneuro.org", f"{place}/other/a", f"{place}/openneuro.orgs/a",
        f"{place}/openneuro.org/a?acl", f"{place}/openneuro.org/a?versionId=1&acl",
        f"{place}/openneuro.org/a?versionId=", f"{place}/openneuro.org/?versionId=1",
        f"{place}/openneuro.org/?list-type=2", f"{place}.evil.org/openneuro.org/a",
        "s3xus-east-1.amazonaws.com/openneuro.org/a", f"evil.org/{place}/openneuro.org/a", "/openneuro.org/a",
    ):  # fmt: skip
        assert not allowed.match(other), other


def test_each_place_is_one_source() -> None:
    said = text(PATH_STYLE, Origin(*PATH_STYLE[:2], "/another", "another"), VIRTUAL, LOCAL)
    assert said.count("upstream source_") == 3
    assert "server s3.us-east-1.amazonaws.com:443;" in said and "server 127.0.0.1:9000;" in said


def test_tls_is_verified_wherever_there_is_any() -> None:
    assert "proxy_ssl" not in text(LOCAL, certificates="")
    assert "/etc/ssl/ca.pem" in text(PATH_STYLE)


def test_peers_and_no_other() -> None:
    assert "allow" not in text() and "deny" not in text()
    said = text(peers=("10.0.0.0/24", "::1"))
    assert "allow 10.0.0.0/24;" in said and said.index("allow ::1;") < said.index("deny all;")


def test_paths_are_quoted_or_refused() -> None:
    assert r'"/a \"b\" c/cache"' in text(directory='/a "b" c')
    for path in ("/a\nb", "/a$b", "/a\x7f"):
        with pytest.raises(UsageError):
            text(directory=path)


@pytest.mark.parametrize("place", ["a;b", "a b", "a\nb", 'a"b', "a{b", "a$b"])
def test_addresses_that_would_be_configuration_are_refused(place: str) -> None:
    with pytest.raises(UsageError):
        text(Origin("http", place, "", "bkt"))


def test_older_ones_and_those_that_lack_something() -> None:
    plan = Plan("/d", "127.0.0.1:1", (LOCAL,), 1 << 30, 1 << 30)
    old = configuration(plan, Features((1, 18, 0), {"http_scgi_module"}, threads=False))
    assert "min_free" not in old and "scgi" not in old and "aio" not in old
    assert "min_free" in configuration(plan)


class TestFeatures:
    def test_debians(self) -> None:
        assert features("/usr/sbin/nginx", DEBIAN) == Features((1, 22, 1), frozenset(), threads=True)

    @pytest.mark.parametrize(
        ("told", "lacks"),
        [
            (DEBIAN.replace("--with-http_slice_module ", ""), "http_slice_module"),
            (DEBIAN.replace("--with-http_ssl_module ", ""), "http_ssl_module"),
            (DEBIAN + " --without-http_map_module", "http_map_module"),
            ("lighttpd/1.4.69", "is not nginx"),
        ],
    )
    def test_one_that_cannot_be_a_node_and_what_to_install(self, told: str, lacks: str) -> None:
        with pytest.raises(MountError) as caught:
            features("/usr/sbin/nginx", told)
        assert lacks in str(caught.value) and "nginx-light" in str(caught.value)

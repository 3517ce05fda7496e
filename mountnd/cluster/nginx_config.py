"""nginx's configuration as a node of a ring. Pure.

What is cached never changes: only requests with If-Match are served, the ETag is part of the key of a cache entry, and
S3 answers 412, which is not cached, where it has another version. Objects are fetched and kept in slices. Of requests
for the same slice at the same time one asks the source (`proxy_cache_lock`); unless told otherwise, nginx has the
others ask as well after 5 seconds. `proxy_cache_background_update` does not go with slices; nothing is ever updated.

Only keys of the named buckets are passed on, by GET, without a query but for one version id (which is a part of the
cache key, too), and with no headers of the client but Range and If-Match: no listing, no signed request, no other host.

Documentation: nginx.org/en/docs/http/ngx_http_slice_module.html, ngx_http_proxy_module.html,
ngx_http_upstream_module.html (keepalive).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from ..errors import UsageError
from ..stores.via.manner import Origin

# What is fetched and kept at a time, in bytes: of a larger one more is wasted on a header, smaller ones are more
# requests. What a node has (`stores.via.parts.SLICE`) is a multiple of it, and so are the pieces of a long read.
SLICE = 512 << 10
# How long those wait that want what another request brings, in seconds: more than the slowest slice takes. A source
# that says nothing for READ_S has failed; then one of them asks anew.
LOCK_S, READ_S, CONNECT_S = 120, 30, 5
# S3 closes a connection that was idle for some 20 s.
IDLE_S = 15
# nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_cache_path: some 8,000 keys in a MiB of shared memory.
_KEYS_IN_MIB = 8000
_MIB = 1 << 20
# As mountnd writes it: whatever has a meaning in a query is quoted.
_VERSION = r"(\?versionId=[A-Za-z0-9._~%-]+)?"


class Plan(NamedTuple):
    """What a node is to be.

    Attributes:
        directory: where it keeps everything.
        listen: `HOST:PORT`.
        buckets: those that may be asked for.
        size: bytes that the cache may take.
        spare: bytes of the disk that are left free.
        peers: addresses and networks that may ask; all, if there are none.
        certificates: PEM file of trusted authorities; "" where no bucket needs one.
        user: whom its workers run as, where root starts it: `NAME GROUP`; "" for whoever starts it.
        workers: processes; `files`: descriptors that each may open.
    """

    directory: str
    listen: str
    buckets: Sequence[Origin]
    size: int
    spare: int
    peers: Sequence[str] = ()
    certificates: str = ""
    user: str = ""
    workers: int = 2
    files: int = 4096


class Features(NamedTuple):
    """What this nginx can.

    Attributes:
        version: of three numbers.
        without: modules that it was built without, by the names of its options (`http_scgi_module`).
        threads: whether reads of a disk need not hold up a worker.
    """

    version: tuple[int, ...] = (1, 22, 0)
    without: Collection[str] = ()
    threads: bool = True


def configuration(plan: Plan, features: Features = Features()) -> str:  # noqa: B008  # a tuple: never changed
    """The text of nginx.conf. Raises UsageError for a directory or a bucket that it cannot name."""
    return "\n".join(_lines(plan, features)) + "\n"


def _lines(plan: Plan, features: Features) -> Iterator[str]:
    directory = _quoted(plan.directory)
    yield "# Made by `mountnd cache-server`. Names of sources are looked up when nginx starts, and when it gets SIGHUP."
    yield f'pid {directory[:-1]}/nginx.pid";'
    yield "error_log stderr warn;"
    if plan.user:
        yield f"user {plan.user};"
    yield f"worker_processes {plan.workers};"
    yield f"worker_rlimit_nofile {plan.files};"
    # A request has a client, a connection to the source and a file.
    yield f"events {{ worker_connections {max(64, plan.files // 3)}; }}"
    yield "http {"
    yield from (f"    {line}" for line in _http(plan, features, directory[:-1]))
    yield "}"


def _http(plan: Plan, features: Features, directory: str) -> Iterator[str]:
    yield "access_log off; server_tokens off; default_type application/octet-stream;"
    yield "sendfile on; tcp_nopush on; keepalive_timeout 75s; keepalive_requests 100000;"
    if features.threads:
        yield "aio threads;"
    for module, name in (
        ("http", "client_body"),
        ("http_proxy", "proxy"),
        ("http_fastcgi", "fastcgi"),
        ("http_uwsgi", "uwsgi"),
        ("http_scgi", "scgi"),
    ):
        if f"{module}_module" not in features.without:
            yield f'{name}_temp_path {directory}/tmp-{name}";'
    keys = min(1024, max(8, 2 * plan.size // SLICE // _KEYS_IN_MIB))
    spare = f" min_free={plan.spare // _MIB}m" if features.version >= (1, 19, 1) and plan.spare else ""
    yield (
        f'proxy_cache_path {directory}/cache" levels=1:2 keys_zone=slices:{keys}m inactive=365d '
        f"max_size={max(1, plan.size // _MIB)}m{spare} use_temp_path=off;"
    )
    places = list(dict.fromkeys((bucket.scheme, bucket.place) for bucket in plan.buckets))
    for number, (scheme, place) in enumerate(places):
        has_port = re.search(r":\d+$", place) is not None and not place.endswith("]")
        server = place if has_port else f"{place}:{443 if scheme == 'https' else 80}"
        yield f"upstream source_{number} {{ server {server}; keepalive 64; keepalive_timeout {IDLE_S}s; }}"
    yield "# The source of a key that may be asked for, by Host and path as they came; a query is a version id."
    yield 'map "$http_host$request_uri" $source {'
    yield '    default "";'
    for bucket in plan.buckets:
        number = places.index((bucket.scheme, bucket.place))
        yield f'    "~^{_pattern(bucket)}/[^?]+{_VERSION}$" {bucket.scheme}://source_{number};'
    yield "}"
    yield "# And that it is still one of that bucket when `..` and the like are resolved."
    yield 'map "$http_host$uri" $stays {'
    yield '    default "";'
    for bucket in plan.buckets:
        yield f'    "~^{_pattern(bucket)}/" 1;'
    yield "}"
    yield "# One strong ETag."
    yield 'map $http_if_match $version { default ""; "~^\\"[!#-~]+\\"$" 1; }'
    yield "server {"
    yield from (f"    {line}" for line in _server(plan, features))
    yield "}"


def _server(plan: Plan, features: Features) -> Iterator[str]:
    yield f"listen {plan.listen} backlog=1024;"
    yield "merge_slashes off;"
    if plan.peers:
        yield from (f"allow {peer};" for peer in plan.peers)
        yield "deny all;"
    yield "if ($request_method != GET) { return 405; }"
    yield 'if ($source = "") { return 421; }'
    yield 'if ($stays = "") { return 421; }'
    yield 'if ($version = "") { return 428; }'
    yield "location / {"
    yield from (f"    {line}" for line in _location(plan, features))
    yield "}"


def _location(plan: Plan, features: Features) -> Iterator[str]:
    yield f"slice {SLICE >> 10}k;"
    yield "proxy_pass $source$request_uri;"
    yield "proxy_pass_request_headers off; proxy_pass_request_body off;"
    for name, value in (
        ("Host", "$http_host"),
        ("If-Match", "$http_if_match"),
        ("Range", "$slice_range"),
        ("User-Agent", "mountnd"),
        ("Connection", '""'),
    ):
        yield f"proxy_set_header {name} {value};"
    yield "proxy_http_version 1.1; proxy_redirect off;"
    yield f"proxy_connect_timeout {CONNECT_S}s; proxy_read_timeout {READ_S}s; proxy_send_timeout {READ_S}s;"
    yield "proxy_buffer_size 16k; proxy_buffers 16 32k; proxy_busy_buffers_size 64k;"
    if plan.certificates:
        yield "proxy_ssl_server_name on; proxy_ssl_name $host; proxy_ssl_session_reuse on;"
        yield "proxy_ssl_verify on; proxy_ssl_verify_depth 5; proxy_ssl_protocols TLSv1.2 TLSv1.3;"
        yield f"proxy_ssl_trusted_certificate {_quoted(plan.certificates)};"
    yield "proxy_cache slices;"
    yield 'proxy_cache_key "$http_host$request_uri $http_if_match $slice_range";'
    yield "proxy_cache_methods GET; proxy_cache_valid 206 365d;"
    yield f"proxy_cache_lock on; proxy_cache_lock_timeout {LOCK_S}s; proxy_cache_lock_age {LOCK_S}s;"
    yield "proxy_cache_background_update off; proxy_cache_use_stale off; proxy_cache_revalidate off;"
    yield "# An entry is for ever, whatever the object's own headers say; and the source commands nothing here."
    yield "proxy_ignore_headers Cache-Control Expires Set-Cookie Vary;"
    yield "proxy_ignore_headers X-Accel-Expires X-Accel-Redirect X-Accel-Limit-Rate X-Accel-Buffering X-Accel-Charset;"
    yield "add_header X-Cache-Status $upstream_cache_status always;"


def _pattern(bucket: Origin) -> str:
    """A regular expression of what stands before the slash and the key. Raises UsageError."""
    text = bucket.place + bucket.path
    if not re.fullmatch(r"[A-Za-z0-9.:_\-\[\]]+(/[A-Za-z0-9._~%-]+)*", text):
        raise UsageError(f"{bucket.url}: nginx cannot be told of this address")
    return re.escape(text)


def _quoted(path: str) -> str:
    """A path as nginx's configuration has it. Raises UsageError."""
    if not path.isprintable() or "$" in path:
        raise UsageError(f"{path!r}: nginx cannot be told of this path; choose another")
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

"""`mountnd cache-server [SOURCE...]`: a node of a ring of caches for public data, by nginx."""

from __future__ import annotations

import ipaddress
import os
import resource
import shutil
import socket
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from ...blocks.disk.eviction import default_limit
from ...config import addresses, presets
from ...config.addresses import Address
from ...config.option_types import ADDRESS, DIR, SIZE, Kind
from ...config.resolve import ConfigInputs, ResolvedSource, resolve_source
from ...errors import MountError, StoreError, UsageError
from ...report.figures import size as size_text
from ..flags import TableCommand, complete_word, with_options
from ..streams import remark, say, show_as_it_is, waiting

if TYPE_CHECKING:
    from ...cluster.nginx_config import Plan
    from ...stores.via.manner import Origin

DEFAULT_LISTEN = "127.0.0.1:8090"
_DIRECTORY, _ROOTS_DIRECTORY = "mountnd-cache-server", Path("/var/cache/mountnd-cache-server")
# Of the disk, left free whatever the size of the cache.
_SPARE = 20
_MOST_WORKERS = 4
_MOST_FILES = 16_384


@click.command(cls=TableCommand, name="cache-server", short_help="A caching proxy for public data, for --via.")
@click.argument("words", nargs=-1, metavar="[SOURCE...]", shell_complete=complete_word)
@click.option("--listen", metavar="[HOST:]PORT", help=f"Where to listen; port 0: one that is free [{DEFAULT_LISTEN}]")
@click.option("--size", metavar="SIZE", help="Limit of the cache [10 GiB, or 10 % of the free disk]")
@click.option("--dir", "directory", metavar="DIR", help=f"Directory of the cache [~/.cache/{_DIRECTORY}]")
@click.option("--peers", metavar="PEER[,PEER...]", help="Who may read: addresses, networks, hosts or URLs [all]")
@click.option("--print", "only_print", is_flag=True, help="Print nginx's configuration, and run nothing.")
@with_options("cache-server")
def cache_server(
    inputs: ConfigInputs,
    words: tuple[str, ...],
    listen: str | None,
    size: str | None,
    directory: str | None,
    peers: str | None,
    only_print: bool,
) -> int:
    """Run nginx as a cache of public buckets, for mounts with --via, until Ctrl-C.

    It serves the buckets of these SOURCEs, or of all public presets, and no other; only what is read without keys. Run
    one on each node, or a few on a site, and name all of them to each mount, in any order, with commas between:

    \b
      mountnd cache-server openneuro --listen 10.0.0.1:8090
      mountnd openneuro DIR --via http://10.0.0.1:8090

    --listen on an address of a network lets everybody read who can reach it, unless --peers says who may. With URLs
    of all nodes in --peers, the words for --via are printed.
    """
    from ...cluster.cache_server import run, worker_user
    from ...cluster.nginx_config import Plan

    address = _parsed("--listen", listen or DEFAULT_LISTEN, ADDRESS)
    place = _parsed("--dir", directory, DIR) if directory else _default_directory(inputs)
    limit = _parsed("--size", size, SIZE) if size is not None else None
    if limit is not None and limit < 16 << 20:
        raise UsageError(f"--size {size}: a cache of less than 16M holds nothing for long")
    allowed, urls = _peers(peers) if peers else ((), ())
    if address.port == 0:
        address = address._replace(port=_free_port(address.host))
    buckets = _buckets(words, inputs)
    free = shutil.disk_usage(next(p for p in (place, *place.parents) if p.exists()))
    plan = Plan(
        directory=os.fspath(place),
        listen=str(address),
        buckets=buckets,
        size=limit if limit is not None else default_limit(free.free),
        spare=free.total // _SPARE,
        peers=allowed,
        certificates=_certificates() if any(bucket.scheme == "https" for bucket in buckets) else "",
        user=worker_user(place),
        workers=min(_MOST_WORKERS, len(os.sched_getaffinity(0))),
        files=min(_MOST_FILES, _descriptors()),
    )
    if only_print:
        _print(plan)
        return 0
    from ...cluster.program import find

    url = f"http://{_shown_host(address)}"
    if not _is_loopback(address.host):
        say(f"mountnd: {_who_can_read(url, allowed)}", "warn")

    if plan.user.startswith("root"):
        remark(f"nginx's workers run as root: {place} is closed to the user nobody")

    def ready() -> None:
        remark(f"{url} caches {_shown(words, buckets)}: up to {size_text(plan.size)} in {place}. Ctrl-C ends it.")
        remark(f"Mount with: --via {','.join(urls or (url,))}")

    run(find(), plan, (address.host, address.port), ready)
    return 0


def _print(plan: Plan) -> None:
    from ...cluster.nginx_config import configuration
    from ...cluster.program import find

    try:
        text = configuration(plan, find().features)
    except MountError:
        text = configuration(plan)  # for another machine
    show_as_it_is(text.rstrip("\n"))


def _parsed(flag: str, text: str, kind: Kind) -> Any:
    try:
        return kind.parse(text, Path.cwd())
    except ValueError as e:
        raise UsageError(f"{flag}: {text!r} is not {e}") from None


def _default_directory(inputs: ConfigInputs) -> Path:
    if os.geteuid() == 0:
        return _ROOTS_DIRECTORY
    if inputs.cache_home is None:
        raise UsageError("no home directory to keep a cache in; choose a place: --dir DIR")
    return inputs.cache_home / _DIRECTORY


def _buckets(words: Sequence[str], inputs: ConfigInputs) -> list[Origin]:
    """Where the buckets are. Raises UsageError for a source that is not public, and what asking for a region does."""
    from ...cluster.origins import origin, public

    def named(word: str) -> ResolvedSource:
        return resolve_source(word, inputs)

    seconds = inputs.all_options()["timeout"].value
    if words:
        sources = [public(found.config, found.preset) for found in map(named, words)]
        with waiting(f"Asking where {', '.join(words)} is"):
            return list(dict.fromkeys(origin(source, seconds) for source in sources))
    found: dict[Origin, None] = {}
    with waiting("Asking where the public buckets are"):
        for name, preset in presets.load_all().items():
            if not preset.url.startswith("s3://") or preset.keys:
                continue
            try:
                resolved = named(name)
                found[origin(public(resolved.config, preset), seconds)] = None
            except StoreError as e:
                say(f"mountnd: {name} is not served: {e}", "warn")
    if not found:
        raise MountError("none of the public buckets can be found from here; name a SOURCE with its --region")
    return list(found)


def _peers(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Addresses and networks that may read, and the URLs among the words. Raises UsageError."""
    allowed, urls = list[str](), list[str]()
    for word in (part.strip() for part in text.split(",")):
        if "://" in word:
            try:
                urls += addresses.via(word)
            except ValueError as e:
                raise UsageError(f"--peers: {word!r} is not {e}") from None
            host = urlsplit(word).hostname or ""
        else:
            host = word
        allowed += _addresses(host)
    return tuple(dict.fromkeys(["127.0.0.1/32", "::1/128", *allowed])), tuple(urls)


def _addresses(host: str) -> Iterable[str]:
    try:
        return [str(ipaddress.ip_network(host, strict=False))]
    except ValueError:
        pass
    try:
        found = {each[4][0] for each in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
        return sorted(str(ipaddress.ip_network(address)) for address in found)
    except (OSError, UnicodeError):
        raise UsageError(f"--peers: {host!r} is no address, no network and no host that is known here") from None


def _free_port(host: str) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host, 0), family=family) as listener:
            port: int = listener.getsockname()[1]
            return port
    except OSError as e:
        raise MountError(f"--listen {host}: {e.strerror or e}") from e


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _shown_host(address: Address) -> str:
    """An address by which others may reach it, where it listens at all of them."""
    return str(address._replace(host=socket.gethostname()) if address.host in ("0.0.0.0", "::") else address)


def _who_can_read(url: str, allowed: Sequence[str]) -> str:
    who = f"{', '.join(allowed)} can" if allowed else "everybody who can reach it can"
    return f"{url}: {who} read these buckets through it, unencrypted and without a password, and fill its cache"


def _shown(words: Sequence[str], buckets: Sequence[Origin]) -> str:
    return ", ".join(words) if words else f"the {len(buckets)} buckets of the public presets"


def _certificates() -> str:
    """The PEM file of trusted authorities. Raises MountError where there is none."""
    from ...stores.http.trust import pem_file

    if not (path := pem_file()):
        raise MountError(
            "this system has no file of trusted certificates (ca-certificates); name one: SSL_CERT_FILE=FILE"
        )
    return path


def _descriptors() -> int:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST_FILES if hard == resource.RLIM_INFINITY else max(soft, hard)

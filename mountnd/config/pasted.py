"""What people have at hand -> the word that `SourceParser` knows: pages, DOIs, ARNs, every shape of S3 URL.

The shapes of Amazon's URLs: VirtualHosting, WebsiteEndpoints, transfer-acceleration and dual-stack-endpoints of
docs.aws.amazon.com/AmazonS3/latest/userguide; Google's: cloud.google.com/storage/docs/request-endpoints. Nothing here
asks the network: a bucket on a server of its own (`https://s3.lab.org/bucket`) is told by its host's name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Pasted:
    """What a pasted text means.

    Attributes:
        word: a preset with a path below it (`openneuro/ds000001`) or a URL, as `SourceParser.parse` takes it.
        endpoint_url, region: where the URL says that the bucket is; "" where it does not.
        notice: what a person should be told of it; "" for nothing.
    """

    word: str
    endpoint_url: str = ""
    region: str = ""
    notice: str = ""


# OpenNeuro's accession numbers: "ds" and six digits.
_OPENNEURO = r"(?P<accession>ds\d{6})"
_OPENNEURO_DOI = re.compile(rf"10\.18112/openneuro\.{_OPENNEURO}(?:\.v(?P<version>\d[\w.]*))?", re.IGNORECASE)
_OPENNEURO_PATH = re.compile(rf"/datasets/{_OPENNEURO}(?:/versions/(?P<version>[^/]+))?(?:/.*)?")
_DANDI_DOI = re.compile(r"10\.(?:48324|80507)/dandi\.(?P<set>\d{6})(?:/(?P<version>[\w.]+))?", re.IGNORECASE)
_DANDI_WORD = re.compile(r"dandi[:/](?P<set>\d{6})(?:/(?P<version>[\w.]+))?", re.IGNORECASE)
_DANDI_PATH = re.compile(r"/?#?/?dandiset/(?P<set>\d{6})(?:/(?P<version>[\w.]+))?(?:/.*)?")
_DOI_PREFIX = re.compile(r"(?:doi:\s*|(?:https?://)?(?:dx\.)?doi\.org/)", re.IGNORECASE)

_REGION = r"(?P<region>[a-z]{2}(?:-[a-z]+)+-\d)"
_SERVICE = rf"s3(?:-fips)?(?:\.dualstack)?(?:[.-]{_REGION})?"
_AWS = r"\.amazonaws\.com(?:\.cn)?"
_AWS_PATH = re.compile(_SERVICE + _AWS)
_FRONT_DOORS = rf"s3-accelerate(?:\.dualstack)?|s3-website[.-]{_REGION.replace('region', 'site')}|{_SERVICE}"
_AWS_VIRTUAL = re.compile(rf"(?P<bucket>[a-z0-9][a-z0-9._-]+?)\.(?:{_FRONT_DOORS}){_AWS}")
_AWS_CONSOLE = re.compile(r"(?:[a-z0-9-]+\.)*console\.(?:aws\.amazon\.com|amazonaws\.cn)")
_CONSOLE_PATH = re.compile(r"/s3/(?:buckets|object)/(?P<bucket>[^/]+)/?")
_GOOGLE = "https://storage.googleapis.com"
_GOOGLE_VIRTUAL = re.compile(r"(?P<bucket>[a-z0-9][a-z0-9._-]+)\.storage\.(?:googleapis|cloud\.google)\.com")
# A signed link is read as it is.
_SIGNED = re.compile(r"[?&](?:x-amz-signature|x-goog-signature|signature|sig)=", re.IGNORECASE)
_WITHOUT_SCHEME = re.compile(
    r"(?:www\.)?(?:openneuro\.org/datasets|(?:gui\.)?dandiarchive\.org|github\.com/OpenNeuroDatasets)/"
    r"|[a-z0-9.-]+\.(?:amazonaws\.com|amazonaws\.com\.cn|storage\.googleapis\.com)(?:/|$)|storage\.googleapis\.com/",
    re.IGNORECASE,
)
# Hosts of other providers with the bucket in front: DigitalOcean, Linode, Wasabi, Backblaze, Hetzner, Scaleway.
_OTHER_VIRTUAL = re.compile(
    r"(?P<bucket>[a-z0-9][a-z0-9-]+)\.(?P<host>[a-z0-9-]+\.digitaloceanspaces\.com|[a-z0-9-]+\.linodeobjects\.com"
    r"|[a-z0-9-]+\.your-objectstorage\.com|s3\.[a-z0-9.-]+\.(?:wasabisys\.com|backblazeb2\.com|scw\.cloud))"
)
# Hosts that are S3 servers by their name, with the bucket in the path: `s3.lab.org`, `minio.lab.org`, Cloudflare, EBI.
_OTHER_PATH = re.compile(
    r"(?:[a-z0-9-]+\.)*(?:s3|minio|s3-[a-z0-9-]+)\.[a-z0-9.-]+|[a-z0-9-]*s3\.embassy\.ebi\.ac\.uk"
    r"|[a-z0-9]+(?:\.[a-z]+)?\.r2\.cloudflarestorage\.com"
    r"|[a-z0-9-]+\.(?:digitaloceanspaces|linodeobjects|your-objectstorage)\.com"
)


def read_pasted(text: str) -> Pasted | None:
    """What `text` means; None where it is no such thing, but a name, a path, or a URL to be taken as it is. Pure."""
    text = text.strip().strip("<>\"'")
    if found := _doi(text) or _accession(text) or _arn(text):
        return found
    if re.match(r"s3a?:/?(?!/)[^/]", text, re.IGNORECASE) and not text.lower().startswith(("s3://", "s3a://")):
        return Pasted("s3://" + re.sub(r"^s3a?:/?", "", text, flags=re.IGNORECASE))
    if _WITHOUT_SCHEME.match(text):
        text = f"https://{text}"  # as browsers show it
    if re.match(r"https?://", text, re.IGNORECASE) and not _SIGNED.search(text):
        try:
            url = urlsplit(text)
            url.port  # noqa: B018 - raises for an impossible one
        except ValueError:
            return None
        found = _page(url) or _amazon(url) or _google(url) or _other_server(url)
        if found and "versionid" in url.query.lower():
            return replace(found, notice="The URL names a version of the object; mountnd shows the current one.")
        return found
    return None


def _doi(text: str) -> Pasted | None:
    name = _DOI_PREFIX.sub("", text, count=1)
    if found := _OPENNEURO_DOI.fullmatch(name):
        return _openneuro(found["accession"], found["version"])
    if found := _DANDI_DOI.fullmatch(name):
        return _dandi(found["set"], found["version"])
    return None


def _accession(text: str) -> Pasted | None:
    head, slash, below = text.partition("/")
    if re.fullmatch(rf"{_OPENNEURO}(?:@.*)?", head):
        return Pasted(f"openneuro/{head}{slash}{below}")
    if found := _DANDI_WORD.fullmatch(text):
        return _dandi(found["set"], found["version"])
    return None


def _openneuro(accession: str, version: str | None) -> Pasted:
    return Pasted(f"openneuro/{accession.lower()}" + (f"@{version}" if version else ""))


def _dandi(number: str, version: str | None) -> Pasted:
    return Pasted(f"dandi://{number}" + (f"/{version}" if version else ""))


def _arn(text: str) -> Pasted | None:
    """Of a bucket or an object; those of access points are names of buckets."""
    found = re.fullmatch(r"arn:aws[a-z-]*:s3:::(?P<path>[^/]+(?:/.*)?)", text, re.DOTALL)
    if found:
        return Pasted(f"s3://{found['path'].removesuffix('*')}")
    return Pasted(f"s3://{text}") if re.match(r"arn:aws[a-z-]*:s3", text) else None


def _page(url: SplitResult) -> Pasted | None:
    """A page of a registry."""
    host = (url.hostname or "").removeprefix("www.")
    if host == "openneuro.org" and (found := _OPENNEURO_PATH.fullmatch(url.path)):
        return _openneuro(found["accession"], found["version"])
    if host == "github.com" and (found := re.fullmatch(rf"/OpenNeuroDatasets/{_OPENNEURO}(?:\.git|/.*)?/?", url.path)):
        return _openneuro(found["accession"], None)
    if host in ("dandiarchive.org", "gui.dandiarchive.org"):
        where = url.fragment if url.path.strip("/") == "" else url.path
        if found := _DANDI_PATH.fullmatch(where):
            return _dandi(found["set"], found["version"])
    return None


def _amazon(url: SplitResult) -> Pasted | None:
    host, region = (url.hostname or "").lower(), ""
    if _AWS_CONSOLE.fullmatch(host):
        found, query = _CONSOLE_PATH.fullmatch(url.path), parse_qs(url.query)
        if not found:
            return None
        region = (query.get("region") or [""])[0]
        return Pasted(_s3(unquote(found["bucket"]), (query.get("prefix") or [""])[0]), region=region)
    if found := _AWS_PATH.fullmatch(host):
        bucket, _, key = _path(url).partition("/")
        return Pasted(_s3(bucket, key), region=found["region"] or "") if bucket else None
    if found := _AWS_VIRTUAL.fullmatch(host):
        return Pasted(_s3(found["bucket"], _key(url)), region=found["region"] or found["site"] or "")
    return None


def _google(url: SplitResult) -> Pasted | None:
    host = (url.hostname or "").lower()
    path = _path(url)
    if host == "console.cloud.google.com" and path.startswith("storage/browser/"):
        path = re.sub(r";.*", "", path.removeprefix("storage/browser/")).removeprefix("_details/")
        host = "storage.googleapis.com"
    if host in ("storage.googleapis.com", "storage.cloud.google.com"):
        bucket, _, key = path.partition("/")
        return Pasted(_s3(bucket, key), _GOOGLE) if bucket else None
    if found := _GOOGLE_VIRTUAL.fullmatch(host):
        return Pasted(_s3(found["bucket"], _key(url)), _GOOGLE)
    return None


def _other_server(url: SplitResult) -> Pasted | None:
    """A server that is known for S3 by its host's name."""
    host = (url.hostname or "").lower()
    port = f":{url.port}" if url.port else ""
    if found := _OTHER_VIRTUAL.fullmatch(host):
        return Pasted(_s3(found["bucket"], _key(url)), f"{url.scheme.lower()}://{found['host']}{port}")
    if _OTHER_PATH.fullmatch(host):
        bucket, _, key = _path(url).partition("/")
        if bucket in ("browser", "buckets"):  # MinIO's own pages
            bucket, _, key = key.partition("/")
        if bucket:
            return Pasted(_s3(bucket, key), f"{url.scheme.lower()}://{host}{port}")
    return None


def _path(url: SplitResult) -> str:
    return unquote(url.path, errors="surrogateescape").lstrip("/")


def _key(url: SplitResult) -> str:
    """The key that a URL with the bucket in its host names: its path, or the prefix of a page that lists the bucket."""
    prefix = parse_qs(url.query).get("prefix")
    if prefix:
        return prefix[0]
    path = _path(url)
    if path in ("", "index.html") and url.fragment:
        return unquote(url.fragment).lstrip("/")
    return path


def _s3(bucket: str, key: str) -> str:
    return f"s3://{bucket}/{key}" if key else f"s3://{bucket}"

"""What stands between this machine and the data: no network, wrong addresses, TLS, portals, keys, clocks."""

from __future__ import annotations

from .row import Row

_OPEN = "--anonymous --region us-east-1 --timeout 15 --cache-size 0"
_SIGNED = "--region us-east-1 --timeout 15 --cache-size 0 --endpoint-url {server}"
_DOCTOR = 40
_KEYS: dict[str, str | None] = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}
_NO_KEYS: dict[str, str | None] = dict.fromkeys((*_KEYS, "AWS_SESSION_TOKEN", "AWS_PROFILE"))
_FILES: dict[str, str | None] = {
    **_NO_KEYS, "AWS_CONFIG_FILE": "{tmp}/aws", "AWS_SHARED_CREDENTIALS_FILE": "{tmp}/none", "HOME": "{tmp}",
    "AWS_EC2_METADATA_DISABLED": "true",
}  # fmt: skip
_PLAIN_TRUST: dict[str, str | None] = dict.fromkeys(
    ("SSL_CERT_FILE", "SSL_CERT_DIR", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE")
)


def _s3(endpoint: str, *says: str, **more: object) -> Row:
    return Row(f"s3://bkt {{mnt}} --endpoint-url {endpoint} {_OPEN}", 1, says, 2, never=("ready", "(_ssl"), **more)  # type: ignore[arg-type]


def _doctor(endpoint: str, *says: str, **more: object) -> Row:
    command = f"doctor s3://bkt --endpoint-url {endpoint} --anonymous --region us-east-1 --timeout 15"
    return Row(command, 1, ("\nfix   ", *says), _DOCTOR, **more)  # type: ignore[arg-type]


def _web(url: str, *says: str, **more: object) -> Row:
    return Row(f"{url} {{mnt}} --timeout 15 --cache-size 0", 1, says, 2, never=("ready", "''", "(_ssl"), **more)  # type: ignore[arg-type]


def _refused(status: int, code: str, *says: str) -> Row:
    """Keys of variables that the server refuses in this way: for a busy one it is asked until --timeout."""
    switches = {"keys": ["OTHER"], "refusal": [status, code]}
    signed = _SIGNED.replace("15", "8") if status in (429, 500, 503) else _SIGNED
    return Row(f"s3://bkt {{mnt}} {signed}", 1, says, 2, env=_KEYS, switches=switches)


def _profile(text: str, *says: str, name: str = "lab") -> Row:
    """A profile of the AWS config file."""
    files = {"aws": text}
    return Row(f"s3://bkt {{mnt}} {_SIGNED} --profile {name}", 1, says, 2, env=_FILES, files=files)


_SSO = """[profile lab]
sso_session = s
sso_account_id = 123456789012
sso_role_name = r
[sso-session s]
sso_start_url = https://x.awsapps.com/start
sso_region = us-east-1
"""
_OFF = ("unshare", "-n")

ROWS = [
    # nobody there
    _s3("{dead}", "refused the connection", "curl -I {dead}"),
    _doctor("{dead}", "refused the connection", "curl -I {dead}"),
    _web("{dead}/data/", "refused the connection", "curl -I {dead}/data/"),
    _s3("http://no-such-host.invalid:9000", "no host is called no-such-host.invalid", "--endpoint-url http"),
    _doctor("http://no-such-host.invalid:9000", "no host is called no-such-host.invalid", "spelling"),
    _web("http://no-such-host.invalid/x/", "no host is called no-such-host.invalid"),
    _web(
        "http://no-such-host.invalid/x.nii?token=hush",
        "no host is called",
    ),
    _s3("http://192.0.2.1", "no network leads to 192.0.2.1", "--offline", within=_OFF),
    _doctor("http://192.0.2.1", "no network leads to 192.0.2.1", "connect this machine", within=_OFF),
    _web("http://192.0.2.1/x/", "no network leads to 192.0.2.1", within=_OFF),
    Row(
        "openneuro {mnt} --timeout 15 --cache-size 0",
        1,
        ("s3.", "cannot be looked up", "--offline"),
        2,
        within=_OFF,
        never=("icence",),
    ),
    # TLS, plain, and certificates
    _s3("https://127.0.0.1:{port}", "does not speak TLS", "http:// in place of https://"),
    _doctor("https://127.0.0.1:{port}", "does not speak TLS", "http:// in place of https://"),
    _web("https://127.0.0.1:{port}/x/", "does not speak TLS", "http:// in place of https://"),
    _s3("http://127.0.0.1:{tls_port}", "https://"),
    _doctor("http://127.0.0.1:{tls_port}", "https://"),
    _web("http://127.0.0.1:{tls_port}/x/", "https://"),
    _s3("{tls}", "certificate", "not trusted", "SSL_CERT_FILE", "AWS_CA_BUNDLE", env=_PLAIN_TRUST),
    _doctor("{tls}", "certificate", "not trusted", "SSL_CERT_FILE", "AWS_CA_BUNDLE", env=_PLAIN_TRUST),
    _web("{tls}/x/", "certificate", "not trusted", "SSL_CERT_FILE", "AWS_CA_BUNDLE", env=_PLAIN_TRUST),
    _s3("https://localhost:{tls_port}", "is for another name", env={**_PLAIN_TRUST, "SSL_CERT_FILE": "{ca}"}),
    _s3("{tls}", "{tmp}/none", "SSL_CERT_FILE", env={**_PLAIN_TRUST, "SSL_CERT_FILE": "{tmp}/none"}),
    # pages for people
    _s3("{server}", "answered with a web page", "browser", switches={"portal": True}),
    _doctor("{server}", "answered with a web page", "browser", switches={"portal": True}),
    _web("{server}/data/", "web page", "browser", switches={"portal": True}),
    _web("{server}/data/scan.nii.gz", "a web page and not a file of data", switches={"portal": True}),
    Row("doctor {server}/data/ --timeout 15", 1, ("web page", "\nfix   "), _DOCTOR, switches={"portal": True}),
    # servers that are busy, or fail
    _refused(503, "SlowDown", "the server is busy", "SlowDown", "try again"),
    _refused(429, "", "the server is busy", "429"),
    # keys, by each step of the chain
    _refused(403, "InvalidAccessKeyId", "does not know this access key", "InvalidAccessKeyId"),
    _refused(403, "SignatureDoesNotMatch", "the secret key does not match"),
    _refused(400, "ExpiredToken", "session token has expired", "aws sso login"),
    _refused(403, "AccessDenied", "access denied", "AccessDenied"),
    _refused(403, "RequestTimeTooSkewed", "clock"),
    Row(
        f"doctor s3://bkt {_SIGNED.replace('--cache-size 0', '')}",
        1,
        ("keys of the variables AWS_ACCESS_KEY_ID", "does not know", "\nfix   aws configure list"),
        _DOCTOR,
        env=_KEYS,
        switches={"keys": ["OTHER"]},
    ),
    Row(
        f"doctor s3://bkt {_SIGNED.replace('--cache-size 0', '')}",
        0,
        ("signed with the keys of the variables",),
        _DOCTOR,
        env=_KEYS,
        never=("secret",),
    ),
    _profile(_SSO, "SSO session of profile 'lab'", "aws sso login --profile lab"),
    _profile("[profile other]\nregion = x\n", "no AWS profile 'lab'", "other", "aws configure --profile lab")._replace(
        code=2, says=("lab",)
    ),
    _profile("[profile lab]\nregion = us-east-1\n", "profile 'lab' holds no credentials", "aws configure"),
    _profile("[profile lab]\naws_access_key_id = AKID\n", "aws_secret_access_key", "aws configure --profile lab"),
    _profile("[profile lab]\ncredential_process = /no/such/program\n", "credential_process"),
    _profile(
        "[profile lab]\ncredential_process = sh -c 'echo no ticket >&2; exit 3'\n", "credential_process", "no ticket"
    ),
    _profile("[profile lab]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = gone\n", "gone"),
    _profile(
        "[profile lab]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = lab\n", "circle", "profile 'lab'"
    ),
    _profile(
        "[profile lab]\nrole_arn = arn:aws:iam::123456789012:role/r\nweb_identity_token_file = {tmp}/no-token\n",
        "no-token",
    ),
]

"""What is pasted as SOURCE, and where the mountpoint goes."""

from __future__ import annotations

from .row import Row

_AT = "--endpoint-url {server} --anonymous --region us-east-1 --cache-dir {tmp}/cache"
_CONFIG_LINES = 40


def _config(source: str, *says: str, env: dict[str, str] | None = None) -> Row:
    """`mountnd config SOURCE DIR`: what would be mounted, without a network."""
    return Row(f"config {source} {{mnt}}", 0, says, _CONFIG_LINES, env=env or {})


ROWS = [
    # what registries and papers give
    _config("ds000001", "s3://openneuro.org/ds000001"),
    _config("openneuro/ds000001", "s3://openneuro.org/ds000001"),
    _config("https://openneuro.org/datasets/ds000001", "s3://openneuro.org/ds000001"),
    _config("openneuro.org/datasets/ds000001", "s3://openneuro.org/ds000001"),
    _config("https://openneuro.org/datasets/ds000001/versions/1.0.0", "s3://openneuro.org/ds000001"),
    _config("10.18112/openneuro.ds000001.v1.0.0", "s3://openneuro.org/ds000001"),
    _config("doi:10.18112/openneuro.ds000001.v1.0.0", "s3://openneuro.org/ds000001"),
    _config("https://doi.org/10.18112/openneuro.ds000001.v1.0.0", "s3://openneuro.org/ds000001"),
    _config("https://github.com/OpenNeuroDatasets/ds000001", "s3://openneuro.org/ds000001"),
    # what browsers and colleagues give
    _config("arn:aws:s3:::bucket/prefix", "s3://bucket/prefix"),
    _config("s3:bucket/prefix", "s3://bucket/prefix"),
    _config("https://bucket.s3.us-west-2.amazonaws.com/prefix", "s3://bucket/prefix", "us-west-2"),
    _config("https://s3.us-west-2.amazonaws.com/bucket/prefix", "s3://bucket/prefix", "us-west-2"),
    _config("https://bucket.s3.dualstack.us-west-2.amazonaws.com/prefix", "s3://bucket/prefix", "us-west-2"),
    _config("https://bucket.s3-accelerate.amazonaws.com/prefix", "s3://bucket/prefix"),
    _config("http://bucket.s3-website-us-west-2.amazonaws.com/prefix", "s3://bucket/prefix", "us-west-2"),
    _config("'https://s3.console.aws.amazon.com/s3/buckets/bucket?region=us-west-2&prefix=p/'", "s3://bucket/p/"),
    _config("https://0a1b.r2.cloudflarestorage.com/bucket/p", "s3://bucket/p", "https://0a1b.r2.cloudflarestorage.com"),
    _config("https://storage.googleapis.com/bucket/p", "s3://bucket/p", "https://storage.googleapis.com"),
    _config("https://bucket.storage.googleapis.com/p", "s3://bucket/p", "https://storage.googleapis.com"),
    _config("https://minio.lab.org/bucket/p", "s3://bucket/p", "https://minio.lab.org"),
    _config("https://minio.lab.org/bucket/p", "https://minio.lab.org", env={"MOUNTND_ENDPOINT_URL": "http://other"}),
    # what is not a source, with what to write instead
    Row("bucket/prefix {mnt}", 2, ("s3://bucket/prefix",)),
    Row("my-bucket {mnt}", 2, ("no such source or preset", "s3://my-bucket")),
    Row("{tmp}/data {mnt}", 2, ("file://{tmp}/data",)),
    Row("opennuero {mnt}", 2, ("did you mean openneuro",)),
    Row("OpenNeuro/ds000001 {mnt} --zz", 2, ("--zz",)),
    Row("s4://bucket {mnt}", 2, ("cannot read s4:// URLs", "s3")),
    Row("s3:// {mnt}", 2, ("s3://BUCKET/PREFIX",)),
    Row("s3://b {mnt}", 2, ("is not a bucket name",)),
    Row("https:// {mnt}", 2, ("nothing follows https://",)),
    Row("arn:aws:s3::123456789012:accesspoint/m1.mrap {mnt}", 2, ("multi-region",)),
    Row("'' {mnt}", 2, ("the source is empty",)),
    # where the mountpoint is missing, or comes first
    Row("openneuro", 2, ("the mountpoint is missing", "mountnd openneuro DIR")),
    Row("ds000001", 2, ("the mountpoint is missing", "mountnd ds000001 DIR")),
    Row("s3://bkt", 2, ("the mountpoint is missing", "mountnd s3://bkt DIR")),
    Row("10.18112/openneuro.ds000001.v1.0.0", 2, ("the mountpoint is missing",)),
    Row("openneuro indi fastmri", 2, ("the mountpoint is missing", "mountnd openneuro indi fastmri DIR")),
    Row("{mnt} s3://bkt", 2, ("the source goes before the mountpoint: mountnd s3://bkt {mnt}",)),
    Row("openneuro ''", 2, ("the mountpoint is empty",)),
    Row("/mnt/opennuro", 2, ("did you mean openneuro",)),
    # several
    Row("config openneuro indi s3://bucket/lab {mnt}", 0, ("openneuro", "indi", "lab"), 80),
    Row("openneuro openneuro {mnt}", 2, ("two sources of this mount are called openneuro",)),
    Row("openneuro indii {mnt}", 2, ("indii: no such source or preset: did you mean indi",)),
    Row("gs://bucket/x {mnt}", 2, ("gs:// needs a package that is not installed; type: ", "gcsfs"), 2),
    # a bucket by its server's address, which no name tells
    *(
        Row(
            f"{{server}}/bkt{rest} {{mnt}} --timeout 20",
            1,
            (f"mountnd s3://bkt{rest.rstrip('/')} DIR --endpoint-url {{server}}",),
            2,
            never=("ready",),
        )
        for rest in ("/", "", "/ds000001/")
    ),
    # what is there, and what is not
    Row("s3://bkt/ds99999 {mnt} " + _AT, 1, ("nothing lies below this prefix",), 2, never=("ready", "icence")),
    Row("s3://bkt/ds000003 {mnt} " + _AT, 1, ("did you mean ds000002 or ds000001",), 2, never=("ready",)),
    Row("s3://absent {mnt} " + _AT, 1, ("absent", "no such bucket"), 2, never=("Traceback", "ready")),
    Row("doctor s3://bkt/ds000003 " + _AT, 1, ("did you mean ds000002 or ds000001",), 30),
    Row("doctor s3://bkt/ds000001/a.nii " + _AT, 0, ("is one object",), 30),
    Row("doctor s3://bkt " + _AT, 0, ("can be listed",), 30),
]

"""What people have at hand is read as what they mean: the shapes of S3 URLs, pages, DOIs and ARNs."""

from __future__ import annotations

from pathlib import Path

import pytest

from mountnd.config.file import ConfigFile, SourceEntry
from mountnd.config.option_types import RawValue
from mountnd.config.pasted import read_pasted
from mountnd.config.resolve import ConfigInputs, resolve_mount
from mountnd.config.source_spec import split_words
from mountnd.errors import UsageError

GOOGLE = "https://storage.googleapis.com"
R2 = "https://0a1b.r2.cloudflarestorage.com"

# pasted; the word that it means; endpoint; region
MEANINGS = [
    ("arn:aws:s3:::bucket", "s3://bucket", "", ""),
    ("arn:aws:s3:::bucket/prefix/", "s3://bucket/prefix/", "", ""),
    ("arn:aws-cn:s3:::bucket/*", "s3://bucket/", "", ""),
    ("arn:aws:s3:eu-west-1:123456789012:accesspoint/lab",
     "s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/lab", "", ""),
    ("s3:bucket", "s3://bucket", "", ""),
    ("s3:bucket/prefix", "s3://bucket/prefix", "", ""),
    ("s3:/bucket/prefix", "s3://bucket/prefix", "", ""),
    ("https://bucket.s3.us-west-2.amazonaws.com/prefix", "s3://bucket/prefix", "", "us-west-2"),
    ("https://bucket.s3.us-west-2.amazonaws.com", "s3://bucket", "", "us-west-2"),
    ("bucket.s3.us-west-2.amazonaws.com/prefix", "s3://bucket/prefix", "", "us-west-2"),
    ("https://a.dotted.bucket.s3.amazonaws.com/a%20b/c+d", "s3://a.dotted.bucket/a b/c+d", "", ""),
    ("https://bucket.s3-eu-west-1.amazonaws.com/x", "s3://bucket/x", "", "eu-west-1"),
    ("https://s3.amazonaws.com/fcp-indi/data/Projects", "s3://fcp-indi/data/Projects", "", ""),
    ("https://s3-us-west-2.amazonaws.com/bucket", "s3://bucket", "", "us-west-2"),
    ("https://s3.dualstack.us-east-1.amazonaws.com/bucket/x", "s3://bucket/x", "", "us-east-1"),
    ("https://bucket.s3.dualstack.us-east-1.amazonaws.com/x/", "s3://bucket/x/", "", "us-east-1"),
    ("https://bucket.s3-fips.us-east-1.amazonaws.com/x/", "s3://bucket/x/", "", "us-east-1"),
    ("https://bucket.s3-accelerate.amazonaws.com/x/", "s3://bucket/x/", "", ""),
    ("https://bucket.s3-accelerate.dualstack.amazonaws.com/x/", "s3://bucket/x/", "", ""),
    ("http://bucket.s3-website-us-east-1.amazonaws.com/x/", "s3://bucket/x/", "", "us-east-1"),
    ("http://bucket.s3-website.eu-central-1.amazonaws.com/x/", "s3://bucket/x/", "", "eu-central-1"),
    ("https://bucket.s3.cn-north-1.amazonaws.com.cn/x", "s3://bucket/x", "", "cn-north-1"),
    ("https://fcp-indi.s3.amazonaws.com/index.html#data/Projects/", "s3://fcp-indi/data/Projects/", "", ""),
    ("https://fcp-indi.s3.amazonaws.com/?list-type=2&prefix=data/", "s3://fcp-indi/data/", "", ""),
    ("https://s3.console.aws.amazon.com/s3/buckets/fcp-indi?region=us-east-1&prefix=data/Projects/&tab=objects",
     "s3://fcp-indi/data/Projects/", "", "us-east-1"),
    ("https://us-east-1.console.aws.amazon.com/s3/object/fcp-indi?region=us-east-1&prefix=a/b.nii.gz",
     "s3://fcp-indi/a/b.nii.gz", "", "us-east-1"),
    (f"{R2}/bucket/prefix", "s3://bucket/prefix", R2, ""),
    ("https://storage.googleapis.com/bucket/prefix", "s3://bucket/prefix", GOOGLE, ""),
    ("storage.googleapis.com/bucket/prefix", "s3://bucket/prefix", GOOGLE, ""),
    ("https://bucket.storage.googleapis.com/prefix", "s3://bucket/prefix", GOOGLE, ""),
    ("https://storage.cloud.google.com/bucket/prefix", "s3://bucket/prefix", GOOGLE, ""),
    ("https://console.cloud.google.com/storage/browser/bucket/prefix;tab=objects?x=1",
     "s3://bucket/prefix", GOOGLE, ""),
    ("https://minio.lab.org/bucket/prefix", "s3://bucket/prefix", "https://minio.lab.org", ""),
    ("https://minio.lab.org/browser/bucket/prefix", "s3://bucket/prefix", "https://minio.lab.org", ""),
    ("http://s3.lab.org:9000/bucket", "s3://bucket", "http://s3.lab.org:9000", ""),
    ("https://uk1s3.embassy.ebi.ac.uk/idr/zarr/", "s3://idr/zarr/", "https://uk1s3.embassy.ebi.ac.uk", ""),
    ("https://bucket.nyc3.digitaloceanspaces.com/k", "s3://bucket/k", "https://nyc3.digitaloceanspaces.com", ""),
    ("https://s3.eu-central-1.wasabisys.com/bucket", "s3://bucket", "https://s3.eu-central-1.wasabisys.com", ""),
    ("ds000001", "openneuro/ds000001", "", ""),
    ("ds000001/sub-01", "openneuro/ds000001/sub-01", "", ""),
    ("https://openneuro.org/datasets/ds000001", "openneuro/ds000001", "", ""),
    ("openneuro.org/datasets/ds000001/", "openneuro/ds000001", "", ""),
    (
        "https://openneuro.org/datasets/ds000001/versions/1.0.0/file-display/sub-01:anat",
        "openneuro/ds000001@1.0.0",
        "",
        "",
    ),
    ("https://github.com/OpenNeuroDatasets/ds000001.git", "openneuro/ds000001", "", ""),
    ("10.18112/openneuro.ds000001.v1.0.0", "openneuro/ds000001@1.0.0", "", ""),
    ("doi:10.18112/OpenNeuro.ds000001.v1.0.0", "openneuro/ds000001@1.0.0", "", ""),
    ("ds000001@1.0.0/sub-01", "openneuro/ds000001@1.0.0/sub-01", "", ""),
    ("<https://doi.org/10.18112/openneuro.ds000001>", "openneuro/ds000001", "", ""),
    ("DANDI:000026", "dandi://000026", "", ""),
    ("dandi/000026", "dandi://000026", "", ""),
    ("DANDI:000026/0.210831.2033", "dandi://000026/0.210831.2033", "", ""),
    ("https://dandiarchive.org/dandiset/000026/draft/files?location=sub-1", "dandi://000026/draft", "", ""),
    ("https://gui.dandiarchive.org/#/dandiset/000026", "dandi://000026", "", ""),
    ("https://doi.org/10.48324/dandi.000026/0.210831.2033", "dandi://000026/0.210831.2033", "", ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "word", "endpoint", "region"), MEANINGS, ids=[row[0] for row in MEANINGS])
def test_meaning(text: str, word: str, endpoint: str, region: str) -> None:
    pasted = read_pasted(text)
    assert pasted is not None
    assert (pasted.word, pasted.endpoint_url, pasted.region) == (word, endpoint, region)


@pytest.mark.parametrize(
    "text",
    [
        "openneuro",
        "bucket/prefix",
        "/mnt/data",
        "s3://bucket/key",
        "gs://bucket",
        "https://example.org/data/",
        "https://example.org/s3/bucket",
        "http://127.0.0.1:9000/bucket",
        "https://bucket.s3.amazonaws.com/key?X-Amz-Signature=abc",
        "https://h:99999999/x",
        "https://[::1",
        "ds00001",
        "ds0000011",
        "",
    ],
)
def test_what_is_taken_as_it_is(text: str) -> None:
    assert read_pasted(text) is None


def inputs(typed: dict[str, str] | None = None, file: ConfigFile | None = None, **environment: str) -> ConfigInputs:
    def raw(values: dict[str, str], origin: str) -> dict[str, RawValue]:
        return {name: RawValue(value, origin, Path("/")) for name, value in values.items()}

    return ConfigInputs(
        typed=raw(typed or {}, "--typed"),
        environment=raw(environment, "MOUNTND_X"),
        file=file or ConfigFile(),
        cwd=Path("/"),
        cache_home=None,
        aws_profiles=tuple,
        store_schemes=lambda: ("dandi",),
    )


def test_the_server_that_the_url_names_is_asked() -> None:
    source = resolve_mount(["https://minio.lab.org/bucket/x", "/mnt/x"], inputs(endpoint_url="http://elsewhere")).config
    assert source.sources[0].url == "s3://bucket/x"
    assert source.sources[0].endpoint_url == "https://minio.lab.org"


def test_a_flag_wins_over_the_url() -> None:
    words = ["https://bucket.s3.us-west-2.amazonaws.com/x", "/mnt/x"]
    assert resolve_mount(words, inputs()).config.sources[0].region == "us-west-2"
    assert resolve_mount(words, inputs({"region": "eu-west-1"})).config.sources[0].region == "eu-west-1"


def test_urls_of_the_config_file_too() -> None:
    url = "https://storage.googleapis.com/bucket/x"
    file = ConfigFile(path=Path("/c.toml"), sources={"lab": SourceEntry("lab", url=url)})
    source = resolve_mount(["lab", "/mnt/x"], inputs(file=file)).config.sources[0]
    assert (source.name, source.url, source.endpoint_url) == ("lab", "s3://bucket/x", GOOGLE)


def test_a_page_in_the_config_file() -> None:
    url = "https://openneuro.org/datasets/ds000001"
    file = ConfigFile(path=Path("/c.toml"), sources={"lab": SourceEntry("lab", url=url)})
    source = resolve_mount(["lab", "/mnt/x"], inputs(file=file)).config.sources[0]
    assert (source.name, source.url, source.preset) == ("lab", "s3://openneuro.org/ds000001", "openneuro")


def test_a_mountpoint_called_like_a_data_set() -> None:
    source = resolve_mount(["/home/me/ds000001"], inputs()).config.sources[0]
    assert (source.url, source.anonymous) == ("s3://openneuro.org/ds000001", True)


def test_several_sources_are_a_directory_each() -> None:
    config = resolve_mount(["openneuro", "indi", "s3://bucket/lab", "/mnt/brains"], inputs()).config
    assert [source.name for source in config.sources] == ["openneuro", "indi", "lab"]
    assert config.mountpoint == Path("/mnt/brains")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ds000001"], "mountnd ds000001 DIR"),
        (["10.18112/openneuro.ds000001.v1.0.0"], "mountnd 10.18112/openneuro.ds000001.v1.0.0 DIR"),
        (["openneuro", "indi", "fastmri"], "mountnd openneuro indi fastmri DIR"),
        (["openneuro", "s3://bucket"], "mountnd openneuro s3://bucket DIR"),
        (["/mnt/x", "s3://bucket"], "mountnd s3://bucket /mnt/x"),
        (["./here", "https://openneuro.org/datasets/ds000001"],
         "mountnd https://openneuro.org/datasets/ds000001 ./here"),
        (["openneuro", ""], "the mountpoint is empty"),
    ],
)  # fmt: skip
def test_missing_mountpoints(words: list[str], said: str) -> None:
    with pytest.raises(UsageError, match="mountpoint") as error:
        split_words(words, ConfigFile(), Path("/nowhere"))
    assert said in str(error.value)

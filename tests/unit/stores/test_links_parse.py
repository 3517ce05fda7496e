from __future__ import annotations

import base64
import quopri

import pytest

from mountnd.errors import ConfigError
from mountnd.stores.links.parse import SignedLink, expiry, parse_links

KNEE = "https://fastmri-dataset.s3.amazonaws.com/v2.0/knee_singlecoil_train.tar.xz?AWSAccessKeyId=AK&Signature=a%2Bb&Expires=1700000000"


def one(text: str) -> SignedLink:
    (link,) = parse_links(text, "mail.txt")
    return link


@pytest.mark.parametrize(
    "text",
    [
        f'curl -C - "{KNEE}" --output knee.tar.xz',
        f"curl -C - '{KNEE}' --output knee.tar.xz",
        f'curl -C - "{KNEE}" -o knee.tar.xz',
        f'curl -C - "{KNEE}" -oknee.tar.xz',
        f'curl --output=knee.tar.xz -L "{KNEE}"',
        f'curl -C - "{KNEE}" --output "knee.tar.xz"   ',
        f'  $ curl -C - "{KNEE}" --output downloads/knee.tar.xz',
        f'> curl -C - "{KNEE}" --output knee.tar.xz',
        f'>> curl -C - "{KNEE}" \\\n>>   --output knee.tar.xz',
        f'curl -C - "{KNEE}" ^\r\n  --output knee.tar.xz\r\n',
        f"curl -C - “{KNEE}” --output knee.tar.xz",
        f'curl -C - "{KNEE[:60]}\n{KNEE[60:]}" --output knee.tar.xz',
        f'curl -C - "{KNEE.replace("&", "&amp;")}" --output knee.tar.xz',
        f'\ufeff# remarks\n\n   \n# more: http://not.this/one\ncurl "{KNEE}" --output knee.tar.xz # the knee\n',
        f'curl -C\u00a0- "{KNEE}" --output\u00a0knee.tar.xz',
        f"wget '{KNEE}' -o knee.tar.xz",
    ],
)
def test_lines_as_they_are_pasted(text: str) -> None:
    assert one(text) == SignedLink("knee.tar.xz", KNEE, 1700000000.0)


def test_a_plain_url_names_the_file_itself() -> None:
    assert one(KNEE).name == "knee_singlecoil_train.tar.xz"
    assert one(f"<{KNEE}>").name == "knee_singlecoil_train.tar.xz"
    assert one("https://host/a%20b/c%C3%A9.h5") == SignedLink("cé.h5", "https://host/a%20b/c%C3%A9.h5", None)
    assert one(f'curl -O "{KNEE}"').name == "knee_singlecoil_train.tar.xz"


def test_the_signature_is_not_touched() -> None:
    assert "Signature=a%2Bb" in one(f'curl "{KNEE}" -o x').url


def test_many_lines_keep_their_order() -> None:
    text = "\n".join(f'curl -C - "https://host/{n}?Expires={n}" --output f{n}' for n in (3, 1, 2))
    assert [link.name for link in parse_links(text, "m")] == ["f3", "f1", "f2"]
    assert [link.name for link in parse_links(text + "\n" + text, "m")] == ["f3", "f1", "f2"]


def test_two_links_in_one_line() -> None:
    found = parse_links('curl "https://h/a" -o x "https://h/b" -o y', "m")
    assert [(link.url[-1], link.name) for link in found] == [("a", "x"), ("b", "y")]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("\n\ncurl -C - --output knee.tar.xz", 3, "no link"),
        ("https://h/a?Expires=soon", 1, "cannot|can be read"),
        ("https://h/a?X-Amz-Date=yesterday&X-Amz-Expires=5", 1, "can be read"),
        ("https://h/", 1, "no file"),
        ("https:///a", 1, "no file"),
        ("https://h/a/..", 1, "no file"),
        ("http://[bad/a", 1, "can be read"),
        ("https://h/a\nhttps://other/a", 2, "second link for the name 'a'"),
        ("# x\ncurl 'https://h/a -o b", 2, "never closed"),
        ('curl "https://h/a" "https://h/b" -o c', 1, "2 links but 1 names"),
    ],
)
def test_a_bad_line_is_named(text: str, line: int, words: str) -> None:
    with pytest.raises(ConfigError, match=rf"^mail\.txt, line {line}: .*({words})"):
        parse_links(text, "mail.txt")


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing here\n"])
def test_a_file_without_links(text: str) -> None:
    with pytest.raises(ConfigError, match=r"mail\.txt: no links"):
        parse_links(text, "mail.txt")


MAIL = f"""Dear researcher,

thank you for your interest; don't share these links. See https://fastmri.med.nyu.edu/faq.html for questions.
To download, use curl with these lines (it's best to use a screen):

curl -C - "{KNEE}" --output knee.tar.xz
If that doesn't work, try {KNEE.replace("knee_singlecoil", "brain")}.

https://fastmri.med.nyu.edu/
The fastMRI team's "dataset" group
"""


def quoted_printable(text: str) -> str:
    return quopri.encodestring(text.encode()).decode()


@pytest.mark.parametrize(
    "text",
    [
        MAIL,
        MAIL.replace("\n", "\r\n"),
        "\n".join(f"> {line}" for line in MAIL.splitlines()),
        quoted_printable(MAIL),
        (
            f"From: x@y.z\nSubject: fastMRI\nContent-Type: text/plain; charset=utf-8\nMIME-Version: 1.0\n"
            f"Content-Transfer-Encoding: quoted-printable\n\n{quoted_printable(MAIL)}"
        ),
        (
            f"MIME-Version: 1.0\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\n"
            f"{base64.encodebytes(MAIL.encode()).decode()}"
        ),
        (
            "Received: by x\n"
            f"Content-Type: multipart/alternative; boundary=B\n\n--B\nContent-Type: text/plain\n\n{MAIL}\n"
            "--B\nContent-Type: text/html\n\n<p>https://h/x?Signature=no</p>\n--B--\n"
        ),
    ],
    ids=["pasted", "CRLF", "quoted", "quoted-printable", "eml", "base64", "two parts"],
)
def test_the_whole_mail_may_be_pasted(text: str) -> None:
    found = {link.name: link for link in parse_links(text, "mail.txt")}
    assert set(found) == {"knee.tar.xz", "brain_train.tar.xz"}
    assert found["knee.tar.xz"] == SignedLink("knee.tar.xz", KNEE, 1700000000.0)


def test_links_of_a_page_of_html() -> None:
    text = f'<p>See <a href="https://x.org/faq.html">here</a>: <a href="{KNEE.replace("&", "&amp;")}">knee</a></p>'
    assert one(text) == SignedLink("knee_singlecoil_train.tar.xz", KNEE, 1700000000.0)


def test_of_two_mails_the_later_link_counts() -> None:
    later = KNEE.replace("1700000000", "1800000000")
    assert one(f"{KNEE}\n{later}\n").url == later
    assert one(f"{later}\n{KNEE}\n").url == later


@pytest.mark.parametrize("signature", ["3Dab", "AB=", "17"])
def test_a_signature_that_looks_quoted_is_left_alone(signature: str) -> None:
    url = f"https://h/a.h5?AWSAccessKeyId=AK&Expires=1700000000&Signature={signature}"
    assert one(f'curl "{url}"').url == url


def test_when_links_end() -> None:
    assert expiry("https://h/a") is None
    assert expiry("https://h/a?Expires=1700000000&Signature=x") == 1700000000.0
    version4 = "https://h/a?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20231114T221320Z&X-Amz-Expires=3600"
    assert expiry(version4) == 1700000000.0 + 3600
    assert expiry("https://h/a?x-amz-date=20231114T221320Z&x-amz-expires=1") == 1700000001.0

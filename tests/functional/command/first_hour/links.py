"""Signed links by e-mail."""

from __future__ import annotations

from .row import Row

_GOOD = "{server}/bkt/top.txt"
_OLD = "http://127.0.0.1:1/a.h5?AWSAccessKeyId=AK&Signature=hush&Expires=1700000000"
_MAIL = f"""Dear researcher,
don't share these links; questions: https://fastmri.med.nyu.edu/faq.html

curl -C - "{_OLD}" --output knee.tar.xz
Yours, the "fastMRI" team
"""

ROWS = [
    Row("fastmri {mnt}", 2, ("--urls FILE", "https://fastmri.med.nyu.edu/")),
    Row("fastmri {mnt} --urls {tmp}/none", 2, ("{tmp}/none: no such file of signed links",)),
    Row(
        "fastmri {mnt} --urls {tmp}/mail --cache-size 0",
        1,
        ("the link of knee.tar.xz ended on 2023-11-14",),
        2,
        never=("hush", "AWSAccessKeyId", "spell"),
        files={"mail": _MAIL},
    ),
    Row(
        "doctor fastmri --urls {tmp}/mail",
        1,
        ("knee.tar.xz ended on 2023-11-14", "fix "),
        40,
        never=("hush",),
        files={"mail": _MAIL},
    ),
    Row(
        "fastmri {mnt} --urls {tmp}/mail --cache-size 0",
        2,
        ("{tmp}/mail: no links in it", "e-mail"),
        2,
        files={"mail": "Dear researcher,\nyour application was received.\n"},
    ),
    Row(
        "fastmri {mnt} --urls {tmp}/mail --cache-size 0",
        2,
        ("{tmp}/mail, line 2", "never closed"),
        2,
        files={"mail": 'Hello\ncurl -C - "https://h/a?Signature=s --output a\n'},
    ),
    Row(
        "doctor fastmri --urls {tmp}/mail",
        0,
        ("the link of knee.tar.xz ended on 2023-11-14", "its objects can be read"),
        40,
        never=("hush", "{tmp}/mail: {tmp}/mail"),
        files={"mail": f'curl "{_GOOD}?Signature=hush" --output good.txt\n{_MAIL}'},
    ),
]

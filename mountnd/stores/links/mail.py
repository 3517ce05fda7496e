"""An e-mail as it was saved or pasted -> its text, a line a line. Pure.

Whole messages (`.eml`) have headers and parts; what was pasted from a message's source may be quoted-printable (RFC
2045, section 6.7: `=3D` for `=`, and `=` at the end of a line that goes on).
"""

from __future__ import annotations

import email
import quopri
import re
from email.message import Message

_HEADERS = re.compile(
    r"\A(?:>?From [^\n]*\n)?(?:(?:[ \t][^\n]*|[!-9;-~]+:[^\n]*)\n)*?"
    r"(?:MIME-Version|Content-Type|Received|Message-ID|Return-Path|Delivered-To):",
    re.IGNORECASE,
)
_NOT_QUOTED = re.compile(r"=(?![0-9A-F]{2}|[ \t]*$)", re.MULTILINE)


def text_of(text: str) -> str:
    """What the sender wrote."""
    text = text.lstrip("\ufeff").replace("\r\n", "\n")
    if _HEADERS.match(text):
        message = email.message_from_bytes(text.encode("utf-8", "surrogateescape"))
        parts = [part for part in message.walk() if part.get_content_maintype() == "text"]
        plain = [part for part in parts if part.get_content_subtype() == "plain"] or parts
        return "\n".join(map(_content, plain))
    if "=3D" in text and not _NOT_QUOTED.search(text):
        return quopri.decodestring(text.encode("utf-8", "surrogateescape")).decode("utf-8", "replace")
    return text


def _content(part: Message) -> str:
    try:
        body = part.get_payload(decode=True)
        charset = part.get_content_charset() or "utf-8"
        return body.decode(charset, "replace") if isinstance(body, bytes) else ""
    except (LookupError, ValueError):  # a character set or an encoding that is none
        return str(part.get_payload())

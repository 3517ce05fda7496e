"""Elements of HTML as a tree: text is text, whatever it holds, for the writer escapes it."""

from __future__ import annotations

from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from ...foreign_text import printable

Content = str | Element | None


def element(tag: str, *content: Content, **attributes: object) -> Element:
    """An element. `class_` and `for_` are the attributes without the underscore, an underscore within is a hyphen; None
    leaves an attribute or a part of the content out."""
    made = Element(tag)
    for name, value in attributes.items():
        if value is not None:
            made.set(name.rstrip("_").replace("_", "-"), text(value))
    last: Element | None = None
    for part in content:
        if isinstance(part, Element):
            made.append(part)
            last = part
        elif part is not None:
            if last is None:
                made.text = (made.text or "") + text(part)
            else:
                last.tail = (last.tail or "") + text(part)
    return made


def text(value: object) -> str:
    """A value as text that may stand in a page: what has no glyph (controls, marks of direction, bytes that are no
    UTF-8) as Python writes it."""
    return printable(str(value))


def lines(tag: str, of_lines: str) -> Element:
    """An element whose text keeps its line breaks (`pre`, `style`)."""
    made = Element(tag)
    made.text = "\n".join(printable(line) for line in of_lines.split("\n"))
    return made


def link(url: str | None, shown: str) -> Content:
    """A link where there is a URL of the web, else the text alone."""
    if url is None or not url.startswith(("https://", "http://")):
        return shown
    return element("a", shown, href=url, rel="noreferrer")


def code(text: str) -> Element:
    """A command, a path or an identifier."""
    return element("code", text)


def path_of(path: str) -> Element:
    """A path, which may break anywhere."""
    return element("span", path, class_="path")


def written(root: Element) -> bytes:
    """The page as a file holds it."""
    html: bytes = ElementTree.tostring(root, encoding="utf-8", method="html")
    return b"<!DOCTYPE html>\n" + html + b"\n"

"""Tables of a page, figures that stand out, and bars. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from xml.etree.ElementTree import Element

from .elements import Content, element


def table(head: Sequence[str], rows: Iterable[Sequence[Content]], *, right: Collection[int] = ()) -> Element:
    """A table. `right`: indexes of the columns that stand flush right, as numbers do."""

    def cells(tag: str, row: Sequence[Content]) -> Element:
        made = [element(tag, cell, class_="number" if at in right else None) for at, cell in enumerate(row)]
        return element("tr", *made)

    body = [cells("td", row) for row in rows]
    inside = element("table", element("thead", cells("th", head)), element("tbody", *body))
    return element("div", inside, class_="scrolls")


def tiles(rows: Iterable[tuple[str, str, str]]) -> Element:
    """Figures that stand out: what it is, the figure, and a remark."""
    made = [
        element(
            "div",
            element("div", label, class_="label"),
            element("div", figure, class_="figure"),
            element("div", remark, class_="remark"),
            class_="tile",
        )
        for label, figure, remark in rows
    ]
    return element("div", *made, class_="tiles")


def bars(rows: Sequence[tuple[str, float, str, str]]) -> Element:
    """Bars on one scale, with their labels: what it is, its length, the figure, and the class of its colour."""
    longest = max((length for _, length, _, _ in rows), default=0) or 1
    made = []
    for label, length, figure, colour in rows:
        bar = element(
            "svg",
            element("title", f"{label}: {figure}"),
            element("rect", x=0, y=0, width=1000, height=10, class_="ground"),
            element("rect", x=0, y=0, width=max(2, round(1000 * length / longest)), height=10, class_=colour),
            viewBox="0 0 1000 10",
            preserveAspectRatio="none",
            role="img",
            class_="bar",
        )
        made.append(
            element(
                "tr", element("th", label), element("td", bar, class_="wide"), element("td", figure, class_="number")
            )
        )
    return element("table", element("tbody", *made), class_="bars")


def paragraph(*content: Content, class_: str | None = None) -> Element:
    """A paragraph."""
    return element("p", *content, class_=class_)

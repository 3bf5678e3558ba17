"""Pieces of HTML: text is escaped where it enters, what comes out is markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape


class Markup(str):
    """Text that is markup already, and escaped no more."""

    __slots__ = ()


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Args:
        anchor: Its id, for links.
        title: Its heading.
        body: What stands below.
    """

    anchor: str
    title: str
    body: Markup


def tag(name: str, *content: str, **attributes: str) -> Markup:
    """`<name class="...">content</name>`; `class_` stands for `class`, and `_` in names for `-`."""
    told = "".join(f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items())
    return Markup(f"<{name}{told}>{joined(content)}</{name}>")


def joined(parts: Iterable[str]) -> Markup:
    """Parts one behind the other, escaped where they are plain text."""
    return Markup("".join(part if isinstance(part, Markup) else escape(part) for part in parts))


def paragraph(text: str, class_: str = "") -> Markup:
    """A paragraph."""
    return tag("p", text, class_=class_) if class_ else tag("p", text)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Markup:
    """A plain table; the first column is text, the others are figures. It scrolls where it is wider than the screen."""
    head = tag("tr", *(tag("th", heading, scope="col") for heading in headings))
    body = joined(tag("tr", tag("th", row[0], scope="row"), *(tag("td", cell) for cell in row[1:])) for row in rows)
    return tag("div", tag("table", tag("thead", head), tag("tbody", body), class_="plain"), class_="scroll")


def details(summary: str, body: Markup) -> Markup:
    """What opens when asked for."""
    return tag("details", tag("summary", summary), body)

"""Forest plots: a row per model or segment, its figures as text, its intervals on an axis that all rows share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from training.evaluation.page.markup import Markup, joined, tag

Tone = Literal["own", "other", "win", "loss", "tie"]
#: Room beyond the outermost interval, as a share of the axis.
_MARGIN = 0.03
_TICKS = 5
_HEIGHT = 20


@dataclass(frozen=True)
class Mark:
    """An interval on an axis: [low, high] with its mean."""

    low: float
    mean: float
    high: float
    tone: Tone
    told: str


@dataclass(frozen=True)
class Axis:
    """The span that a plot shows; what lies beyond is an arrow at its edge.

    Args:
        low, high: The span.
        percent: Whether values are shares of 1 to be told in per cent, with their sign.
        zero: Whether 0 has a line.
    """

    low: float
    high: float
    percent: bool = False
    zero: bool = False

    @classmethod
    def over(cls, marks: Sequence[Mark], *, percent: bool = False, zero: bool = False, most: float = math.inf) -> Axis:
        """Wide enough for the marks, those beyond `most` left out where any is within; with 0 where it has a line."""
        near = [mark for mark in marks if max(abs(mark.low), abs(mark.high)) <= most]
        bounds = [value for mark in near for value in (mark.low, mark.high)]
        if zero or not bounds:
            bounds += [0.0, 0.02 if percent else 0.0]
        low, high = min(bounds), max(bounds)
        margin = _MARGIN * (high - low) or 0.5
        return cls(low - margin if low or zero else 0.0, high + margin, percent, zero)

    def place(self, value: float) -> float:
        """Where a value lies, in per cent of the width, within the plot."""
        return min(max(100 * (value - self.low) / (self.high - self.low), 0.0), 100.0)

    def ticks(self) -> list[float]:
        """Round values inside the span."""
        raw = (self.high - self.low) / _TICKS
        unit = 10 ** math.floor(math.log10(raw))
        step = unit * next(factor for factor in (1, 2, 5, 10) if factor * unit >= raw * 0.999)
        first = math.ceil(self.low / step)
        return [place * step for place in range(first, math.floor(self.high / step) + 1)]

    def label(self, value: float) -> str:
        """A tick's text."""
        if self.percent:
            return f"{100 * value:+.3g} %" if value else "0"
        return f"{value:.3g}".removeprefix("0") if 0 < value < 1 else f"{value:.3g}"


@dataclass(frozen=True)
class Plot:
    """A column of a forest.

    Args:
        heading: Of the column.
        axis: That all its rows share.
        marks: Of each row, two at most; the second stands above the first.
    """

    heading: str
    axis: Axis
    marks: Sequence[Sequence[Mark]]


@dataclass(frozen=True)
class Figures:
    """A column of text: a cell for each row, and whether it may go where the screen is narrow."""

    heading: str
    cells: Sequence[str]
    minor: bool = False


def forest(labels: Sequence[str], columns: Sequence[Figures | Plot], strong: Sequence[int] = ()) -> Markup:
    """A table of figures and plots.

    Args:
        labels: Of the rows.
        columns: From the left.
        strong: Rows that stand out.
    """
    heads = [tag("th", "", scope="col"), *(_head(column) for column in columns)]
    rows = []
    for place, label in enumerate(labels):
        cells = joined(_cell(column, place) for column in columns)
        name = tag("th", label, scope="row")
        rows.append(tag("tr", name, cells, class_="strong") if place in strong else tag("tr", name, cells))
    axes = joined(_axis(column) for column in columns)
    foot = tag("tr", tag("td", ""), axes, class_="axis")
    body = (tag("thead", tag("tr", *heads)), tag("tbody", *rows), tag("tfoot", foot))
    return tag("div", tag("table", *body, class_="forest"), class_="scroll")


def _head(column: Figures | Plot) -> Markup:
    return tag("th", column.heading, scope="col", class_=_class(column))


def _cell(column: Figures | Plot, place: int) -> Markup:
    if isinstance(column, Figures):
        return tag("td", column.cells[place], class_=_class(column), data_name=column.heading)
    return tag("td", _drawn(column.axis, column.marks[place]), class_=_class(column))


def _axis(column: Figures | Plot) -> Markup:
    if isinstance(column, Figures):
        return tag("td", "", class_=_class(column))
    ticks = [
        tag("span", column.axis.label(tick), style=f"left:{column.axis.place(tick):.2f}%")
        for tick in column.axis.ticks()
    ]
    return tag("td", tag("div", *ticks, class_="ticks"), class_=_class(column))


def _class(column: Figures | Plot) -> str:
    return "plot" if isinstance(column, Plot) else "figure minor" if column.minor else "figure"


def _drawn(axis: Axis, marks: Sequence[Mark]) -> Markup:
    lines = [_line(axis.place(tick), "grid") for tick in axis.ticks()]
    if axis.zero:
        lines.append(_line(axis.place(0.0), "zero"))
    # Two marks stand one above the other, so that neither hides the other.
    middles = (_HEIGHT / 2,) if len(marks) == 1 else (_HEIGHT * 0.74, _HEIGHT * 0.28)
    shapes = [shape for mark, middle in zip(marks, middles, strict=False) for shape in _shapes(axis, mark, middle)]
    told = "; ".join(mark.told for mark in marks)
    return tag(
        "svg", tag("title", told), *lines, *shapes,
        viewBox=f"0 0 100 {_HEIGHT}", preserveAspectRatio="none", role="img", class_="" if marks else "empty",
    )  # fmt: skip


def _line(x: float, class_: str) -> Markup:
    return tag("line", x1=f"{x:.2f}", x2=f"{x:.2f}", y1="0", y2=str(_HEIGHT), class_=class_)


def _shapes(axis: Axis, mark: Mark, middle: float) -> list[Markup]:
    """The interval as a bar and the mean as a line across; an arrow where the mean lies beyond the axis."""
    if not axis.low <= mark.mean <= axis.high:
        tip, back = (100.0, 96.0) if mark.mean > axis.high else (0.0, 4.0)
        points = f"{back},{middle - 5} {tip},{middle} {back},{middle + 5}"
        return [tag("polygon", points=points, class_=mark.tone)]
    low, high, mean = axis.place(mark.low), axis.place(mark.high), axis.place(mark.mean)
    bar = tag(
        "rect", x=f"{low:.2f}", width=f"{max(high - low, 0.3):.2f}", y=f"{middle - 2.5}", height="5", class_=mark.tone
    )
    across = tag(
        "line", x1=f"{mean:.2f}", x2=f"{mean:.2f}", y1=f"{middle - 5}", y2=f"{middle + 5}", class_=f"mean {mark.tone}"
    )
    return [bar, across]


def bars(rows: Sequence[tuple[str, float, str]]) -> Markup:
    """Bars from 0, each with its text: (label, length, text)."""
    most = max((length for _, length, _ in rows), default=0.0) or 1.0
    drawn = [
        tag(
            "tr",
            tag("th", label, scope="row"),
            tag("td", text, class_="figure"),
            tag("td", tag("div", class_="bar", style=f"width:{100 * length / most:.2f}%"), class_="plot"),
        )
        for label, length, text in rows
    ]
    return tag("div", tag("table", tag("tbody", *drawn), class_="forest"), class_="scroll")

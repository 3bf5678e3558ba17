"""What the page says first: what was evaluated, how it ended, and the four figures to remember."""

from __future__ import annotations

from typing import Any

from training.evaluation.figures import PIPELINE
from training.evaluation.page.markup import Markup, joined, paragraph, tag
from training.evaluation.report import Report
from training.evaluation.table import gain, plain, title, verdict


def heading(report: Report) -> Markup:
    """Title, figures, verdict."""
    what, _, rest = title(report).partition(", ")
    parts = [tag("h1", f"{PIPELINE} evaluated over {what}"), paragraph(rest, "soft"), _tiles(report)]
    return tag("header", *parts, *map(paragraph, verdict(report)))


def _tiles(report: Report) -> Markup:
    k = report.main_k
    named = PIPELINE if PIPELINE in report.models else report.ranking()[0]
    own = report.models[named]
    tiles = [
        _tile(plain(own[metric]), f"{metric} of {named}, {_bounds(own[metric])}")
        for metric in (report.main_metric, f"recall@{k}")
        if metric in own
    ]
    rivals = report.rivals()
    pair = report.paired.get(f"{PIPELINE}-{rivals[0]}", {}).get(report.main_metric) if rivals else None
    if pair is not None:
        over, _, interval = gain(pair).partition(" (")
        tone = "win" if pair["ci95"][0] > 0 else "loss" if pair["ci95"][1] < 0 else ""
        told = f"over {rivals[0]}, the best single model" + (f" ({interval}" if interval else "")
        tiles.insert(1, _tile(over, told, tone))
    if f"coverage@{k}" in own:
        tiles.append(_tile(f"{100 * own[f'coverage@{k}']:.3g} %", f"of what may be ranked is shown in the first {k}"))
    return tag("div", *tiles, class_="tiles")


def _tile(figure: str, told: str, tone: str = "") -> Markup:
    return tag("div", joined([tag("b", figure, class_=tone), tag("span", told)]), class_="tile")


def _bounds(figure: dict[str, Any]) -> str:
    low, high = figure["ci95"]
    return f"95 %: {plain(low)} - {plain(high)}"

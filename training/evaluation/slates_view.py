"""The curve of slates for a person: a table, and what each kind of variety costs in one picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from matplotlib.figure import Figure
from rich import box
from rich.console import Console
from rich.table import Table

from training.evaluation.table import gain

_K: Final = 20
_COLUMNS: Final = {
    f"coverage@{_K}": "coverage",
    f"diversity@{_K}": "diversity",
    f"novelty@{_K}": "novelty",
    f"top_1_percent_share@{_K}": "slots of the top 1 %",
}
_ACCENT: Final = "#0b7a4b"
_PLAIN: Final = "#8fa6b8"
_OTHER: Final = "#b3372f"
_INK: Final = "#24323d"


def print_slates(slates: Mapping[str, Any], console: Console) -> None:
    """Print a line for each point; the served one stands out."""
    heading = f"slates of the same candidates, NDCG@{_K} against the plain order, paired, 95 %"
    table = Table(title=heading, title_justify="left", title_style="", box=box.SIMPLE_HEAD, padding=(0, 1))
    for name in ("diversity", "personal every", f"ndcg@{_K}", "against plain", *_COLUMNS.values()):
        table.add_column(name, justify="right", no_wrap=True)
    for point in slates["points"]:
        table.add_row(
            f"{point['diversity']:g}",
            str(point["personal_every"] or "-"),
            f"{point[f'ndcg@{_K}']['mean']:.4f}",
            gain(point["over_plain"]) if point is not slates["points"][0] else "",
            *(f"{point[name]:.4f}" if name in point else "-" for name in _COLUMNS),
            style="bold green" if point["served"] else None,
        )
    console.print(table)


def plot_slates(slates: Mapping[str, Any], path: Path) -> None:
    """Write the picture as PNG: the cost in NDCG over each of the four, a point for each slate.

    Args:
        slates: Of a report.
        path: Where to.
    """
    figure = Figure(figsize=(12, 3.6), dpi=150, layout="constrained")
    named = [name for name in _COLUMNS if name in slates["points"][0]]
    for axes, name in zip(figure.subplots(1, len(named), sharey=True, squeeze=False)[0], named, strict=True):
        for point in slates["points"]:
            low, high = point["over_plain"]["relative_ci95"] or (0.0, 0.0)
            mean = (point["over_plain"]["relative"] or 0.0) * 100
            arms = [[max(mean - low * 100, 0.0)], [max(high * 100 - mean, 0.0)]]
            colour = _ACCENT if point["served"] else _OTHER if point["personal_every"] else _PLAIN
            axes.errorbar(point[name], mean, yerr=arms, fmt="o", color=colour, elinewidth=0.8, markersize=5)
        axes.axhline(0, color=_INK, linewidth=0.8)
        axes.set_xlabel(_COLUMNS[name])
        axes.spines[["top", "right"]].set_visible(False)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:+.0f} %" if value else "0")
    title = f"NDCG@{_K} against the plain order; green: as served, red: with personal slots, grey: likeness alone"
    figure.suptitle(title, x=0.01, ha="left", fontsize=10, color=_INK)
    figure.savefig(path)

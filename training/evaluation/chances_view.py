"""Reliability for a person: a table by tenth, and the picture of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from matplotlib.figure import Figure
from rich import box
from rich.console import Console
from rich.table import Table

_ACCENT: Final = "#0b7a4b"
_INK: Final = "#24323d"
#: The parts of a report's `chances` that have tenths, and what a person calls them.
_PARTS: Final = {"candidates": "all candidates", "first_20": "the first 20 of each feed"}


def print_chances(chances: Mapping[str, Any], target: str, console: Console) -> None:
    """Print predicted and observed shares by tenth, or why there are none."""
    if "none" in chances:
        console.print(f"Probability of {target}: {chances['none']}.", highlight=False, soft_wrap=True)
        return
    days, seen = chances["horizon_days"], chances["observed_days"]
    heading = f"probability of {target} within {days:.1f} days, {chances['users']:,} visitors, seen for {seen:.1f} days"
    table = Table(title=heading, title_justify="left", title_style="", box=box.SIMPLE_HEAD, padding=(0, 1))
    for name in ("of", "candidates", "predicted", "observed, 95 %"):
        table.add_column(name, justify="left" if name == "of" else "right", no_wrap=True)
    for part, words in _PARTS.items():
        for place, tenth in enumerate(chances[part]["deciles"]):
            low, high = tenth["ci95"]
            observed = f"{tenth['observed']:.4f} ({low:.4f} - {high:.4f})"
            table.add_row(words if not place else "", f"{tenth['candidates']:,}", f"{tenth['predicted']:.4f}", observed)
    console.print(table)
    for part, words in _PARTS.items():
        if ratio := chances[part].get("observed_over_predicted"):
            low, high = ratio["ci95"]
            console.print(
                f"Of {words}, {ratio['mean']:.2f} ({low:.2f} - {high:.2f}) times as many came as were foretold.",
                highlight=False,
                soft_wrap=not console.is_terminal,
            )


def plot_chances(chances: Mapping[str, Any], target: str, path: Path) -> None:
    """Write the picture as PNG: observed over predicted by tenth, on scales that show small chances too.

    Args:
        chances: Of a report, without `none`.
        target: Event type.
        path: Where to.
    """
    figure = Figure(figsize=(9.5, 4.4), dpi=150, layout="constrained")
    for axes, (part, words) in zip(figure.subplots(1, 2), _PARTS.items(), strict=True):
        tenths = [tenth for tenth in chances[part]["deciles"] if tenth["predicted"] > 0]
        predicted = [tenth["predicted"] for tenth in tenths]
        observed = [tenth["observed"] for tenth in tenths]
        arms = [[max(tenth["observed"] - tenth["ci95"][0], 0.0) for tenth in tenths]]
        arms.append([max(tenth["ci95"][1] - tenth["observed"], 0.0) for tenth in tenths])
        ends = [min([1.0, *predicted]), max([1e-6, *predicted])]
        axes.plot(ends, ends, color="#dfe6eb", linewidth=2)
        axes.errorbar(predicted, observed, yerr=arms, fmt="o", color=_ACCENT, ecolor=_INK, capsize=2.5, markersize=5)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("predicted")
        axes.set_ylabel("observed, 95 % over users")
        axes.set_title(words, loc="left", fontsize=9.5, color=_INK)
        axes.spines[["top", "right"]].set_visible(False)
    title = f"Probability of {target} within {chances['horizon_days']:.1f} days, {chances['users']:,} visitors"
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, color=_INK)
    figure.savefig(path)

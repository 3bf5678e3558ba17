"""The picture beside a report: what each model is worth, and what the pipeline has over each of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.evaluation.figures import PIPELINE
from training.evaluation.report import Report
from training.evaluation.table import gain, title

_ACCENT: Final = "#0b7a4b"
_PLAIN: Final = "#8fa6b8"
_LOSS: Final = "#b3372f"
_INK: Final = "#24323d"
#: Gains beyond this are named at the edge, so that the small ones, which decide, can be seen.
_WIDEST: Final = 1.0


def plot(report: Report, path: Path) -> None:
    """Write the picture as PNG.

    Args:
        report: A finished report.
        path: Where to, usually the report's own path with the suffix `.png`.
    """
    names = report.ranking()[::-1]
    figure = Figure(figsize=(11, 1.6 + 0.38 * len(names)), dpi=150, layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1, 1))
    _draw_means(left, report, names)
    _draw_gains(right, report)
    for axes in (left, right):
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color="#dfe6eb", linewidth=0.8)
        axes.set_axisbelow(True)
    figure.suptitle(title(report), x=0.01, ha="left", fontsize=11, color=_INK)
    figure.savefig(path)


def _draw_means(axes: Axes, report: Report, names: list[str]) -> None:
    figures = {name: report.models[name][report.main_metric] for name in names}
    for name, figure in figures.items():
        mean, bounds = figure["mean"], figure["ci95"]
        axes.barh(name, mean, color=_ACCENT if name == PIPELINE else _PLAIN, height=0.66)
        axes.errorbar(mean, name, xerr=_arms(mean, bounds), fmt="none", ecolor=_INK, elinewidth=1.1, capsize=2.5)
        axes.annotate(f"{mean:.4f}", (bounds[1], name), (5, 0), textcoords="offset points", va="center", size=8)
    axes.set_xlim(0, 1.16 * max(figure["ci95"][1] for figure in figures.values()) or 1)
    axes.set_title(f"{report.main_metric}, 95 % over users", loc="left", fontsize=9.5, color=_INK)
    for label in axes.get_yticklabels():
        label.set_fontweight("bold" if label.get_text() == PIPELINE else "normal")


def _draw_gains(axes: Axes, report: Report) -> None:
    axes.axvline(0, color=_INK, linewidth=1)
    axes.set_title(f"{PIPELINE} over it, paired, 95 %", loc="left", fontsize=9.5, color=_INK)
    with_pipeline = {name: report.paired.get(f"{PIPELINE}-{name}") for name in report.models}
    pairs = {name: metrics[report.main_metric] for name, metrics in with_pipeline.items() if metrics is not None}
    near = [bound for pair in pairs.values() if _is_near(pair) for bound in pair["relative_ci95"]]
    low, high = min([-0.02, *near]), max([0.1, *near])
    span = high - low
    # Room on the right for the figures.
    axes.set_xlim(low - 0.06 * span, high + 0.62 * span)
    for name, pair in pairs.items():
        colour = _ACCENT if pair["ci95"][0] > 0 else _LOSS if pair["ci95"][1] < 0 else _PLAIN
        if _is_near(pair):
            arms = _arms(pair["relative"], pair["relative_ci95"])
            axes.errorbar(pair["relative"], name, xerr=arms, fmt="o", color=colour, capsize=3, markersize=5)
        else:
            axes.plot([high], [name], marker=">", color=colour, markersize=6)
        axes.annotate(gain(pair), (high, name), (12, 0), textcoords="offset points", va="center", size=8, color=colour)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value * 100:+.0f} %" if value else "0")
    axes.set_xticks([tick for tick in axes.get_xticks() if low - 0.06 * span <= tick <= high])


def _is_near(pair: dict[str, Any]) -> bool:
    bounds = pair["relative_ci95"]
    return bounds is not None and max(abs(bound) for bound in bounds) <= _WIDEST


def _arms(mean: float, bounds: Sequence[float]) -> list[list[float]]:
    """Lengths of an error bar, [[down], [up]]; a skewed interval may leave its own mean outside."""
    return [[max(mean - bounds[0], 0.0)], [max(bounds[1] - mean, 0.0)]]

"""Whether the probabilities that the feed tells are what came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from training.evaluation.page.forest import Axis, Figures, Mark, Plot, forest
from training.evaluation.page.markup import Markup, Section, joined, paragraph, tag
from training.evaluation.report import Report

#: The parts of a report's `chances` that have tenths, and what a person calls them.
_PARTS: Final = {"candidates": "all candidates", "first_20": "the first 20 of each feed"}
#: Tenths further off than this are arrows.
_WIDEST: Final = 2.0


def probabilities_section(report: Report) -> Section | None:
    """Observed over predicted, by tenth of what was predicted; none where nothing was measured."""
    chances: Mapping[str, Any] = report.further.get("chances") or {"none": ""}
    if "none" in chances:
        return None
    how = (
        f"What was foretold for {chances['users']:,} visitors within {chances['horizon_days']:.1f} days, and the share "
        "that came, in tenths by the prediction. The plot shows how much more or less came than was foretold: right "
        "of 0 the feed promises too little, left of it too much."
    )
    parts = [_tenths(words, chances[part]["deciles"]) for part, words in _PARTS.items() if chances[part]["deciles"]]
    return Section("probabilities", "Probabilities", joined([paragraph(how, "soft"), *parts]))


def _tenths(words: str, tenths: Sequence[Mapping[str, Any]]) -> Markup:
    marks = [_mark(tenth) for tenth in tenths]
    columns: list[Figures | Plot] = [
        Figures("candidates", [f"{tenth['candidates']:,}" for tenth in tenths], minor=True),
        Figures("predicted", [f"{tenth['predicted']:.4f}" for tenth in tenths]),
        Figures("observed, 95 %", [_observed(tenth) for tenth in tenths]),
        Plot("", Axis.over([mark for row in marks for mark in row], percent=True, zero=True, most=_WIDEST), marks),
    ]
    labels = [f"{place}" for place in range(1, len(tenths) + 1)]
    return joined([tag("h3", words), forest(labels, columns)])


def _observed(tenth: Mapping[str, Any]) -> str:
    low, high = tenth["ci95"]
    return f"{tenth['observed']:.4f} ({low:.4f} - {high:.4f})"


def _mark(tenth: Mapping[str, Any]) -> list[Mark]:
    if not tenth["predicted"] > 0:
        return []
    low, mean, high = (
        value / tenth["predicted"] - 1 for value in (tenth["ci95"][0], tenth["observed"], tenth["ci95"][1])
    )
    return [Mark(low, mean, high, "tie" if low <= 0 <= high else "loss", f"{100 * mean:+.1f} %")]

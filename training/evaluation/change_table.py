"""What changed between two reports, for a person."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

from training.evaluation.change import Change, MetricChange
from training.evaluation.table import gain, listed, with_interval

_STYLES = {"better": "green", "worse": "bold red"}


def print_change(change: Change, console: Console) -> None:
    """Print where the reports differ in their terms, then every key's change, then what the other metrics say."""
    wrap = not console.is_terminal
    for sentence in change.differing:
        console.print(sentence, highlight=False, markup=False, soft_wrap=wrap)
    how = f"Users cannot be paired: {change.unpaired}." if change.unpaired else "Paired over the same users."
    console.print(how, highlight=False, soft_wrap=wrap)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    for heading in ("model", f"old {change.main_metric}", "new", "change", "verdict"):
        table.add_column(heading, justify="left" if heading == "model" else "right", no_wrap=True)
    for one in change.metrics:
        if one.metric == change.main_metric:
            cells = (with_interval(one.old), with_interval(one.new), gain(one.difference), one.verdict)
            table.add_row(one.model, *cells, style=_STYLES.get(one.verdict))
    console.print(table)
    for sentence in sentences(change):
        console.print(sentence, highlight=False, soft_wrap=wrap)


def sentences(change: Change) -> list[str]:
    """Which keys got better or worse by which metrics, and which are in one report alone."""
    said = []
    for verdict in ("better", "worse"):
        by_model: dict[str, list[str]] = {}
        for one in change.metrics:
            if one.verdict == verdict:
                by_model.setdefault(one.model, []).append(one.metric)
        parts = [f"{name} by {listed(metrics)}" for name, metrics in by_model.items()]
        said.append(f"{verdict.capitalize()}: {'; '.join(parts) or 'none'}.")
    if change.metrics and all(_is_equal(one) for one in change.metrics):
        said = ["Every figure is what it was."]
    for which, names in (("older", change.only_old), ("newer", change.only_new)):
        if names:
            said.append(f"In the {which} report alone: {listed(names)}.")
    return said


def _is_equal(one: MetricChange) -> bool:
    return one.verdict == "equal"

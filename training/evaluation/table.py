"""A report for a person: a table, and sentences that say where the pipeline wins, ties and loses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table

from training.evaluation.figures import COLD_BAR, DENSE_PIPELINE, FORMS, PIPELINE, STORED_ALS, is_rival
from training.evaluation.leaks import KNOWN_LEAKS
from training.evaluation.report import Report
from training.evaluation.segment_rows import segment_blocks
from training.evaluation.terms import days

#: What rich puts between two columns.
_GAP: Final = 3
_OVER: Final = f"{PIPELINE} over it"
#: A gain of more than so many times the other says only that the other is no rival.
_MANYFOLD: Final = 9
#: The share of its worth that what serving saves may cost.
_MAY_COST: Final = 0.01
#: What the table adds behind the main metric, as far as the console is wide enough.
_FURTHER: Final = ("recall@{k}", "hit_rate@{k}", "mrr", "coverage@{k}", "diversity@{k}", "novelty@{k}")


def print_table(report: Report, console: Console) -> None:
    """Print the models, best first, the pipeline's line highlighted, and the verdict below."""
    metric = report.main_metric
    names = report.ranking()
    means = {name: with_interval(report.models[name][metric]) for name in names}
    gains = {name: gain(report.paired.get(f"{PIPELINE}-{name}", {}).get(metric)) for name in names}
    fixed = [("model", names), (f"{metric}, 95 %", list(means.values())), (_OVER, list(gains.values()))]
    taken = sum(_GAP + max(map(len, (heading, *cells))) for heading, cells in fixed)
    further = _that_fit(report, console.width - taken)
    table = Table(title=title(report), title_justify="left", title_style="", box=box.SIMPLE_HEAD, padding=(0, 1))
    for heading in ("model", f"{metric}, 95 %", *further, _OVER):
        table.add_column(heading, justify="left" if heading == "model" else "right", no_wrap=True)
    for name in names:
        cells = (plain(report.models[name].get(column)) for column in further)
        table.add_row(name, means[name], *cells, gains[name], style="bold green" if name == PIPELINE else None)
    console.print(table)
    for sentence in verdict(report) + _remarks(report):
        console.print(sentence, highlight=False, soft_wrap=not console.is_terminal)
    print_segments(report, console)


def _that_fit(report: Report, width: int) -> list[str]:
    columns = [column.format(k=report.main_k) for column in _FURTHER]
    columns = [column for column in columns if any(column in model for model in report.models.values())]
    ends = accumulate(_GAP + len(column) for column in columns)
    return [column for column, end in zip(columns, ends, strict=True) if end < width]


def verdict(report: Report) -> list[str]:
    """Sentences on where the pipeline wins, ties and loses, by the paired intervals; empty without the pipeline."""
    if not report.paired:
        return []
    won, tied, lost = _sides(report, report.main_metric)
    parts = []
    if won:
        parts.append(f"beats {listed(list(won))}")
    if tied:
        parts.append(f"cannot be told from {listed([f'{name} at {over}' for name, over in tied.items()])}")
    if lost:
        parts.append(f"loses to {listed([f'{name} at {over}' for name, over in lost.items()])}")
    said = [f"By {report.main_metric}, {PIPELINE} {'; '.join(parts)}.", _losses_elsewhere(report)] if parts else []
    return said + _over_category(report) + _prices(report)


def _prices(report: Report) -> list[str]:
    """What two savings of serving cost: of lists and search, and of users who are not stored."""
    metric = report.main_metric
    dense = report.paired.get(f"{PIPELINE}-{DENSE_PIPELINE}", {}).get(metric)
    stored = report.paired.get(f"{FORMS[STORED_ALS]}-{STORED_ALS}", {}).get(metric)
    said = [f"Serving costs {_price(dense)} of the dense pipeline's {metric}: {gain(dense)}."] if dense else []
    if stored:
        said.append(f"Folding users in costs {_price(stored)} of the {metric} of {STORED_ALS}: {gain(stored)}.")
    return said


def _price(pair: dict[str, Any]) -> str:
    low, high = pair["relative_ci95"] or (-1.0, 1.0)
    told = "at most" if low >= -_MAY_COST else "more than" if high < -_MAY_COST else "perhaps more than"
    return f"{told} {100 * _MAY_COST:.0f} %"


def _over_category(report: Report) -> list[str]:
    """On cold items the bar is popularity in the user's categories."""
    pair = report.paired.get(f"{PIPELINE}-{COLD_BAR}", {}).get(f"recall@{report.main_k}")
    if pair is None or pair["relative"] is None:
        return []
    times = " - ".join(f"{1 + bound:.2f}" for bound in pair["relative_ci95"] or ())
    interval = f" ({times})" if times else ""
    own = f"Its recall@{report.main_k} is {1 + pair['relative']:.2f} times{interval}"
    return [f"{own} that of popularity in the user's categories."]


def _losses_elsewhere(report: Report) -> str:
    lost_by: dict[str, list[str]] = {}
    for metric in next(iter(report.paired.values())):
        for name in _sides(report, metric)[2] if metric != report.main_metric else ():
            lost_by.setdefault(name, []).append(metric)
    if not lost_by:
        return "By the other metrics of accuracy it loses to none."
    return f"It also loses {'; '.join(f'to {name} by {listed(metrics)}' for name, metrics in lost_by.items())}."


def _sides(report: Report, metric: str) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """{model: gain} of those that the pipeline surely beats, may be equal to, surely loses to, the best first."""
    won: dict[str, str] = {}
    tied: dict[str, str] = {}
    lost: dict[str, str] = {}
    for name in report.ranking():
        comparison = report.paired.get(f"{PIPELINE}-{name}", {}).get(metric)
        if comparison is not None and is_rival(name):
            low, high = comparison["ci95"]
            side = won if low > 0 else lost if high < 0 else tied
            side[name] = gain(comparison)
    return won, tied, lost


def title(report: Report) -> str:
    """Who was scored on what, in one line."""
    terms = report.protocol
    which = "items without history" if terms["cold"] else "new items" if terms["novel_only"] else "all items"
    seeds = len(terms.get("train_seeds", [0]))
    several = f", {terms['cuts']} cuts" if terms.get("cuts", 1) > 1 else ""
    several += f", {seeds} seeds" if seeds > 1 else ""
    return f"{report.users:,} users, target {terms['target']}, {which}, {_test_part(report)}{several}"


def _test_part(report: Report) -> str:
    newest = report.protocol.get("window_ms")
    if newest is None:
        return "test file"
    oldest = min((run["window_ms"] for run in report.further.get("runs", ())), default=newest)
    return f"test days {days((oldest[0], newest[1]))}"


def _remarks(report: Report) -> list[str]:
    removed = report.protocol.get("removed_targets")
    remarks = [f"Known leak {leak}: {KNOWN_LEAKS[leak]}." for leak in report.leaks]
    if removed:
        remarks.append(f"{removed:,} targets were taken out, since the user had touched the item before.")
    return remarks


def with_interval(figure: dict[str, Any]) -> str:
    """A mean and its interval: `.0380 (.0343 - .0418)`."""
    mean, low, high = (f"{value:.4f}".removeprefix("0") for value in (figure["mean"], *figure["ci95"]))
    return f"{mean} ({low} - {high})"


def gain(comparison: dict[str, Any] | None) -> str:
    """What the pipeline has over a model, relative where that can be said: `-3.6 % (-4.3, -2.8)`; empty for None."""
    if comparison is None:
        return ""
    bounds = comparison["relative_ci95"]
    if bounds is None:
        low, high = comparison["ci95"]
        return f"{comparison['mean']:+.4f} ({low:+.4f}, {high:+.4f})"
    if bounds[0] > _MANYFOLD:
        return f"more than {_MANYFOLD + 1} x"
    mean, low, high = (f"{share * 100:+.1f}" for share in (comparison["relative"], *bounds))
    return f"{mean} % ({low}, {high})"


def plain(figure: dict[str, Any] | float | None) -> str:
    """A figure without its interval: `.0380`; `-` for None."""
    if figure is None:
        return "-"
    value = figure["mean"] if isinstance(figure, dict) else figure
    return f"{value:.4f}".removeprefix("0") if value < 1 else f"{value:.2f}"


def listed(names: Sequence[str]) -> str:
    """`a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def print_segments(report: Report, console: Console) -> None:
    """Print every segment: how many users and targets, the pipeline, and the best single model there."""
    blocks = list(segment_blocks(report))
    if not blocks:
        return
    table = Table(title="Segments", title_justify="left", title_style="", box=box.SIMPLE_HEAD, padding=(0, 1))
    for heading in ("segment", "users", "targets", PIPELINE, "best single model there", _OVER):
        table.add_column(heading, justify="left" if heading == "segment" else "right")
    for block in blocks:
        table.add_row(f"{block.name}, {block.metric}", style="bold")
        for row in block.rows:
            own, theirs = plain(_mean(row.own)), f"{row.rival} {plain(_mean(row.theirs))}".removesuffix(" -")
            pair = None if row.pair is None else dict(row.pair)
            table.add_row(f"  {row.label}", f"{row.users:,}", f"{row.targets:,}", own, theirs, gain(pair))
        table.add_section()
    console.print(table)


def _mean(figure: Mapping[str, Any] | None) -> float | None:
    return None if figure is None else float(figure["mean"])

"""Parts of the whole: segments of users and targets, and each cut with each seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from training.evaluation.figures import PIPELINE
from training.evaluation.page.forest import Axis, Figures, Plot, forest
from training.evaluation.page.markup import Markup, Section, joined, paragraph, tag
from training.evaluation.page.models import WIDEST_GAIN, figure_mark, gain_marks
from training.evaluation.report import Report
from training.evaluation.segment_rows import SegmentBlock, SegmentRow, segment_blocks
from training.evaluation.segments import LEAST_USERS
from training.evaluation.table import gain, plain, with_interval
from training.evaluation.terms import days


def segments_section(report: Report) -> Section | None:
    """A plot for each grouping: the pipeline above the best single model of each segment."""
    blocks = [_block(block) for block in segment_blocks(report)]
    if not blocks:
        return None
    how = (
        "The pipeline (green) beside whichever of the three best single models is best in the segment (grey); that one "
        "is picked after the fact, so gains lean low. Users by what their list is worth, targets by the share of them "
        f"that is found (hits). Segments of fewer than {LEAST_USERS} users are counted only."
    )
    return Section("segments", "Segments", joined([paragraph(how, "soft"), *blocks]))


def _block(block: SegmentBlock) -> Markup:
    rows = block.rows
    marks = [
        [
            *([figure_mark(row.theirs, row.rival, "other")] if row.theirs is not None else []),
            *([figure_mark(row.own, PIPELINE, "own")] if row.own is not None else []),
        ]
        for row in rows
    ]
    axis = Axis.over([mark for row in marks for mark in row])
    columns: list[Figures | Plot] = [
        Figures("users", [f"{row.users:,}" for row in rows]),
        Figures("targets", [f"{row.targets:,}" for row in rows], minor=True),
        Figures(PIPELINE, [with_interval(dict(row.own)) if row.own else "-" for row in rows], minor=True),
        Figures("best single model there", [_rival(row) for row in rows], minor=True),
        Plot("", axis, marks),
        Figures("gain", [gain(dict(row.pair)) if row.pair else "" for row in rows]),
    ]
    name = block.name.removeprefix("user.").replace("_", " ")
    head = tag("h3", f"{name} ", tag("small", block.metric))
    return joined([head, forest([row.label for row in rows], columns)])


def _rival(row: SegmentRow) -> str:
    return f"{row.rival} {plain(row.theirs['mean'])}" if row.theirs else ""


def runs_section(report: Report) -> Section | None:
    """Every cut with every seed, as an evaluation of its own; none where there is only one."""
    runs: list[dict[str, Any]] = report.further.get("runs", [])
    if not runs:
        return None
    metric, rivals = report.main_metric, report.rivals()
    own = [run["models"][PIPELINE][metric] if PIPELINE in run["models"] else None for run in runs]
    best = [_best(run, rivals, metric) for run in runs]
    pairs = [run["paired"].get(f"{PIPELINE}-{name}", {}).get(metric) for run, name in zip(runs, best, strict=True)]
    gains = [gain_marks(pair) for pair in pairs]
    axis = Axis.over([mark for row in gains for mark in row], percent=True, zero=True, most=WIDEST_GAIN)
    columns: list[Figures | Plot] = [
        Figures("seed", [str(run["seed"]) for run in runs], minor=True),
        Figures("users", [f"{run['users']:,}" for run in runs], minor=True),
        Figures(f"{metric}, 95 %", [with_interval(figure) if figure else "" for figure in own]),
        Figures("best single model", best, minor=True),
        Figures("gain over it", [gain(pair) for pair in pairs]),
        Plot("", axis, gains),
    ]
    labels = [days(run["window_ms"]) if run["window_ms"] else f"seed {run['seed']}" for run in runs]
    how = (
        "Each cut fits everything on what lies before it. The figures of the whole report are over all of them: seeds "
        "averaged for each user, users of all cuts together, drawn with all their cases."
    )
    return Section("runs", "Cuts and seeds", joined([paragraph(how, "soft"), forest(labels, columns)]))


def _best(run: Mapping[str, Any], rivals: Sequence[str], metric: str) -> str:
    return max(rivals, key=lambda name: float(run["models"][name][metric]["mean"]), default="")

"""Segments of a report as rows for a person: the pipeline beside the best single model there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from training.evaluation.figures import PIPELINE
from training.evaluation.report import Report


@dataclass(frozen=True)
class SegmentRow:
    """One segment.

    Args:
        label: Its name.
        users: How many.
        targets: How many.
        own: The pipeline's figure; None where too few users say anything.
        rival: Name of the best of the others there; empty without one.
        theirs: Its figure.
        pair: The pipeline against it.
    """

    label: str
    users: int
    targets: int
    own: Mapping[str, Any] | None
    rival: str
    theirs: Mapping[str, Any] | None
    pair: Mapping[str, Any] | None


@dataclass(frozen=True)
class SegmentBlock:
    """All segments of one grouping, by one metric."""

    name: str
    metric: str
    rows: tuple[SegmentRow, ...]


def segment_blocks(report: Report) -> Iterator[SegmentBlock]:
    """Every grouping by its first metric, such as `ndcg@20` for users and `hits@20` for targets."""
    for grouping in report.further.get("segments", ()):
        k = report.main_k
        metric = f"ndcg@{k}" if grouping["of"] == "users" else f"hits@{k}"
        rows = tuple(_row(segment, metric) for segment in grouping["segments"])
        yield SegmentBlock(grouping["name"], metric, rows)


def _row(segment: Mapping[str, Any], metric: str) -> SegmentRow:
    models = segment["models"]
    rivals = [name for name in models if name != PIPELINE]
    best = max(rivals, key=lambda name: float(models[name][metric]["mean"]), default="")
    return SegmentRow(
        label=segment["label"],
        users=segment["users"],
        targets=segment["targets"],
        own=models[PIPELINE][metric] if PIPELINE in models else None,
        rival=best,
        theirs=models[best][metric] if best else None,
        pair=segment["paired"][f"{PIPELINE}-{best}"][metric] if best and PIPELINE in models else None,
    )

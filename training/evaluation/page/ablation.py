"""What each part of the pipeline is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from training.evaluation.ablation_view import ablation_blocks, left_out
from training.evaluation.figures import PIPELINE
from training.evaluation.page.forest import Axis, Figures, Plot, forest
from training.evaluation.page.markup import Markup, Section, joined, paragraph, tag
from training.evaluation.page.models import WIDEST_GAIN, gain_marks
from training.evaluation.report import Report
from training.evaluation.table import gain, plain


def ablation_section(report: Report) -> Section | None:
    """A forest for each kind of part, all on one axis; none where nothing was taken away."""
    found: Mapping[str, Any] | None = report.further.get("ablation")
    if not found:
        return None
    metric, blocks = f"ndcg@{found['k']}", ablation_blocks(found)
    marks = [mark for _, rows in blocks for row in rows for mark in gain_marks(row["over_pipeline"][metric])]
    axis = Axis.over(marks, percent=True, zero=True, most=WIDEST_GAIN)
    how = (
        f"Each row is the pipeline with one thing changed and its ranker taught anew, minus {PIPELINE} as it serves, "
        "on the same resamples of users: what stands left of 0 is worth keeping."
    )
    body = [paragraph(how, "soft"), *(_block(heading, rows, found["k"], axis) for heading, rows in blocks)]
    body += [paragraph(sentence, "soft") for sentence in left_out(found)]
    return Section("ablation", "What each part is worth", joined(body))


def _block(heading: str, rows: Sequence[Mapping[str, Any]], k: int, axis: Axis) -> Markup:
    ndcg, recall = f"ndcg@{k}", f"recall@{k}"
    columns: list[Figures | Plot] = [
        Figures(ndcg, [plain(row[ndcg]) for row in rows]),
        Figures("against the pipeline", [gain(row["over_pipeline"][ndcg]) for row in rows]),
        Plot("", axis, [gain_marks(row["over_pipeline"][ndcg]) for row in rows]),
        Figures(recall, [gain(row["over_pipeline"][recall]) for row in rows], minor=True),
    ]
    return joined([tag("h3", heading), forest([row["name"] for row in rows], columns)])

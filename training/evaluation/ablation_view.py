"""The ablation for a person: what each row changes, in words, and what that does to the lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table

from training.evaluation.figures import PIPELINE
from training.evaluation.table import gain, plain, with_interval

#: What the rows of each kind have in common.
_HEADINGS: Final[Mapping[str, str]] = {
    "sources": "without the source, its candidates and its inputs",
    "inputs": "without the ranker's inputs",
    "recency": "without recency",
    "refitting": "without refitting at cuts",
    "dense": "dense examples",
    "rankers": "another ranker",
}


def ablation_blocks(found: Mapping[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    """(heading, rows) of each kind that has any, the dearest loss first."""
    metric = f"ndcg@{found['k']}"
    blocks = []
    for kind, heading in _HEADINGS.items():
        rows = [row for row in found["rows"] if row["kind"] == kind]
        if rows:
            blocks.append((heading, sorted(rows, key=lambda row: float(row["over_pipeline"][metric]["mean"]))))
    return blocks


def left_out(found: Mapping[str, Any]) -> list[str]:
    """A sentence for each row that could not be measured."""
    rows: Sequence[Mapping[str, str]] = found["left_out"]
    return [f"Left out: {row['kind']}, {row['name']}: {row['why']}." for row in rows]


def print_ablation(found: Mapping[str, Any], console: Console) -> None:
    """Print a line for each row, by kind."""
    ndcg, recall = (f"{name}@{found['k']}" for name in ("ndcg", "recall"))
    title = f"ablation: each row minus {PIPELINE}, on the same users, 95 %"
    table = Table(title=title, title_justify="left", title_style="", box=box.SIMPLE_HEAD, padding=(0, 1))
    for heading in ("row", f"{ndcg}, 95 %", "against it", recall, "against it"):
        table.add_column(heading, justify="left" if heading == "row" else "right", no_wrap=True)
    own = found["pipeline"]
    table.add_row(PIPELINE, plain(own[ndcg]), "", plain(own[recall]), "")
    for heading, rows in ablation_blocks(found):
        table.add_section()
        table.add_row(heading, style="bold")
        for row in rows:
            over = row["over_pipeline"]
            cells = (with_interval(row[ndcg]), gain(over[ndcg]), plain(row[recall]), gain(over[recall]))
            table.add_row(f"  {row['name']}", *cells)
    console.print(table)
    for sentence in left_out(found):
        console.print(sentence, highlight=False, markup=False, soft_wrap=not console.is_terminal)

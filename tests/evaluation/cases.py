"""Small cases for tests of evaluation: written by hand, and drawn by Hypothesis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from recommender.types import Mask, Rows
from training.evaluation.metrics import ItemFacts
from training.evaluation.protocol import Cases, HeldOutPart, TrainingPart


def make_cases(
    targets: Sequence[Sequence[int]],
    n_items: int,
    hidden: Sequence[Sequence[int]] | None = None,
    candidates: Mask | None = None,
) -> Cases:
    """Cases of users 0, 1, ...; -1 among the targets is one that no candidate covers."""
    hidden = hidden if hidden is not None else [[] for _ in targets]
    ordered = [sorted(items, key=lambda item: (item < 0, item)) for items in targets]
    return Cases(
        users=np.arange(len(targets), dtype=np.int32),
        target_offsets=np.cumsum([0, *map(len, ordered)]),
        target_items=np.array([item for items in ordered for item in items], np.int32),
        hidden_offsets=np.cumsum([0, *map(len, hidden)]),
        hidden_items=np.array([item for items in hidden for item in sorted(items)], np.int32),
        candidates=candidates,
        n_items=n_items,
        removed_targets=0,
        counts={},
    )


def lists_of(*rows: Sequence[int]) -> Rows:
    """Lists, padded with -1."""
    out = np.full((len(rows), max(map(len, rows))), -1, np.int32)
    for place, row in enumerate(rows):
        out[place, : len(row)] = row
    return out


def plain_facts(n_items: int) -> ItemFacts:
    """Ten users, one holder for each item, no categories."""
    return ItemFacts(np.ones(n_items, np.int64), 10, np.full((n_items, 1), -1, np.int32))


def training_part(*events: tuple[int, int] | tuple[int, int, float]) -> TrainingPart:
    """From (user, item) or (user, item, weight)."""
    return TrainingPart(
        np.array([event[0] for event in events], np.int32),
        np.array([event[1] for event in events], np.int32),
        np.array([event[2] if len(event) == 3 else 1.0 for event in events], np.float32),
    )


def held_out_part(*events: tuple[int, int] | tuple[int, int, bool]) -> HeldOutPart:
    """From (user, item) or (user, item, is_target)."""
    return HeldOutPart(
        np.array([event[0] for event in events], np.int64),
        np.array([event[1] for event in events], np.int64),
        np.array([event[2] if len(event) == 3 else True for event in events], np.bool_),
    )


@st.composite
def cases_with_lists(draw: st.DrawFn) -> tuple[Cases, Rows]:
    """Any cases over a few items, with lists that obey them."""
    n_items = draw(st.integers(1, 12))
    items = st.integers(0, n_items - 1)
    n = draw(st.integers(1, 5))
    targets = [draw(st.sets(items, max_size=n_items)) for _ in range(n)]
    uncovered = [draw(st.integers(0 if own else 1, 3)) for own in targets]
    hidden = [draw(st.sets(items, max_size=n_items)) - own for own in targets]
    shown = [draw(st.permutations(sorted(set(range(n_items)) - own))) for own in hidden]
    lists = [order[: draw(st.integers(0, len(order)))] for order in shown]
    cases = make_cases(
        [[*own, *([-1] * beyond)] for own, beyond in zip(targets, uncovered, strict=True)],
        n_items,
        [sorted(own) for own in hidden],
    )
    return cases, lists_of(*lists, [0] * 25)[:-1]

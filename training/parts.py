"""The cut log: what may be known, what is held out, who is scored on what, which leaks the cut has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recommender.config import Settings
from recommender.errors import InputError
from recommender.logs import EventTable, read_events
from recommender.types import NO_TIME, Mask
from training.dataset import Dataset
from training.evaluation.leaks import LoggedPairs, leaks_of
from training.evaluation.protocol import Cases, HeldOutPart, TrainingPart, Window, build_cases, holdout_cut
from training.inputs import Inputs, without_users
from training.recipe import target_code
from training.request import TrialRequest


@dataclass(frozen=True)
class Parts:
    """One cut of a log.

    Args:
        training: The table that holds the training part.
        keep: bool over its rows: what models may know.
        window: The span of the test part; None for a test file.
        test: The table that holds the test part.
        test_rows: bool over its rows.
    """

    training: EventTable
    keep: Mask
    window: Window | None
    test: EventTable
    test_rows: Mask


def cut_log(request: TrialRequest, inputs: Inputs, settings: Settings) -> list[Parts]:
    """The cuts, the newest first.

    Raises:
        InputError: The log cannot be cut so, or the test file cannot be used.
    """
    table = inputs.table
    if request.holdout_seconds is None:
        test = _read_test(request, inputs, settings)
        return [Parts(table, np.ones(len(table), np.bool_), None, test, np.ones(len(test), np.bool_))]
    is_target = table.types == target_code(table, request.target)
    newest = holdout_cut(table.times_ms, is_target, request.holdout_seconds)
    parts = []
    for place in range(request.cuts):
        window = newest.earlier(place)
        keep, rows = window.before(table.times_ms), window.holds(table.times_ms)
        if not keep.any() or not (rows & is_target).any():
            raise InputError(
                f"cut {place + 1} of {request.cuts} has no {'target' if keep.any() else 'training'} event; "
                "hold out less, or ask for fewer --cuts"
            )
        parts.append(Parts(table, keep, window, table, rows))
    return parts


def cases_of(request: TrialRequest, dataset: Dataset, parts: Parts) -> tuple[TrainingPart, Cases]:
    """Who is scored on what.

    Raises:
        InputError: Nobody can be scored, or nothing can be ranked.
    """
    actors = dataset.actors()
    users = np.where(actors < dataset.n_users, actors, -1)
    loose = np.full(len(dataset.loose_items), -1, np.int32)
    train = TrainingPart(
        np.concatenate([users, loose]),
        np.concatenate([dataset.items, dataset.loose_items]),
        dataset.event_weights[np.concatenate([dataset.types, dataset.loose_types])],
    )
    test, rows = parts.test, parts.test_rows
    user_rows = rows_by_id(dataset.user_ids, test.user_ids)
    item_rows = rows_by_id(dataset.item_ids, test.item_ids)
    held_out = HeldOutPart(
        np.where(test.users[rows] >= 0, user_rows[test.users[rows]], -1),
        item_rows[test.items[rows]],
        test.types[rows] == target_code(test, request.target),
    )
    cases = build_cases(train, held_out, dataset.n_items, novel_only=request.novel_only, cold=request.cold)
    if not cases.n_candidates:
        raise InputError(
            "no item first seen in the test part is in --items, so --cold has nothing to rank; name a catalogue"
        )
    return train, cases


def leaks_of_parts(request: TrialRequest, inputs: Inputs, parts: Parts) -> tuple[str, ...]:
    """Names of the leaks of a cut."""
    table, test = parts.training, parts.test
    code = target_code(test, request.target)
    targets = parts.test_rows & (test.types == code)
    users = rows_by_id(table.user_ids, test.user_ids)
    items = rows_by_id(table.item_ids, test.item_ids)
    own_code = target_code(table, request.target)
    keep = parts.keep
    return leaks_of(
        LoggedPairs(table.users[keep], table.items[keep], table.times_ms[keep], (table.types == own_code)[keep]),
        LoggedPairs(
            np.where(test.users >= 0, users[test.users], -1)[targets],
            items[test.items[targets]],
            test.times_ms[targets],
            np.ones(int(targets.sum()), np.bool_),
        ),
        cut_by_time=parts.window is not None,
        novel_only=request.novel_only,
        undated_items=int((inputs.catalogue.created_ms == NO_TIME).sum()),
        undated_edges=0 if inputs.edges is None else int((inputs.edges.times_ms == NO_TIME).sum()),
        item_ids=list(dict.fromkeys([*table.item_ids, *test.item_ids])),
    )


def rows_by_id(known: Sequence[str], wanted: Sequence[str]) -> npt.NDArray[np.int64]:
    """int64 [len(wanted)]: the row of each id; ids beyond the known ones get codes of their own behind them."""
    row = {name: place for place, name in enumerate(known)}
    return np.array([row.setdefault(name, len(row)) for name in wanted], np.int64)


def _read_test(request: TrialRequest, inputs: Inputs, settings: Settings) -> EventTable:
    assert request.test is not None  # noqa: S101  # TrialRequest.check refuses anything else
    test = read_events(
        request.test,
        # A folder of its own: the rejects of the training part stay what they are.
        rejects_dir=request.out.parent / "test_rejects",
        max_reject_rate=settings.train.max_reject_rate,
        memory=settings.train.memory,
        threads=settings.train.threads,
    )
    return test if inputs.erased is None else without_users(test, inputs.erased.mask(test.user_ids))

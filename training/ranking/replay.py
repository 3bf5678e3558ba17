"""A fold's users as the served pipeline meets them: their queries, and the rows they turned to afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from recommender.bundle import Bundle
from recommender.types import UNKNOWN_EVENT_TYPE, FeedQuery, History, Rows
from training.dataset import Dataset

#: What a replayed query hides besides what the feed's own filters hide.
Hide = Literal["nothing", "touched"]


@dataclass(frozen=True)
class Case:
    """One user of a fold: the query at the cut, and the target rows, int32 [n > 0], unique; -1 for unknown items."""

    user: int
    query: FeedQuery
    targets: Rows


@dataclass(frozen=True)
class Replay:
    """The scored users of a fold.

    Args:
        dataset: The fold's training part.
        users: int32 [n], actors of the dataset, in a seeded order.
        offsets: int64 [n + 1] into `targets`.
        targets: int32, item rows of the dataset; -1 for an item that it lacks.
        hide: What queries hide.
        history_events: Newest events that a query sees.
    """

    dataset: Dataset
    users: Rows
    offsets: npt.NDArray[np.int64]
    targets: Rows
    hide: Hide
    history_events: int

    def __len__(self) -> int:
        return len(self.users)

    def cases(self, limit: int | None = None) -> Iterator[Case]:
        """The first `limit` users with their queries; with `touched` hidden, touched targets are taken out too."""
        for place, user in enumerate(self.users[:limit].tolist()):
            query = self.query(user)
            targets = self.targets[self.offsets[place] : self.offsets[place + 1]]
            targets = targets[~np.isin(targets, query.hidden_rows)]
            if len(targets):
                yield Case(user, query, targets)

    def query(self, user: int) -> FeedQuery:
        """A user's query at the cut."""
        touched = self.hide == "touched"
        return FeedQuery(
            now_ms=self.dataset.now_ms,
            user_id=self.dataset.user_ids[user],
            history=self.dataset.history(user, self.history_events),
            hidden_rows=np.unique(self.dataset.history(user).item_rows) if touched else np.empty(0, np.int32),
        )


def build_replay(
    dataset: Dataset,
    user_codes: npt.NDArray[np.int64],
    item_codes: npt.NDArray[np.int64],
    n_codes: tuple[int, int],
    *,
    hide: Hide,
    history_events: int,
    seed: int,
) -> Replay:
    """Who is scored: users with an id, a training event of positive weight, and a target.

    Args:
        dataset: The fold's training part.
        user_codes, item_codes: int64 [n_pairs], distinct target pairs in the log table's codes.
        n_codes: How many user and item codes the table has.
        hide: What queries hide.
        history_events: Newest events that a query sees.
        seed: Of the order of users, drawn over the dataset's own order, so that no id decides.
    """
    row_of = np.full(n_codes[0], -1, np.int64)
    row_of[dataset.user_codes] = np.arange(dataset.n_users)
    weights = dataset.weights()
    positive = np.zeros(dataset.n_actors + 1, np.bool_)
    positive[dataset.actors()[weights > 0]] = True
    users = row_of[user_codes]
    scored = (users >= 0) & positive[users]
    users, items = users[scored], dataset.rows_of_codes(item_codes[scored], n_codes[1])
    place = np.full(dataset.n_users, -1, np.int64)
    drawn = np.random.default_rng(seed).permutation(dataset.n_users)
    place[drawn] = np.arange(dataset.n_users)
    order = np.lexsort((items, place[users]))
    users, items = users[order], items[order]
    distinct, starts = np.unique(place[users], return_index=True)
    return Replay(
        dataset=dataset,
        users=drawn[distinct].astype(np.int32),
        offsets=np.append(starts, len(users)).astype(np.int64),
        targets=items,
        hide=hide,
        history_events=history_events,
    )


def translated_cases(replay: Replay, bundle: Bundle, limit: int) -> Iterator[Case]:
    """The first `limit` users in the rows of another bundle; what it lacks is left out, as a target it is -1."""
    row_of = bundle.items.rows_of(replay.dataset.item_ids)
    types = [bundle.event_type_codes.get(name, UNKNOWN_EVENT_TYPE) for name in replay.dataset.event_types]
    codes = np.array(types, np.uint8)
    for case in replay.cases(limit):
        history = case.query.history
        rows = row_of[history.item_rows]
        known = rows >= 0
        query = replace(
            case.query,
            history=History(rows[known], codes[history.event_types[known]], history.times_ms[known]),
            hidden_rows=_known(row_of[case.query.hidden_rows]),
        )
        yield Case(case.user, query, np.where(case.targets >= 0, row_of[case.targets], -1).astype(np.int32))


def _known(rows: Rows) -> Rows:
    return rows[rows >= 0]

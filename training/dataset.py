"""From a log's columns to what models fit on: actors and items in an order that no id and no row number decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recommender.bundle.strings import hash_id
from recommender.kernels.hashing import spread_keys
from recommender.logs import EventTable
from recommender.types import NO_TIME, History, Mask, Rows, Scores, Times
from training.catalogue import Catalogue
from training.circles import Circles

_ROUNDS = 3


@dataclass(frozen=True)
class Dataset:
    """Events by actor and time. An actor is a user with an id or, for anonymous events, a session.

    Args:
        item_codes: int64 [n_items], the code in the log's table of each row; -1 for items of the catalogue alone.
        item_ids: Ids by row.
        user_ids: Ids of the first `n_users` actors; those behind them are anonymous sessions.
        offsets: int64 [n_actors + 1], where each actor's events begin.
        items: int32 [n], item rows, by (actor, time, item row).
        types: uint8 [n], codes of `event_types`.
        times_ms: int64 [n]; `NO_TIME` throughout where `timed` is False.
        loose_items, loose_types, loose_times_ms: Events with neither user nor session: they count for popularity only.
        event_weights: float32 [256], weight by type code.
        now_ms: The moment that models look back from.
        catalogue: Columns of the items, by row.
        circles: Who is near whom; None where nobody said.
    """

    item_codes: npt.NDArray[np.int64]
    item_ids: list[str]
    user_codes: npt.NDArray[np.int64]
    user_ids: list[str]
    offsets: npt.NDArray[np.int64]
    items: Rows
    types: npt.NDArray[np.uint8]
    times_ms: Times
    loose_items: Rows
    loose_types: npt.NDArray[np.uint8]
    loose_times_ms: Times
    event_types: tuple[str, ...]
    event_weights: Scores
    now_ms: int
    timed: bool
    catalogue: Catalogue
    circles: Circles | None = None

    @property
    def n_items(self) -> int:
        """Item rows."""
        return len(self.item_ids)

    @property
    def n_users(self) -> int:
        """Actors with a user id."""
        return len(self.user_ids)

    @property
    def n_actors(self) -> int:
        """Users and anonymous sessions."""
        return len(self.offsets) - 1

    def actors(self) -> Rows:
        """int32 [n], the actor of each event."""
        return np.repeat(np.arange(self.n_actors, dtype=np.int32), np.diff(self.offsets))

    def weights(self) -> Scores:
        """float32 [n], each event's weight by its type."""
        return self.event_weights[self.types]

    def history(self, actor: int, limit: int | None = None) -> History:
        """The actor's newest `limit` events, oldest first."""
        start, stop = int(self.offsets[actor]), int(self.offsets[actor + 1])
        if limit is not None:
            start = max(start, stop - limit)
        return History(self.items[start:stop], self.types[start:stop], self.times_ms[start:stop])

    def rows_of_codes(self, codes: npt.NDArray[np.integer], n_codes: int) -> Rows:
        """int32 [n], item rows of the table's item codes; -1 where the dataset lacks the item."""
        inverse = np.full(n_codes, -1, np.int32)
        known = self.item_codes >= 0
        inverse[self.item_codes[known]] = np.flatnonzero(known).astype(np.int32)
        rows: Rows = inverse[codes]
        return rows


def build_dataset(
    table: EventTable,
    keep: Mask,
    catalogue: Catalogue,
    weights: Mapping[str, float],
    now_ms: int | None = None,
) -> Dataset:
    """The dataset of the kept events alone: what lies outside `keep` changes nothing in it, not even an order.

    Args:
        table: The whole log as read.
        keep: bool [n] over its rows.
        catalogue: The items file, by its own order of items; may be empty.
        weights: Weight of each event type by name; a missing one weighs 0.
        now_ms: The moment to look back from; None means the last kept event.
    """
    users, items = table.users[keep], table.items[keep]
    types, times = table.types[keep], table.times_ms[keep]
    timed = bool(len(times)) and bool((times != NO_TIME).all())
    if not timed:
        times = np.full(len(times), NO_TIME, np.int64)
    n_codes, n_user_codes = len(table.item_ids), len(table.user_ids)
    sessions = np.where(users < 0, table.sessions[keep], -1)
    actors = np.where(users >= 0, users, np.where(sessions >= 0, sessions + n_user_codes, -1)).astype(np.int32)

    places = catalogue.places_of(table.item_ids)
    item_keys, actor_keys = _structure(table, actors, items, types, times, catalogue, places)
    codes, ids, places = _item_order(table, items, item_keys, catalogue, places)
    row_of_code = np.full(n_codes, -1, np.int32)
    row_of_code[codes[codes >= 0]] = np.flatnonzero(codes >= 0).astype(np.int32)

    actor_order, n_users = _actor_order(actors, actor_keys, n_user_codes, table)
    row_of_actor = np.full(len(actor_keys) + 1, -1, np.int32)
    row_of_actor[actor_order] = np.arange(len(actor_order), dtype=np.int32)
    actor_rows = row_of_actor[actors]
    item_rows = row_of_code[items]
    place = np.lexsort((types, item_rows, times, actor_rows))
    loose = int(np.searchsorted(actor_rows[place], 0))
    order_loose, order_own = place[:loose], place[loose:]
    offsets = np.searchsorted(actor_rows[order_own], np.arange(len(actor_order) + 1)).astype(np.int64)
    last = int(times.max()) if timed else 0
    table_weights = np.zeros(256, np.float32)
    table_weights[: len(table.event_types)] = [weights.get(name, 0.0) for name in table.event_types]
    return Dataset(
        item_codes=codes,
        item_ids=ids,
        user_codes=actor_order[:n_users].astype(np.int64),
        user_ids=[table.user_ids[code] for code in actor_order[:n_users].tolist()],
        offsets=offsets,
        items=item_rows[order_own],
        types=types[order_own],
        times_ms=times[order_own],
        loose_items=item_rows[order_loose],
        loose_types=types[order_loose],
        loose_times_ms=times[order_loose],
        event_types=table.event_types,
        event_weights=table_weights,
        now_ms=now_ms if now_ms is not None else last,
        timed=timed,
        catalogue=catalogue.take(places),
    )


def _item_order(
    table: EventTable,
    items: Rows,
    keys: npt.NDArray[np.uint64],
    catalogue: Catalogue,
    places: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], list[str], npt.NDArray[np.int64]]:
    """Codes, ids and catalogue places by row: the most frequent first, then by structure and content.

    The id is the last resort, for items that nothing else tells apart.
    """
    present = np.zeros(len(table.item_ids), np.bool_)
    present[items] = True
    own = np.flatnonzero(present | (places >= 0))
    alone = catalogue.beyond(table.item_ids)
    counts = np.bincount(items, minlength=len(table.item_ids))
    codes = np.concatenate([own, np.full(len(alone), -1, np.int64)])
    all_keys = np.concatenate([keys[own], catalogue.keys()[alone]])
    all_counts = np.concatenate([counts[own], np.zeros(len(alone), counts.dtype)])
    ids = [table.item_ids[code] for code in own.tolist()] + catalogue.item_ids[alone].tolist()
    order = np.array(sorted(range(len(ids)), key=lambda k: (-all_counts[k], all_keys[k], ids[k])), np.int64)
    all_places = np.concatenate([places[own], alone])
    return codes[order], [ids[k] for k in order.tolist()], all_places[order]


def _structure(
    table: EventTable,
    actors: Rows,
    items: Rows,
    types: npt.NDArray[np.uint8],
    times: Times,
    catalogue: Catalogue,
    places: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Keys of items and actors from the log's structure and the catalogue's content, blind to ids and row order."""
    n_items, n_actors = len(table.item_ids), len(table.user_ids) + len(table.session_ids)
    content = np.append(catalogue.keys(), np.uint64(0))
    item_keys = content[places]
    actor_keys = np.zeros(n_actors, np.uint64)
    for _ in range(_ROUNDS):
        actor_keys = spread_keys(item_keys, items, actors, types, times, n_actors)
        item_keys = spread_keys(actor_keys, actors, items, types, times, n_items) + content[places]
    return item_keys, actor_keys


def _actor_order(
    actors: Rows, keys: npt.NDArray[np.uint64], n_user_codes: int, table: EventTable
) -> tuple[npt.NDArray[np.int64], int]:
    """Actors with events: users before sessions, the busiest first, then by structure, then by hash of the id."""
    counts = np.bincount(actors[actors >= 0], minlength=len(keys))
    present = np.flatnonzero(counts)
    anonymous = present >= n_user_codes
    names = [
        table.user_ids[code] if code < n_user_codes else table.session_ids[code - n_user_codes]
        for code in present.tolist()
    ]
    hashes = np.fromiter((hash_id(name) for name in names), np.uint64, len(names))
    order = np.lexsort((hashes, keys[present], -counts[present], anonymous))
    return present[order], int((~anonymous).sum())

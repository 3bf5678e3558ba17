"""A bundle's catalogue with live items laid over it, as they were at one moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from recommender.feed.catalogue import Catalogue, Column
from recommender.state.live_items import LiveItem
from recommender.state.protocols import Numbers
from recommender.types import Item, Mask, Rows, Scores

#: What is known of a live item as columns; codes as in `Catalogue`.
LIVE_COLUMNS: Final = np.dtype(
    [
        ("kind", np.uint8),
        ("price", np.float64),
        ("value", np.float64),
        ("currency", np.int32),
        ("category", np.int32),
        ("seller", np.int32),
        ("available", np.bool_),
        ("expires", np.int64),
    ]
)


@dataclass(frozen=True, slots=True)
class LiveMoment:
    """Everything live at one moment; rows from the bundle's n_items on are new items, in the order of their coming.

    Args:
        slots: int32 [n_rows], the place of each row's live item, -1 where the bundle's own holds.
        columns: `LIVE_COLUMNS` [n_live].
        ids: Object array of str [n_live]; `cards` of bytes, their static bytes.
        taken_items: bool [n_rows], taken down by their id.
        taken_sellers: bool [n_sellers + 1], by code; the last, for items without a seller, is False.
        category_parents: int32 [n_categories + 1], the bundle's first; the last is -1.
        new_rows: From item id to row.
        new_numbers: int64 [n_new], permanent numbers.
        new_vectors: float32 [n_new, dim], their content; zeros where they have none; dim is 0 without an encoder.
    """

    slots: Rows
    columns: npt.NDArray[Any]
    ids: npt.NDArray[np.object_]
    cards: npt.NDArray[np.object_]
    taken_items: Mask
    taken_sellers: Mask
    category_parents: Rows
    new_rows: dict[str, int]
    new_numbers: Numbers
    new_vectors: Scores


class OverlaidColumn:
    """A column of the bundle, and the live items' values over and behind it.

    Args:
        base: [n_items], the bundle's.
        live: [n_live].
        slots: int32 [n_rows], the place in `live`, -1 where the base holds.
    """

    def __init__(self, base: npt.NDArray[Any], live: npt.NDArray[Any], slots: Rows) -> None:
        self._base = base if len(base) else np.zeros(1, base.dtype)
        self._live = live
        self._slots = slots

    def __getitem__(self, rows: Rows) -> npt.NDArray[Any]:
        """[n], the values of the rows."""
        slots = self._slots[rows]
        is_live = slots >= 0
        values: npt.NDArray[Any] = self._base[np.where(is_live, 0, rows)]
        values[is_live] = self._live[slots[is_live]]
        return values


class LiveCatalogue(Catalogue):
    """What filters, cards and reasons see: state wins over the bundle, item by item; immutable.

    Args:
        base: The bundle's; names that live items brought are in its tables.
        moment: What lies over it.
        find: Reads a live item whole.
    """

    def __init__(self, base: Catalogue, moment: LiveMoment, find: Callable[[str], LiveItem | None]) -> None:
        self.__dict__.update(vars(base))
        self.moment = moment
        self._find = find
        self._any_taken = bool(moment.taken_items.any() or moment.taken_sellers.any())
        self.category_parents = moment.category_parents
        if len(moment.columns):
            self._available = self._over("available")
            self._expires_ms = self._over("expires")
            self.kind = self._over("kind")
            self.price = self._over("price")
            self._value = OverlaidColumn(self._bundle_values, moment.columns["value"], moment.slots)
            self.currency = self._over("currency")
            self.category = self._over("category")
            self.seller = self._over("seller")

    def shown(self, rows: Rows, now_ms: int) -> Mask:
        """bool [n]: True where the item is available, neither expired nor ended, and neither it nor its seller down."""
        mask = super().shown(rows, now_ms)
        if self._any_taken:
            mask &= ~self.taken_down(rows)
        return mask

    def taken_down(self, rows: Rows) -> Mask:
        """bool [n]: True where the item or its seller was taken down."""
        mask: Mask = self.moment.taken_items[rows] | self.moment.taken_sellers[self.seller[rows]]
        return mask

    def row(self, item_id: str) -> int:
        """The row of an id, -1 where unknown."""
        row = super().row(item_id)
        if row < 0:
            row = self.moment.new_rows.get(item_id, -1)
        # What came after this moment is not known to it.
        return row if row < len(self.moment.slots) else -1

    def rows(self, item_ids: Iterable[str]) -> Rows:
        """int32 [n], the rows of the ids that are known."""
        rows = np.fromiter(map(self.row, item_ids), np.int32)
        return rows[rows >= 0]

    def item_ids(self, rows: Rows) -> list[str]:
        """The ids of rows, in order."""
        return self._texts(self.moment.ids, rows, super().item_ids)

    def cards(self, rows: Rows) -> list[bytes]:
        """The static bytes of rows' cards, in order."""
        return self._texts(self.moment.cards, rows, super().cards)

    def item(self, row: int) -> Item:
        """All that is known of an item."""
        if self.moment.slots[row] < 0:
            return super().item(row)
        item_id = self.item_ids(np.array([row], np.int32))[0]
        live = self._find(item_id)
        if live is None:
            raise KeyError(f"live item {item_id!r} is gone from the state; nothing removes one")
        return live.item

    def category_codes(self, paths: Iterable[str]) -> Rows:
        """int32 [n], codes of the paths that were known at this moment."""
        codes = super().category_codes(paths)
        return codes[codes < len(self.category_parents) - 1]

    def _over(self, name: str) -> Column:
        base = self.bundle.array(f"items/{name}")
        return OverlaidColumn(base, self.moment.columns[name], self.moment.slots)

    def _texts(self, live: npt.NDArray[np.object_], rows: Rows, of_base: Callable[[Rows], list[Any]]) -> list[Any]:
        slots = self.moment.slots[rows]
        is_live = slots >= 0
        if not is_live.any():
            return of_base(rows)
        found = np.empty(len(rows), np.object_)
        found[is_live] = live[slots[is_live]]
        kept = np.flatnonzero(~is_live)
        found[kept] = np.array(of_base(rows[kept]), np.object_)
        result: list[Any] = found.tolist()
        return result

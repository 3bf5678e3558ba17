"""The catalogue of one bundle: items by row and by id, and what may be shown at a moment."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from recommender.bundle import Bundle, IdIndex, StringColumn
from recommender.feed.item_values import bundle_values, medians_by_category
from recommender.feed.names import Names
from recommender.types import NEVER, NO_TIME, Item, Kind, Mask, Rows


class Absence(IntEnum):
    """Why an item of the catalogue may not be shown to anybody; values equal the wire's."""

    TAKEN_DOWN = 1
    OUT_OF_STOCK = 2
    EXPIRED = 3


class Column(Protocol):
    """A value of each item, taken by rows."""

    def __getitem__(self, rows: Rows, /) -> npt.NDArray[Any]:
        """[n], the values of the rows."""
        ...


class Catalogue:
    """What filters, cards and reasons ask of the items; immutable, shared by all threads.

    Attributes:
        kind: uint8 [n_items].
        price: float64 [n_items], NaN unknown.
        currency: int32 [n_items], code, -1 unknown; `category` and `seller` likewise.
        category_parents: int32 [n_categories + 1]; -1 at the top, and last for items without category.

    Args:
        bundle: What it is of.
        valued_by: Names of the columns whose product is what a target event on an item is worth.
    """

    def __init__(self, bundle: Bundle, valued_by: Sequence[str] = ()) -> None:
        self.bundle = bundle
        self._ids = bundle.items
        self._cards = bundle.strings("items/cards")
        self._available: Column = bundle.array("items/available")
        self._expires_ms: Column = bundle.array("items/expires")
        self.n_items = bundle.n_items
        self.kind: Column = bundle.array("items/kind")
        self.price: Column = bundle.array("items/price")
        self.valued_by = tuple(valued_by)
        self._bundle_values = bundle_values(bundle, self.valued_by)
        self._value: Column = self._bundle_values
        self.currency: Column = bundle.array("items/currency")
        self.category: Column = bundle.array("items/category")
        self.seller: Column = bundle.array("items/seller")
        self.category_parents: Rows = np.append(bundle.array("tables/category_parents"), np.int32(-1))
        self._medians = medians_by_category(self._bundle_values, bundle.array("items/category"), self.category_parents)
        # The tables are small beside the items: their indexes are made here, once per bundle.
        self.categories = Names(IdIndex.of(bundle.strings("tables/categories")))
        self.sellers = Names(IdIndex.of(bundle.strings("tables/sellers")))
        self.currencies = Names(IdIndex.of(bundle.strings("tables/currencies")))

    def shown(self, rows: Rows, now_ms: int) -> Mask:
        """bool [n]: True where the item is available and neither expired nor ended at `now_ms`."""
        mask: Mask = self._available[rows] & (self._expires_ms[rows] > now_ms)
        return mask

    def worth(self, rows: Rows) -> npt.NDArray[np.float64]:
        """float64 [n], the product of the columns in `valued_by`; the median of its category where one is missing.

        A category that came after the bundle has the median of all.
        """
        values = self._value[rows]
        missing = np.isnan(values)
        if missing.any():
            codes = self.category[rows[missing]]
            values = values.copy()
            values[missing] = self._medians[np.where(codes < len(self._medians) - 1, codes, -1)]
        return values

    def absence(self, row: int, now_ms: int) -> Absence | None:
        """Why an item is not `shown` at `now_ms`, None where it is."""
        if self.taken_down(np.array([row], np.int32))[0]:
            return Absence.TAKEN_DOWN
        if not self._available[np.array([row])][0]:
            return Absence.OUT_OF_STOCK
        return Absence.EXPIRED if self._expires_ms[np.array([row])][0] <= now_ms else None

    def taken_down(self, rows: Rows) -> Mask:
        """bool [n]: True where the item or its seller was taken down; nothing in a bundle is."""
        return np.zeros(len(rows), np.bool_)

    def row(self, item_id: str) -> int:
        """The row of an id, -1 where unknown."""
        return self._ids.row(item_id)

    def rows(self, item_ids: Iterable[str]) -> Rows:
        """int32 [n], the rows of the ids that are known."""
        rows = self._ids.rows_of(item_ids)
        return rows[rows >= 0]

    def item_ids(self, rows: Rows) -> list[str]:
        """The ids of rows, in order."""
        return [raw.decode() for raw in _raw(self._ids.ids, rows)]

    def cards(self, rows: Rows) -> list[bytes]:
        """The static bytes of rows' cards, in order."""
        return _raw(self._cards, rows)

    def item(self, row: int) -> Item:
        """All that the bundle knows of an item."""
        bundle = self.bundle
        price, created_ms = float(bundle.array("items/price")[row]), int(bundle.array("items/created")[row])
        expires_ms = int(bundle.array("items/expires")[row])
        return Item(
            item_id=self._ids.ids[row],
            kind=Kind(int(bundle.array("items/kind")[row])),
            title=bundle.strings("items/titles")[row],
            description=bundle.strings("items/descriptions")[row],
            category=self.categories.name(bundle.array("items/category")[row]),
            brand=self._brand(row),
            seller_id=self.sellers.name(bundle.array("items/seller")[row]),
            price=None if np.isnan(price) else price,
            currency=self.currencies.name(bundle.array("items/currency")[row]),
            image_url=bundle.strings("items/images")[row],
            created_ms=None if created_ms == NO_TIME else created_ms,
            expires_ms=None if expires_ms == NEVER else expires_ms,
            available=bool(bundle.array("items/available")[row]),
            attributes=json.loads(bundle.strings("items/attributes")[row] or "{}"),
        )

    def category_path(self, code: int) -> str:
        """The whole path of a category, empty for -1."""
        return self.categories.name(code)

    def category_codes(self, paths: Iterable[str]) -> Rows:
        """int32 [n], codes of the paths that are known."""
        return self.categories.codes(paths)

    def seller_codes(self, seller_ids: Iterable[str]) -> Rows:
        """int32 [n], codes of the sellers that are known."""
        return self.sellers.codes(seller_ids)

    def currency_code(self, currency: str) -> int:
        """The code of a currency; -2, which no item has, where it is unknown."""
        code = self.currencies.code(currency)
        return code if code >= 0 else -2

    def _brand(self, row: int) -> str:
        code = int(self.bundle.array("items/brand")[row])
        return self.bundle.strings("tables/brands")[code] if code >= 0 else ""


def _raw(column: StringColumn, rows: Rows) -> list[bytes]:
    """Many strings at once: one by one, numpy's scalars cost more than the copying."""
    whole = column.data.data
    starts, stops = column.offsets[rows].tolist(), column.offsets[rows + 1].tolist()
    return [bytes(whole[start:stop]) for start, stop in zip(starts, stops, strict=True)]

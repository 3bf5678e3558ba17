"""Live items and takedowns as rows and columns over one bundle, kept up change by change."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np

from recommender.bundle import Bundle
from recommender.cards import card_bytes
from recommender.encoders.text import N_BUCKETS, TextEncoder
from recommender.errors import BundleError
from recommender.feed.catalogue import Catalogue
from recommender.feed.growing import GrowingArray
from recommender.feed.item_values import value_of
from recommender.feed.live_catalogue import LIVE_COLUMNS, LiveCatalogue, LiveMoment
from recommender.state.live_items import Change, LiveItem, Ruling, Target
from recommender.state.protocols import Numbers
from recommender.types import NEVER, Item

_LEVEL_SEPARATOR: Final = " > "


class LiveLayer:
    """What lies over a bundle; for one writer at a time. The catalogues that it gives out never change.

    Args:
        base: The bundle's catalogue; names that live items bring are added to its tables.
        as_of_ms: How old the bundle's items are: what was upserted before gives way to it. Takedowns never do.
        number: Gives item ids their permanent numbers.
        find: Reads a live item whole.
    """

    def __init__(
        self,
        base: Catalogue,
        as_of_ms: int,
        number: Callable[[list[str]], Numbers],
        find: Callable[[str], LiveItem | None],
    ) -> None:
        self._base = base
        self._as_of_ms = as_of_ms
        self._number = number
        self._find = find
        self._encoder = encoder_of(base.bundle)
        self._slots = GrowingArray(np.full(base.n_items, -1, np.int32))
        self._taken = GrowingArray(np.zeros(base.n_items, np.bool_))
        self._columns = GrowingArray(np.empty(0, LIVE_COLUMNS))
        self._ids, self._cards = (GrowingArray(np.empty(0, np.object_)) for _ in range(2))
        self._parents = GrowingArray(base.category_parents[:-1])
        dim = 0 if self._encoder is None else self._encoder.basis.shape[1]
        self._vectors = GrowingArray(np.empty((0, dim), np.float32))
        self._texts: list[tuple[str, str, str]] = []
        self._new_rows: dict[str, int] = {}
        self._new_ids: list[str] = []
        self._numbers = np.empty(0, np.int64)
        self._taken_items: set[str] = set()
        self._taken_sellers: set[str] = set()
        #: Of the last change that was taken in.
        self.sequence = 0

    def take(self, changes: Iterable[Change]) -> None:
        """Take changes in; one that fails leaves what came before it taken.

        Cost: twice that of reading it from the state for an item that the bundle lacks; 12 us of it are its text.
        """
        for change in changes:
            record = change.record
            if isinstance(record, Ruling):
                self._rule(record)
            elif record.upserted_ms >= self._as_of_ms:
                self._put(record.item)
            self.sequence = change.sequence

    def catalogue(self) -> LiveCatalogue:
        """Everything as it is now.

        Cost: what changed since the last one, and a copy of each array in which a value was replaced.
        """
        missing = self._new_ids[len(self._numbers) :]
        if missing:
            self._numbers = np.concatenate((self._numbers, self._number(missing)))
        moment = LiveMoment(
            slots=self._slots.view(),
            columns=self._columns.view(),
            ids=self._ids.view(),
            cards=self._cards.view(),
            taken_items=self._taken.view(),
            taken_sellers=self._sellers_down(),
            category_parents=np.append(self._parents.view(), np.int32(-1)),
            new_rows=self._new_rows,
            new_numbers=self._numbers,
            new_vectors=self._vectors.view(),
        )
        return LiveCatalogue(self._base, moment, self._find)

    def _rule(self, ruling: Ruling) -> None:
        names = self._taken_items if ruling.target is Target.ITEM else self._taken_sellers
        (names.add if ruling.taken_down else names.discard)(ruling.name)
        if ruling.target is Target.ITEM and (row := self._row(ruling.name)) >= 0:
            self._taken.replace(row, ruling.taken_down)

    def _sellers_down(self) -> Any:
        down = np.zeros(len(self._base.sellers) + 1, np.bool_)
        down[self._base.sellers.codes(self._taken_sellers)] = True
        return down

    def _row(self, item_id: str) -> int:
        row = self._base.row(item_id)
        return row if row >= 0 else self._new_rows.get(item_id, -1)

    def _put(self, item: Item) -> None:
        row, slot = self._row(item.item_id), len(self._columns)
        if row >= 0 and self._slots[row] >= 0:
            slot = int(self._slots[row])
            self._columns.replace(slot, self._values(item))
            self._cards.replace(slot, card_bytes(item))
            self._put_text(row - self._base.n_items, item)
            return
        self._columns.append(self._values(item))
        self._cards.append(card_bytes(item))
        self._ids.append(item.item_id)
        if row >= 0:
            self._slots.replace(row, slot)
            return
        self._new_rows[item.item_id] = len(self._slots)
        self._new_ids.append(item.item_id)
        self._slots.append(slot)
        self._taken.append(item.item_id in self._taken_items)
        self._vectors.append(0.0)
        self._texts.append(("", "", ""))
        self._put_text(len(self._texts) - 1, item)

    def _put_text(self, place: int, item: Item) -> None:
        """Read what a new item says of itself, where it is news; the bundle's items keep the vectors that they have."""
        text = (item.category, item.brand, item.title)
        if place >= 0 and self._texts[place] != text and self._encoder is not None:
            self._texts[place] = text
            self._vectors.replace(place, self._encoder.encode(*text))

    def _values(self, item: Item) -> tuple[Any, ...]:
        base = self._base
        return (
            int(item.kind),
            np.nan if item.price is None else item.price,
            value_of(item, base.valued_by),
            base.currencies.add(item.currency),
            self._category(item.category),
            base.sellers.add(item.seller_id),
            item.available,
            NEVER if item.expires_ms is None else item.expires_ms,
        )

    def _category(self, path: str) -> int:
        """The code of a path; what is new of it and of the levels above gets codes with their parents."""
        if path and self._base.categories.code(path) < 0:
            self._parents.append(self._category(path.rpartition(_LEVEL_SEPARATOR)[0]))
        return self._base.categories.add(path)


def encoder_of(bundle: Bundle) -> TextEncoder | None:
    """What reads the texts of new items; None where the bundle holds no content.

    Raises:
        BundleError: It counts other terms than this build.
    """
    if "content" not in bundle.manifest.sources:
        return None
    idf, basis = bundle.array("content/idf"), bundle.array("content/basis")
    if len(idf) != N_BUCKETS or len(basis) != N_BUCKETS:
        raise BundleError(f"bundle {bundle.folder} encodes {len(idf)} terms, this build {N_BUCKETS}: train it again")
    return TextEncoder(idf, basis)

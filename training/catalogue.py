"""The items file as columns that can be taken by place, with a content key for each item."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from recommender.types import NO_TIME, Item, Kind

_TEXT = ("titles", "descriptions", "categories", "brands", "seller_ids", "currencies", "image_urls")


@dataclass(frozen=True)
class Catalogue:
    """Items by place; every column has length n.

    Args:
        item_ids: Object array of str; so are the text columns, empty where unknown.
        kinds: uint8, `Kind`.
        prices: float64, NaN where unknown.
        created_ms, expires_ms: int64, `NO_TIME` where unset.
        available: bool.
        attributes: Object array of tuples of (name, value), sorted by name.
    """

    item_ids: npt.NDArray[np.object_]
    kinds: npt.NDArray[np.uint8]
    titles: npt.NDArray[np.object_]
    descriptions: npt.NDArray[np.object_]
    categories: npt.NDArray[np.object_]
    brands: npt.NDArray[np.object_]
    seller_ids: npt.NDArray[np.object_]
    prices: npt.NDArray[np.float64]
    currencies: npt.NDArray[np.object_]
    image_urls: npt.NDArray[np.object_]
    created_ms: npt.NDArray[np.int64]
    expires_ms: npt.NDArray[np.int64]
    available: npt.NDArray[np.bool_]
    attributes: npt.NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.item_ids)

    @classmethod
    def empty(cls) -> Catalogue:
        """A catalogue without items."""
        return cls.of_items([])

    @classmethod
    def of_items(cls, items: Sequence[Item]) -> Catalogue:
        """The columns of some items."""
        return cls(
            item_ids=objects([item.item_id for item in items]),
            kinds=np.array([item.kind for item in items], np.uint8),
            titles=objects([item.title for item in items]),
            descriptions=objects([item.description for item in items]),
            categories=objects([item.category for item in items]),
            brands=objects([item.brand for item in items]),
            seller_ids=objects([item.seller_id for item in items]),
            prices=np.array([np.nan if item.price is None else item.price for item in items], np.float64),
            currencies=objects([item.currency for item in items]),
            image_urls=objects([item.image_url for item in items]),
            created_ms=np.array([NO_TIME if item.created_ms is None else item.created_ms for item in items], np.int64),
            expires_ms=np.array([NO_TIME if item.expires_ms is None else item.expires_ms for item in items], np.int64),
            available=np.array([item.available for item in items], np.bool_),
            attributes=objects([tuple(sorted(item.attributes.items())) for item in items]),
        )

    def item(self, place: int, item_id: str | None = None) -> Item:
        """One item; under another id where the place is blank."""
        price, created, expires = float(self.prices[place]), int(self.created_ms[place]), int(self.expires_ms[place])
        return Item(
            item_id=self.item_ids[place] if item_id is None else item_id,
            kind=Kind(int(self.kinds[place])),
            title=self.titles[place],
            description=self.descriptions[place],
            category=self.categories[place],
            brand=self.brands[place],
            seller_id=self.seller_ids[place],
            price=None if np.isnan(price) else price,
            currency=self.currencies[place],
            image_url=self.image_urls[place],
            created_ms=None if created == NO_TIME else created,
            expires_ms=None if expires == NO_TIME else expires,
            available=bool(self.available[place]),
            attributes=dict(self.attributes[place]),
        )

    def places_of(self, item_ids: Sequence[str]) -> npt.NDArray[np.int64]:
        """int64 [len(item_ids)], the place of each id, -1 where the catalogue lacks it."""
        place = {item_id: k for k, item_id in enumerate(self.item_ids.tolist())}
        return np.fromiter((place.get(item_id, -1) for item_id in item_ids), np.int64, len(item_ids))

    def beyond(self, item_ids: Sequence[str]) -> npt.NDArray[np.int64]:
        """Places of the items whose ids are not among those given."""
        known = set(item_ids)
        return np.array([k for k, item_id in enumerate(self.item_ids.tolist()) if item_id not in known], np.int64)

    def keys(self) -> npt.NDArray[np.uint64]:
        """uint64 [n], a hash of each item's content without its id."""
        columns: list[list[Any]] = [getattr(self, name).tolist() for name in _TEXT]
        columns += [self.kinds.tolist(), self.prices.tolist(), self.created_ms.tolist(), self.attributes.tolist()]
        rows = (repr(row).encode() for row in zip(*columns, strict=True))
        digests = (hashlib.blake2b(row, digest_size=8).digest() for row in rows)
        return np.fromiter((int.from_bytes(digest, "little") for digest in digests), np.uint64, len(self))

    def take(self, places: npt.NDArray[np.int64]) -> Catalogue:
        """The items at the places, in their order; a blank item where a place is -1."""
        blank = Catalogue.of_items([Item(item_id="")])
        columns = {
            field.name: np.concatenate([getattr(self, field.name), getattr(blank, field.name)])[places]
            for field in fields(self)
        }
        return Catalogue(**columns)


def objects(values: Sequence[Any]) -> npt.NDArray[np.object_]:
    """Object [n] of the values as they are; numpy would make a matrix of equally long tuples."""
    column = np.empty(len(values), np.object_)
    for place, value in enumerate(values):
        column[place] = value
    return column

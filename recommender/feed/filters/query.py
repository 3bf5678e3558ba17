"""Only what the request's filter asks for."""

from __future__ import annotations

import numpy as np

from recommender.feed.catalogue import Catalogue
from recommender.kernels.membership import contains
from recommender.types import FeedFilter, FeedQuery, Mask, Rows


class QueryFilter:
    """Kinds, categories, sellers, prices and excluded items: OR within each, AND between them.

    Args:
        catalogue: Holds the columns that are compared.
    """

    name = "query"

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def keep(self, query: FeedQuery, rows: Rows) -> Mask:
        """bool [n]: True where every part of the filter matches."""
        wanted, catalogue = query.filter, self._catalogue
        mask = np.ones(len(rows), np.bool_)
        if wanted.kinds:
            mask &= np.isin(catalogue.kind[rows], np.array(wanted.kinds, np.uint8))
        if wanted.categories:
            mask &= self._within_categories(wanted.categories, rows)
        if wanted.seller_ids:
            mask &= contains(catalogue.seller_codes(wanted.seller_ids), catalogue.seller[rows])
        if wanted.min_price is not None or wanted.max_price is not None:
            mask &= self._within_prices(wanted, rows)
        if wanted.exclude_item_ids:
            mask &= ~contains(catalogue.rows(wanted.exclude_item_ids), rows)
        return mask

    def room(self, query: FeedQuery) -> int:
        """The excluded items: they come from what the user has seen."""
        return len(query.filter.exclude_item_ids)

    def _within_categories(self, paths: tuple[str, ...], rows: Rows) -> Mask:
        """A category matches itself and what is below it: walk up from each item until a wanted one is met."""
        parents = self._catalogue.category_parents
        wanted = np.zeros(len(parents), np.bool_)
        wanted[self._catalogue.category_codes(paths)] = True
        codes = self._catalogue.category[rows]
        mask: Mask = wanted[codes]
        while (codes >= 0).any():
            codes = parents[codes]
            mask |= wanted[codes]
        return mask

    def _within_prices(self, wanted: FeedFilter, rows: Rows) -> Mask:
        """NaN, the price of an item without one, compares false with either bound."""
        prices = self._catalogue.price[rows]
        low = -np.inf if wanted.min_price is None else wanted.min_price
        high = np.inf if wanted.max_price is None else wanted.max_price
        mask: Mask = (prices >= low) & (prices <= high)
        if wanted.currency:
            mask &= self._catalogue.currency[rows] == self._catalogue.currency_code(wanted.currency)
        return mask

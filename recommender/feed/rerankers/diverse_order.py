"""A varied order: like things apart, caps on categories and sellers, other kinds between the products."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from recommender.config import FeedSettings
from recommender.feed.catalogue import Catalogue
from recommender.feed.item_vectors import ItemVectors
from recommender.feed.stages import Reranker
from recommender.kernels.slate import spread_out
from recommender.types import Candidates, FeedQuery, Kind, Rows, Scores

#: Likeness is priced in places of a page of the score order.
_PAGE: Final = 20.0


class DiverseOrder:
    """Trades places in the score order for variety, over all candidates at once, so that pages continue it.

    Args:
        score_order: What is varied: the plain one, or one with personal slots.
        catalogue: Categories, sellers and kinds.
        vectors: float32 [n_items, dim], whose cosine is the likeness of two items; a zero vector is like nothing.
        new_vectors: float32 [n_new, dim], those of new items, whose rows lie behind.
        settings: How much variety, and the caps; `diversity` above 0.
    """

    name = "diverse_order"

    def __init__(
        self,
        score_order: Reranker,
        catalogue: Catalogue,
        vectors: Scores,
        settings: FeedSettings,
        new_vectors: Scores | None = None,
    ) -> None:
        self._all_vectors = ItemVectors(vectors, vectors[:0] if new_vectors is None else new_vectors)
        self._score_order = score_order
        self._catalogue = catalogue
        self._vectors = vectors
        self._price = _PAGE * settings.diversity / (1.0 - settings.diversity)
        self._same, self._same_places = settings.duplicate_likeness, settings.duplicate_places
        self._window = settings.diversity_slots
        # To break a later rule weighs more than to break all before it.
        caps = np.array(
            [
                (settings.max_per_seller, settings.diversity_slots),
                (settings.max_per_category, settings.diversity_slots),
                (1, settings.other_kinds_every),
                (1, 2 if settings.other_kinds_every else 0),
            ],
            np.int32,
        )
        self._ruled = np.flatnonzero((caps > 0).all(axis=1))
        self._most, self._slots = np.ascontiguousarray(caps[self._ruled].T)
        self._category_at = categories_at(catalogue.category_parents, settings.category_level)

    def order(
        self, query: FeedQuery, candidates: Candidates, scores: Scores, k: int
    ) -> tuple[npt.NDArray[np.intp], Scores]:
        """Indices of k candidates, and their propensities: 1, since nothing is drawn. No candidate is left out.

        Relevance is the place in the score order, the one scale that every ranker has: log-odds, ranks and shares
        differ in spread from ranker to ranker. It is blind to how far apart two scores are; README.md has the price.
        """
        by_score, _ = self._score_order.order(query, candidates, scores, len(candidates))
        rows = candidates.rows[by_score]
        vectors, places = self._vectors, rows
        if len(rows) and rows.max() >= len(self._vectors):  # the kernel takes one array
            vectors, places = self._all_vectors.of(rows), np.arange(len(rows), dtype=np.int32)
            vectors.flags.writeable = False
        varied = spread_out(
            vectors,
            places,
            np.arange(len(rows), dtype=np.float32),
            self._codes(rows),
            self._most,
            self._slots,
            self._window,
            self._price,
            self._price + self._same_places,
            self._same,
            k,
        )
        return by_score[varied], np.ones(len(varied), np.float32)

    def _codes(self, rows: Rows) -> Rows:
        """int32 [n_rules, n]: what each rule counts, -1 where it leaves an item alone."""
        catalogue = self._catalogue
        kinds = catalogue.kind[rows].astype(np.int32)
        products = kinds == Kind.PRODUCT
        codes = np.stack(
            (
                catalogue.seller[rows],
                self._category_at[catalogue.category[rows]],
                np.where(products, np.int32(-1), np.int32(0)),
                np.where(products, np.int32(-1), kinds),
            )
        )
        return codes[self._ruled]


def categories_at(parents: Rows, level: int) -> Rows:
    """The code of each category's ancestor at a level, or its own where it lies above it.

    Args:
        parents: int32 [n_categories + 1], -1 at the top, and last for items without category.
        level: 1 for the top.

    Returns:
        int32 [n_categories + 1], -1 last.

    Example:
        >>> categories_at(np.array([-1, 0, 1, -1], np.int32), 2).tolist()
        [0, 1, 1, -1]
    """
    path, depth = np.arange(len(parents), dtype=np.int32), np.zeros(len(parents), np.int32)
    path[-1] = -1
    above = path
    while (above >= 0).any():
        depth += above >= 0
        above = np.where(above >= 0, parents[above], -1)
    while (depth > level).any():
        path = np.where(depth > level, parents[path], path).astype(np.int32)
        depth = np.minimum(depth, np.maximum(depth - 1, level))
    return path

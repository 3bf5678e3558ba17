"""What nobody has touched yet, by how much more of its kind the user has than others have."""

from __future__ import annotations

from typing import Final

import numpy as np

from recommender.bundle import Bundle
from recommender.features.recency import Recency, history_weights
from recommender.feed.sources.scratch import Scratch
from recommender.feed.stages import EvidenceKind
from recommender.kernels.postings import score_postings
from recommender.kernels.top import best_rows, take_touched
from recommender.types import FeedQuery, Rows, Scores, SourceResult

#: Rows; the kinds that were had most of come first.
_MOST_LOOKED_AT: Final = 5_000
#: Rows given beside those of sources that know what is liked.
_MOST_BESIDE: Final = 50


class NewcomersSource:
    """Items without history, by the lift of their categories, brands, sellers and titles in the user's history."""

    name = "newcomers"
    evidence_kind: EvidenceKind = "item"

    def __init__(self, bundle: Bundle, recency: Recency | None = None) -> None:
        parameters = bundle.manifest.sources[self.name]
        self._codes_of = bundle.array("newcomers/codes")
        self._common = bundle.array("newcomers/common")
        self._offsets = bundle.array("newcomers/offsets")
        self._rows = bundle.array("newcomers/rows")
        self._floor = float(parameters["floor"])
        self._recency = recency or Recency.of(parameters)
        self._type_weights = bundle.type_weights
        self._tie_ranks = bundle.tie_ranks
        self._scratch = Scratch(bundle.n_items)

    def retrieve(self, query: FeedQuery, limit: int) -> SourceResult:
        """At most `limit` rows, 50 where all may be shown; evidence is the newest item of the kind had most of."""
        items, weights = history_weights(query.history, self._type_weights, query.now_ms, self._recency)
        codes, gains, named = code_gains(self._codes_of, items, weights, self._floor)
        scratch = self._scratch
        n_found = score_postings(
            codes, gains, named, self._codes_of, self._common, self._offsets, self._rows, self._floor, _MOST_LOOKED_AT,
            scratch.sums, scratch.evidence, scratch.touched,
        )  # fmt: skip
        rows, scores = take_touched(scratch.touched, n_found, scratch.sums)
        if query.allowed is None:
            limit = min(limit, _MOST_BESIDE)
        else:
            kept = query.allowed[rows]
            rows, scores = rows[kept], scores[kept]
        best = best_rows(rows, scores, self._tie_ranks, limit)
        return SourceResult(rows[best], scores[best], scratch.evidence[rows[best]])


def code_gains(codes_of: Rows, items: Rows, weights: Scores, floor: float) -> tuple[Rows, Scores, Rows]:
    """What a history says of the codes of its items.

    Args:
        codes_of: int32 [n_items, n_fields], -1 unknown.
        items: int32 [m], unique, the newest first.
        weights: float32 [m], their weights.
        floor: Share that no code is below.

    Returns:
        codes int32 [c], unique; gains float32 [c], log(1 + share / floor), the greatest first; items int32 [c], the
        newest that has the code.
    """
    own = codes_of[items]
    known = own >= 0
    codes, first, place = np.unique(own[known], return_index=True, return_inverse=True)
    shares = np.bincount(place, np.broadcast_to(weights[:, None], own.shape)[known], len(codes))
    gains = np.log1p(shares / max(float(weights.sum()), 1e-12) / floor).astype(np.float32)
    order = np.argsort(-gains, kind="stable")
    named = np.broadcast_to(items[:, None], own.shape)[known][first]
    return codes[order].astype(np.int32), gains[order], named[order].astype(np.int32)

"""What the user's friends turned to, and theirs."""

from __future__ import annotations

import numpy as np

from recommender.bundle import Bundle
from recommender.features.recency import Recency
from recommender.feed.sources.scratch import Scratch
from recommender.feed.stages import EvidenceKind
from recommender.kernels.circles import sum_histories
from recommender.kernels.top import best_rows, take_touched
from recommender.types import FeedQuery, SourceResult


class FriendsSource:
    """Sums the histories of the people near the user, as training found them; who is nameless knows nobody.

    It names no evidence: that a friend turned to something is the friend's to tell.
    """

    name = "friends"
    evidence_kind: EvidenceKind = "none"

    def __init__(self, bundle: Bundle, recency: Recency | None = None) -> None:
        self._people = bundle.ids("friends/users")
        self._offsets, self._near = bundle.array("friends/offsets"), bundle.array("friends/near")
        self._weights = bundle.array("friends/weights")
        self._histories = bundle.array("histories/offsets")
        self._rows, self._types = bundle.array("histories/rows"), bundle.array("histories/types")
        self._times = bundle.array("histories/times")
        self._recency = recency or Recency.of(bundle.manifest.sources[self.name])
        self._type_weights = bundle.type_weights.view()
        self._type_weights.flags.writeable = False
        self._tie_ranks = bundle.tie_ranks
        self._scratch = Scratch(bundle.n_items)

    def retrieve(self, query: FeedQuery, limit: int) -> SourceResult:
        """At most `limit` rows that the circle turned to."""
        person = self._people.row(query.user_id) if query.user_id else -1
        if person < 0:
            return SourceResult.empty()
        circle = slice(*self._offsets[person : person + 2])
        n_touched = sum_histories(
            self._near[circle],
            self._weights[circle],
            self._histories,
            self._rows,
            self._types,
            self._times,
            self._type_weights,
            query.now_ms,
            float(self._recency.half_life_days),
            float(self._recency.half_life_items),
            int(self._recency.limit),
            self._scratch.sums,
            self._scratch.touched,
        )
        rows, scores = take_touched(self._scratch.touched, n_touched, self._scratch.sums)
        if query.allowed is not None:
            kept = query.allowed[rows]
            rows, scores = rows[kept], scores[kept]
        best = best_rows(rows, scores, self._tie_ranks, limit)
        return SourceResult(rows[best], scores[best], np.full(len(best), -1, np.int32))

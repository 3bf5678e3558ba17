from __future__ import annotations

import numpy as np

from recommender.bundle import Bundle
from recommender.feed.rankers.logistic import LogisticRanker
from recommender.feed.rankers.newcomer_order import NewcomerOrder
from recommender.types import Candidates, FeedQuery, Scores
from tests.feed.rankers.contract import COLUMNS, QUERY


def test_newcomers_share_the_scores_they_got_by_the_order_of_their_source(learned: Bundle) -> None:
    rows = np.arange(6, dtype=np.int32)
    ranks = np.full((6, len(COLUMNS) + 1), -1, np.int32)
    ranks[:, 0] = np.arange(6)
    ranks[1:5, -1] = (3, 0, 2, 1)
    known = Candidates(rows, -ranks[:, :-1].astype(np.float32), ranks[:, :-1], ranks[:, :-1], COLUMNS)
    candidates = Candidates(rows, -ranks.astype(np.float32), ranks, ranks, (*COLUMNS, "newcomers"))

    class OverKnown(LogisticRanker):
        def score(self, query: FeedQuery, candidates: Candidates) -> Scores:
            return super().score(query, known)

    plain = LogisticRanker(learned).score(QUERY, known)
    scores = NewcomerOrder(OverKnown(learned)).score(QUERY, candidates)
    assert len(set(plain.tolist())) == 6
    assert scores[[0, 5]].tolist() == plain[[0, 5]].tolist()
    assert sorted(scores[1:5].tolist()) == sorted(plain[1:5].tolist())
    assert np.argsort(-scores[1:5]).tolist() == np.argsort(ranks[1:5, -1]).tolist()

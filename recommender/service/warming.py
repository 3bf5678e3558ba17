"""Running a feed before anybody asks, so that the first request is as fast as the others."""

from __future__ import annotations

from typing import Final

import numpy as np

from recommender import wiring
from recommender.bundle import Bundle
from recommender.config import Settings
from recommender.feed.live_layer import encoder_of
from recommender.kernels.history import deeds_of, merge_histories
from recommender.types import FeedQuery, History

_MANY: Final = 1_000


def warm_up(bundle: Bundle, settings: Settings) -> None:
    """Run feeds for a user of the bundle, for one with friends, for a stranger and for who knows many items.

    So all kernels compile. Each runs twice, with the history as it is mapped and with a live event, since numba
    compiles for both. Who knows many items is made up: below some length another ranker serves, so nobody of the bundle
    need meet the usual one.
    """
    if (encoder := encoder_of(bundle)) is not None:
        encoder.encode("what", "comes", "later")
    served = wiring.build_reranker(bundle, settings.feed)
    pipeline = wiring.build_pipeline(bundle, settings, reranker=served)
    named = [bundle.users.ids, *([bundle.strings("friends/users")] if bundle.has("friends/offsets") else [])]
    users = [ids[0] for ids in named if len(ids)]
    known = [*(bundle.history(user_id) for user_id in users), bundle.history(""), _of_many_items(bundle)]
    for user_id, trained in zip((*users, "", ""), known, strict=True):
        for history in (trained, _with_an_event(trained, bundle.manifest.now_ms)):
            query = FeedQuery(bundle.manifest.now_ms, user_id, history=history)
            slate, _ = pipeline.run(query, settings.feed.snapshot_items)
            deeds_of(slate.evidence, history.item_rows, history.event_types)


def _of_many_items(bundle: Bundle) -> History:
    n = min(bundle.n_items, _MANY)
    says = np.flatnonzero(bundle.type_weights > 0)
    kind = says[0] if len(says) else 0
    return History(np.arange(n, dtype=np.int32), np.full(n, kind, np.uint8), np.full(n, bundle.manifest.now_ms))


def _with_an_event(trained: History, time_ms: int) -> History:
    live = np.zeros(1, np.int32), np.zeros(1, np.uint8), np.full(1, time_ms, np.int64)
    return History(*merge_histories(trained.item_rows, trained.event_types, trained.times_ms, *live))

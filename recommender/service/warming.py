"""Running a feed before anybody asks, so that the first request is as fast as the others."""

from __future__ import annotations

import numpy as np

from recommender import wiring
from recommender.bundle import Bundle
from recommender.config import Settings
from recommender.kernels.history import deeds_of, merge_histories
from recommender.types import FeedQuery, History


def warm_up(bundle: Bundle, settings: Settings) -> None:
    """Run a feed for a user of the bundle and for a stranger: kernels compile, files come into memory.

    Each runs twice, with the history as it is mapped and with a live event, since numba compiles for both.
    """
    pipeline = wiring.build_pipeline(bundle, settings, diversity=settings.feed.diversity)
    users = [bundle.users.ids[0]] if len(bundle.users.ids) else []
    for user_id in (*users, ""):
        trained = bundle.history(user_id)
        for history in (trained, _with_an_event(trained, bundle.manifest.now_ms)):
            query = FeedQuery(bundle.manifest.now_ms, user_id, history=history)
            slate, _ = pipeline.run(query, settings.feed.snapshot_items)
            deeds_of(slate.evidence, history.item_rows, history.event_types)


def _with_an_event(trained: History, time_ms: int) -> History:
    live = np.zeros(1, np.int32), np.zeros(1, np.uint8), np.full(1, time_ms, np.int64)
    return History(*merge_histories(trained.item_rows, trained.event_types, trained.times_ms, *live))

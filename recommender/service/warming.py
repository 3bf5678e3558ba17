"""Running a feed before anybody asks, so that the first request is as fast as the others."""

from __future__ import annotations

from recommender import wiring
from recommender.bundle import Bundle
from recommender.config import Settings
from recommender.types import FeedQuery


def warm_up(bundle: Bundle, settings: Settings) -> None:
    """Run a feed for a user of the bundle and for a stranger: kernels compile, files come into memory."""
    pipeline = wiring.build_pipeline(bundle, settings)
    users = [bundle.users.ids[0]] if len(bundle.users.ids) else []
    for user_id in (*users, ""):
        query = FeedQuery(bundle.manifest.now_ms, user_id, history=bundle.history(user_id))
        pipeline.run(query, settings.feed.snapshot_items)

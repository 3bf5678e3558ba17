"""FeedService: bytes in, bytes out; the work is done by `recommender.feed`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import grpc

from recommender.feed.pages import FeedPages
from recommender.service.meter import Meter
from recommender.service.page_bytes import feed_bytes, similar_bytes
from recommender.service.wire import feed_request, similar_request

# gRPC gives the time to a deadline centuries away where the client set none.
_NO_DEADLINE_SECONDS: Final = 86_400.0


@dataclass(slots=True)
class Live:
    """What a worker serves at the moment; a new model replaces the whole, and a request reads it once."""

    pages: FeedPages


class FeedServicer:
    """Answers GetFeed and ListSimilarItems.

    Args:
        live: Read anew by every request.
        meter: Counts pages.
    """

    def __init__(self, live: Live, meter: Meter) -> None:
        self._live = live
        self._meter = meter

    def get_feed(self, data: bytes, context: grpc.ServicerContext) -> bytes:
        """One page of a feed: GetFeedRequest to GetFeedResponse."""
        remaining = context.time_remaining()
        deadline_ms = None if remaining > _NO_DEADLINE_SECONDS else int(remaining * 1_000)
        request, pages = feed_request(data, deadline_ms), self._live.pages
        owner = request.user_id or request.session_id
        mark = 0 if request.page_token else self._meter.waits(owner)
        page = pages.page(request)
        started = self._meter.seconds()
        reply = feed_bytes(page)
        self._meter.page(page, self._meter.seconds() - started, owner, mark)
        self._meter.dropped(pages.served.dropped)
        return reply

    def list_similar_items(self, data: bytes, context: grpc.ServicerContext) -> bytes:
        """One page of items like another: ListSimilarItemsRequest to ListSimilarItemsResponse."""
        return similar_bytes(self._live.pages.similar(*similar_request(data)))

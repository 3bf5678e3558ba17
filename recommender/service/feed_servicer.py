"""FeedService: bytes in, bytes out; the work is done by `recommender.feed`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import grpc

from recommender.feed.live_feed import LiveFeed
from recommender.feed.pages import FeedPages
from recommender.service.bounded_pool import BoundedPool
from recommender.service.explanation_wire import explain_request, explanation_to
from recommender.service.meter import Meter
from recommender.service.page_bytes import feed_bytes, similar_bytes
from recommender.service.refusals import check_in_time
from recommender.service.request_lines import RequestLines
from recommender.service.wire import feed_request, similar_request

# gRPC gives the time to a deadline centuries away where the client set none.
_NO_DEADLINE_SECONDS: Final = 86_400.0


@dataclass(slots=True)
class Live:
    """What a worker serves at the moment; a new model replaces the whole, and a request reads it once."""

    feed: LiveFeed

    @property
    def pages(self) -> FeedPages:
        """Pages on the items of this moment.

        Raises:
            RequestError: STATE_STALE.
        """
        return self.feed.current()


class FeedServicer:
    """Answers GetFeed, ListSimilarItems and ExplainItem.

    Args:
        live: Read anew by every request.
        meter: Counts pages.
        pool: Whose threads call; it knows how long a request waited.
        lines: Told what a request's log line would say of its page.
    """

    def __init__(self, live: Live, meter: Meter, pool: BoundedPool, lines: RequestLines) -> None:
        self._live = live
        self._meter = meter
        self._pool = pool
        self._lines = lines

    def get_feed(self, data: bytes, context: grpc.ServicerContext) -> bytes:
        """One page of a feed: GetFeedRequest to GetFeedResponse."""
        pages, waited = self._live.pages, self._pool.waited()
        remaining = context.time_remaining()
        if remaining > _NO_DEADLINE_SECONDS:
            remaining = pages.deadline_ms / 1_000 - waited
            check_in_time(remaining)
        self._pool.expect(remaining + waited)
        request = feed_request(data, int(remaining * 1_000))
        owner = request.user_id or request.session_id
        mark = 0 if request.page_token else self._meter.waits(owner)
        page = pages.page(request)
        self._lines.page(page, waited, owner)
        encoding = self._meter.seconds()
        reply = feed_bytes(page)
        self._meter.page(page, waited, self._meter.seconds() - encoding, owner, mark)
        self._meter.dropped(pages.served.dropped)
        return reply

    def list_similar_items(self, data: bytes, context: grpc.ServicerContext) -> bytes:
        """One page of items like another: ListSimilarItemsRequest to ListSimilarItemsResponse."""
        return similar_bytes(self._live.pages.similar(*similar_request(data)))

    def explain_item(self, data: bytes, context: grpc.ServicerContext) -> bytes:
        """What becomes of one item in a feed: ExplainItemRequest to ExplainItemResponse."""
        return explanation_to(self._live.pages.explain(*explain_request(data))).SerializeToString()

"""A shop for tests: a tiny bundle, a real state and a clock that is moved by hand."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from recommender.api.v1 import feed_pb2
from recommender.bundle import Bundle
from recommender.config import FeedSettings, Settings, StateSettings
from recommender.feed.live_feed import LiveFeed
from recommender.feed.pages import CardView, FeedPage, FeedPages, FeedRequest
from recommender.state.protocols import LoggedEvent
from recommender.state.sqlite import SqliteState, open_state
from recommender.types import Event
from recommender.wiring import build_feed
from tests.worlds import NOW_MS

#: Kernels may have to be compiled under way: unless a test is about time, there is enough of it.
UNHURRIED: Final[dict[str, Any]] = {"deadline_ms": 600_000}


@dataclass
class Clock:
    """Milliseconds since the epoch, moved by hand."""

    now_ms: int = NOW_MS

    def __call__(self) -> int:
        return self.now_ms


@dataclass
class Shop:
    """What answers and what it stands on; `feed` can be replaced, as a model swap or a restart does."""

    bundle: Bundle
    state: SqliteState
    clock: Clock
    settings: Settings
    feed: LiveFeed
    _ids: Iterator[int] = field(default_factory=itertools.count)

    @property
    def pages(self) -> FeedPages:
        """On the items of this moment."""
        return self.feed.current()

    @classmethod
    def open(cls, bundle: Bundle, folder: Path, **feed: Any) -> Shop:
        """A shop with an empty state; `feed` are settings of the feed."""
        feed = UNHURRIED | feed
        # Nothing here outlives a power cut, so nothing needs to wait for the disk.
        clock, settings = Clock(), Settings(feed=FeedSettings(**feed), state=StateSettings(durability="process"))
        state = open_state(folder, settings.state, clock=clock)
        return cls(bundle, state, clock, settings, build_feed(bundle, state, settings, clock, state.signing_keys()))

    def swap(self, bundle: Bundle, **feed: Any) -> None:
        """Serve another bundle or other settings on the same state."""
        self.bundle = bundle
        if feed:
            self.settings = self.settings.model_copy(update={"feed": FeedSettings(**UNHURRIED | feed)})
        self.feed = build_feed(bundle, self.state, self.settings, self.clock, self.state.signing_keys())

    def record(self, item_id: str, event_type: str = "view", user_id: str = "", session_id: str = "") -> None:
        """One event of this moment."""
        event = Event(f"event-{next(self._ids)}", item_id, event_type, user_id, session_id, self.clock.now_ms)
        self.state.events.append([LoggedEvent(event, self.clock.now_ms)])

    def page(self, user_id: str = "", page_size: int = 0, page_token: str = "", **fields: Any) -> FeedPage:
        """One page."""
        return self.pages.page(FeedRequest(user_id, page_size=page_size, page_token=page_token, **fields))

    def walk(self, user_id: str = "", page_size: int = 0, page_token: str = "", **fields: Any) -> list[CardView]:
        """The cards of all pages that follow."""
        page = self.page(user_id, page_size, page_token, **fields)
        cards = list(page.cards)
        while page.next_page_token:
            page = self.page(user_id, page_size, page.next_page_token, **fields)
            cards += page.cards
        return cards


def item_of(card: CardView) -> str:
    """The item id of a card."""
    return feed_pb2.Card.FromString(card.static).item_id


def items_of(cards: list[CardView] | tuple[CardView, ...]) -> list[str]:
    """The item ids of cards, in order."""
    return [item_of(card) for card in cards]

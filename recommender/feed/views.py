"""What a feed is asked and what it answers, free of gRPC and protobuf."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from recommender.feed.funnel import Funnel
from recommender.types import Degradation, FeedContext, FeedFilter, ReasonType, Relaxation

SimilarMode = Literal["behavior", "bought_together", "visual"]


@dataclass(frozen=True, slots=True)
class FeedRequest:
    """One page of a feed, asked for.

    Args:
        page_size: 0 means 20, above 100 counts as 100, negative is refused.
        page_token: Empty for a new snapshot.
        deadline_ms: Milliseconds left at arrival, None where the client set no deadline.
    """

    user_id: str = ""
    session_id: str = ""
    page_size: int = 0
    page_token: str = ""
    context: FeedContext = field(default_factory=FeedContext)
    filter: FeedFilter = field(default_factory=FeedFilter)
    deadline_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """Typed evidence for a card; only what the type speaks of is set."""

    type: ReasonType
    item_id: str = ""
    user_ids: tuple[str, ...] = ()
    seller_id: str = ""
    category: str = ""
    missing: int = 0


@dataclass(frozen=True, slots=True)
class CardView:
    """One card of a page.

    Args:
        static: Fields 1 to 7 of the wire's Card, as bytes.
        position: Cards delivered before this one.
        sources: What retrieved the item, the one that contributed most first; `tail` for what is only popular.
    """

    static: bytes
    position: int
    score: float
    sources: tuple[str, ...]
    reason: Reason | None
    receipt: str


@dataclass(frozen=True, slots=True)
class FeedPage:
    """One page of a snapshot; `next_page_token` is empty at its end, and `funnel` says what the page took."""

    cards: tuple[CardView, ...]
    next_page_token: str
    request_id: str
    model_version: str
    degradations: tuple[Degradation, ...]
    relaxations: tuple[Relaxation, ...]
    funnel: Funnel = field(default_factory=Funnel)


@dataclass(frozen=True, slots=True)
class SimilarPage:
    """One page of items like another; `next_page_token` is empty at the end."""

    cards: tuple[CardView, ...]
    next_page_token: str
    model_version: str

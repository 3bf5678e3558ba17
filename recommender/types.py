"""The few values that every layer speaks of: events, items, queries, candidates, slates.

Shape letters: `n` candidates or events, `m` slots, `k` a limit, `n_sources`, `n_items`. `item_id: str` is the name
outside, `item_row: int32` the index inside one bundle, `item_number: int64` the permanent number that state gives.
Times are int64 milliseconds since the epoch, UTC; `NO_TIME` marks a missing one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

NO_TIME: Final = np.iinfo(np.int64).min
NEVER: Final = np.iinfo(np.int64).max
DAY_MS: Final = 86_400_000

Rows = npt.NDArray[np.int32]
Scores = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Times = npt.NDArray[np.int64]

#: Event types of the contract; their index is their code wherever events are columns. A log's further types follow.
EVENT_TYPES: Final[tuple[str, ...]] = (
    "view",
    "click",
    "favorite",
    "like",
    "cart",
    "share",
    "purchase",
    "return",
    "hide",
    "follow",
    "join_group",
    "impression",
)
EVENT_TYPE_CODE: Final[Mapping[str, int]] = {name: code for code, name in enumerate(EVENT_TYPES)}
#: Code of any type that is not in the list: kept and counted, weight 0.
UNKNOWN_EVENT_TYPE: Final = 255


class Kind(IntEnum):
    """What a card shows; values equal the wire's."""

    PRODUCT = 1
    POST = 2
    LIVESTREAM = 3
    GROUP_DEAL = 4
    QUESTION = 5
    REVIEW = 6


class Relaxation(IntEnum):
    """A part of a filter that may be dropped to fill a page; values equal the wire's."""

    SELLERS = 1
    CATEGORIES = 2
    PRICE = 3


class Degradation(IntEnum):
    """What a reply left out to hold its deadline; values equal the wire's."""

    FULL = 1
    NO_RANKER = 2
    NO_STATE = 3
    FALLBACK = 4
    FEWER_SOURCES = 5


class ReasonType(IntEnum):
    """The evidence for a card; values equal the wire's."""

    BECAUSE_YOU_VIEWED = 1
    BECAUSE_YOU_BOUGHT = 2
    BECAUSE_YOU_LIKED = 3
    BUY_AGAIN = 4
    SIMILAR_TO = 5
    FRIENDS_SHARED = 20
    FOLLOWED_SELLER = 40
    POPULAR_IN_CATEGORY = 60
    POPULAR_NOW = 80
    POPULAR_NEAR_YOU = 81
    NEW_FOR_YOU = 82
    PICKED_FOR_YOU = 83
    GROUP_NEEDS_N_MORE = 84


class Mode(StrEnum):
    """Whether a feed hides what the user bought lately (`discover`) or not (`any`)."""

    DISCOVER = "discover"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Event:
    """One logged fact, as a client sends it. `time_ms` None means the time of arrival."""

    event_id: str
    item_id: str
    event_type: str
    user_id: str = ""
    session_id: str = ""
    time_ms: int | None = None
    receipt: str = ""
    value: float | None = None
    price: float | None = None
    currency: str = ""
    quantity: float | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Item:
    """One catalogue entry. `price` None means unknown; times None mean unset."""

    item_id: str
    kind: Kind = Kind.PRODUCT
    title: str = ""
    description: str = ""
    category: str = ""
    brand: str = ""
    seller_id: str = ""
    price: float | None = None
    currency: str = ""
    image_url: str = ""
    created_ms: int | None = None
    expires_ms: int | None = None
    available: bool = True
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class History:
    """A user's events on items of one bundle, oldest first.

    Args:
        item_rows: int32 [n].
        event_types: uint8 [n], codes of `EVENT_TYPES`; `UNKNOWN_EVENT_TYPE` for others.
        times_ms: int64 [n]; `NO_TIME` throughout for logs without times.
    """

    item_rows: Rows
    event_types: npt.NDArray[np.uint8]
    times_ms: Times

    def __len__(self) -> int:
        return len(self.item_rows)

    @classmethod
    def empty(cls) -> History:
        """A history without events."""
        return cls(np.empty(0, np.int32), np.empty(0, np.uint8), np.empty(0, np.int64))


@dataclass(frozen=True, slots=True)
class FeedContext:
    """Where and on what the feed is shown; every field may be empty."""

    locale: str = ""
    country: str = ""
    city: str = ""
    gender: str = ""
    age_band: str = ""
    device: str = ""
    surface: str = ""


@dataclass(frozen=True, slots=True)
class FeedFilter:
    """What may be shown: OR within a tuple, AND between the fields; bounds inclusive."""

    kinds: tuple[Kind, ...] = ()
    categories: tuple[str, ...] = ()
    seller_ids: tuple[str, ...] = ()
    min_price: float | None = None
    max_price: float | None = None
    currency: str = ""
    exclude_item_ids: tuple[str, ...] = ()
    relax: tuple[Relaxation, ...] = ()


@dataclass(frozen=True, slots=True)
class FeedQuery:
    """All that the pipeline knows of one request.

    Args:
        now_ms: The clock's time of the request.
        history: The user's or session's events, merged from bundle and state.
        hidden_rows: int32, rows that must not be shown to this user (offline: all that was touched).
        allowed: bool [n_items] or None for all; sources retrieve only these (offline: cold items).
        deadline: When the answer is due, seconds of the pipeline's `perf_counter`; what takes too long is left out.
    """

    now_ms: int
    user_id: str = ""
    session_id: str = ""
    context: FeedContext = FeedContext()
    filter: FeedFilter = FeedFilter()
    history: History = field(default_factory=History.empty)
    hidden_rows: Rows = field(default_factory=lambda: np.empty(0, np.int32))
    allowed: Mask | None = None
    deadline: float = math.inf

    def with_history(self, history: History) -> FeedQuery:
        """The same query with a history."""
        return replace(self, history=history)


@dataclass(frozen=True, slots=True)
class SourceResult:
    """What one source retrieved, best first, rows unique.

    Args:
        rows: int32 [n].
        scores: float32 [n], higher is better, never NaN.
        evidence: int32 [n], what speaks for the row: the row of an item, the code of a category (by the source's
            `evidence_kind`); -1 where nothing can be named.
    """

    rows: Rows
    scores: Scores
    evidence: Rows

    def first(self, n: int) -> SourceResult:
        """The n best."""
        return SourceResult(self.rows[:n], self.scores[:n], self.evidence[:n])

    @classmethod
    def empty(cls) -> SourceResult:
        """Nothing retrieved."""
        return cls(np.empty(0, np.int32), np.empty(0, np.float32), np.empty(0, np.int32))


@dataclass(frozen=True, slots=True)
class Candidates:
    """The merged results of all sources as columns, rows unique.

    Args:
        rows: int32 [n].
        source_scores: float32 [n, n_sources], NaN where a source did not retrieve the row.
        source_ranks: int32 [n, n_sources], 0 best, -1 where absent.
        evidence: int32 [n, n_sources], -1 where absent or unnamed.
        sources: Names of the columns, in order.
    """

    rows: Rows
    source_scores: Scores
    source_ranks: Rows
    evidence: Rows
    sources: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, index: Mask | npt.NDArray[np.intp]) -> Candidates:
        """The candidates at a mask or index, in its order."""
        return Candidates(
            self.rows[index],
            self.source_scores[index],
            self.source_ranks[index],
            self.evidence[index],
            self.sources,
        )


@dataclass(frozen=True, slots=True)
class Slate:
    """The ordered answer of the pipeline: ranked candidates, then a cheaper tail.

    Args:
        rows: int32 [m], unique.
        scores: float32 [m], the ranker's; they fall within the ranked part only where nothing varied its order; the
            tail's are 0.
        propensities: float32 [m] in (0, 1].
        source_masks: uint32 [m], bit s set where source s retrieved the row; 0 in the tail.
        lead_sources: int8 [m], index of the source that contributed most; -1 in the tail.
        evidence: int32 [m], the lead source's evidence; -1 none.
        sources: Names behind the bits.
        n_ranked: How many of the m are ranked; the rest is the tail.
    """

    rows: Rows
    scores: Scores
    propensities: Scores
    source_masks: npt.NDArray[np.uint32]
    lead_sources: npt.NDArray[np.int8]
    evidence: Rows
    sources: tuple[str, ...]
    n_ranked: int

    def __len__(self) -> int:
        return len(self.rows)

"""What became of one item in one feed: the stage at which it was lost, or its place, and what spoke for it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from recommender.feed.catalogue import Absence
from recommender.types import Relaxation


class ItemStage(IntEnum):
    """The stage at which an item is lost, or SHOWN; values equal the wire's."""

    NOT_IN_CATALOGUE = 1
    UNAVAILABLE = 2
    FILTERED = 3
    NOT_RETRIEVED = 4
    OUTRANKED = 5
    CAPPED = 6
    SHOWN = 7


@dataclass(frozen=True, slots=True)
class SourceFinding:
    """What one source says of the item.

    Args:
        source: Its name.
        retrieved: Whether the item was among the rows that it may give.
        rank: Its place in the source's own order, 0 best; None where the source does not find it at all.
        score: By the source's own measure; None likewise.
        evidence_item_id: The item that speaks for it, empty where none is named.
        evidence_category: The category that speaks for it, empty where none is named.
        contribution: How much the source speaks for it in the ranker's eyes; None where it is not ranked by it.
        error: Why the source failed, empty where it did not.
    """

    source: str
    retrieved: bool = False
    rank: int | None = None
    score: float | None = None
    evidence_item_id: str = ""
    evidence_category: str = ""
    contribution: float | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What became of an item.

    Args:
        stage: Where it was lost.
        model_version: The bundle that was asked.
        absence: Why it is unavailable.
        filters: Names of all filters that refuse it.
        position: Cards delivered before it; None where it is not shown.
        rank: Its place by score among the ranked candidates, 0 best; None where it was not ranked.
        score: The ranker's; None likewise.
        last_score: Score of the last ranked item that is shown; None where none is.
        sources: One for each source of the model.
        ranker: Name of what scored it, empty where nothing did.
        inputs: What the ranker saw of it, by name; None where a value is missing.
        relaxations: Parts of the filter that were dropped to fill a page.
        probability: The chance of a target event on it within the model's horizon; None where that is not known.
    """

    stage: ItemStage
    model_version: str
    absence: Absence | None = None
    filters: tuple[str, ...] = ()
    position: int | None = None
    rank: int | None = None
    score: float | None = None
    last_score: float | None = None
    sources: tuple[SourceFinding, ...] = ()
    ranker: str = ""
    inputs: tuple[tuple[str, float | None], ...] = ()
    relaxations: tuple[Relaxation, ...] = ()
    probability: float | None = None

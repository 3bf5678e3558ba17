"""Why a card is shown: the evidence of the source that contributed most, where it still holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from recommender.feed.catalogue import Catalogue
from recommender.feed.stages import EvidenceKind
from recommender.feed.views import Reason
from recommender.types import EVENT_TYPE_CODE, UNKNOWN_EVENT_TYPE, History, ReasonType

#: What stands in for a source where an item is shown only because it is popular.
TAIL: Final = "tail"
_POPULAR: Final = {"popularity_recent", "popularity_category", TAIL}
_OWN_ITEMS: Final = "own_frequency"
_LIKENESS: Final = "content"

_HIDE = EVENT_TYPE_CODE["hide"]
_BOUGHT = {EVENT_TYPE_CODE["purchase"]}
_LIKED = {EVENT_TYPE_CODE["favorite"], EVENT_TYPE_CODE["like"]}
# Nothing that a user did with the item on purpose, or the contrary of liking it.
_NO_EVIDENCE = {EVENT_TYPE_CODE["impression"], EVENT_TYPE_CODE["return"], UNKNOWN_EVENT_TYPE}


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the lead source of a card named.

    Args:
        source: Its name; `TAIL` where none led.
        kind: What its evidence is.
        item_row: The evidence item's row in the present bundle, -1 where it names none or the bundle lacks it.
        category: The evidence category's path.
    """

    source: str
    kind: EvidenceKind
    item_row: int = -1
    category: str = ""


def reason_for(row: int, evidence: Evidence, history: History, catalogue: Catalogue) -> Reason:
    """The reason of a card.

    Args:
        row: The card's item.
        evidence: Of its lead source.
        history: Of the viewer, at this moment.
        catalogue: Names items.

    Returns:
        The evidence where it still holds, that is, where the item is in the catalogue and in the history and was not
        hidden; otherwise a plainer reason.
    """
    if evidence.kind == "category" and evidence.category:
        return Reason(ReasonType.POPULAR_IN_CATEGORY, category=evidence.category)
    if evidence.source in _POPULAR:
        return Reason(ReasonType.POPULAR_NOW)
    named = row if evidence.source == _OWN_ITEMS else evidence.item_row
    because = _because(named, history) if named >= 0 else None
    if because is None:
        return Reason(ReasonType.PICKED_FOR_YOU)
    if evidence.source == _OWN_ITEMS and because is ReasonType.BECAUSE_YOU_BOUGHT:
        because = ReasonType.BUY_AGAIN
    elif evidence.source == _LIKENESS:
        because = ReasonType.SIMILAR_TO
    return Reason(because, item_id=catalogue.item_id(named))


def _because(row: int, history: History) -> ReasonType | None:
    """What the viewer did with an item, the strongest deed first; None where there is nothing to appeal to."""
    deeds = set(history.event_types[np.flatnonzero(history.item_rows == row)].tolist())
    if _HIDE in deeds or deeds <= _NO_EVIDENCE:
        return None
    if deeds & _BOUGHT:
        return ReasonType.BECAUSE_YOU_BOUGHT
    return ReasonType.BECAUSE_YOU_LIKED if deeds & _LIKED else ReasonType.BECAUSE_YOU_VIEWED

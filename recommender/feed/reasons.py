"""Why a card is shown: the evidence of the source that contributed most, where it still holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from recommender.feed.catalogue import Catalogue
from recommender.feed.stages import EvidenceKind
from recommender.feed.views import Reason
from recommender.kernels.history import deeds_of
from recommender.types import EVENT_TYPE_CODE, History, ReasonType

#: What stands in for a source where an item is shown only because it is popular.
TAIL: Final = "tail"
_POPULAR: Final = {"popularity_recent", "popularity_category", TAIL}
_OWN_ITEMS: Final = "own_frequency"
_LIKENESS: Final = {"content", "newcomers"}

_HIDDEN: Final = 1 << EVENT_TYPE_CODE["hide"]
_BOUGHT: Final = 1 << EVENT_TYPE_CODE["purchase"]
_LIKED: Final = 1 << EVENT_TYPE_CODE["favorite"] | 1 << EVENT_TYPE_CODE["like"]
# Not done on purpose, done because it was not liked, or of a type that nobody knows (they share the highest bit).
_NO_EVIDENCE: Final = 1 << EVENT_TYPE_CODE["impression"] | 1 << EVENT_TYPE_CODE["return"] | 1 << 63


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the lead source of a card named.

    Args:
        source: Its name; `TAIL` where none led.
        kind: What its evidence is.
        item_row: The evidence item's row in the present bundle, -1 where it names none or the bundle lacks it.
        category: The evidence category's path.
        is_new: Whether the card's own item came after the model was made.
    """

    source: str
    kind: EvidenceKind
    item_row: int = -1
    category: str = ""
    is_new: bool = False


def reasons_for(evidence: Sequence[Evidence], history: History, catalogue: Catalogue) -> list[Reason]:
    """The reasons of cards.

    Args:
        evidence: [n], of the cards' lead sources.
        history: Of the viewer, at this moment.
        catalogue: Names items.

    Returns:
        [n], the evidence where it still holds, that is, where the item is in the catalogue and in the history and was
        neither hidden nor taken down; otherwise a plainer reason.
    """
    named = np.array([each.item_row for each in evidence], np.int32)
    named = np.where(catalogue.taken_down(np.maximum(named, 0)), np.int32(-1), named)
    deeds = deeds_of(named, history.item_rows, history.event_types).tolist()
    item_ids = catalogue.item_ids(np.maximum(named, 0))
    return [_reason(*each) for each in zip(evidence, deeds, item_ids, strict=True)]


def _reason(evidence: Evidence, deeds: int, item_id: str) -> Reason:
    if evidence.kind == "category" and evidence.category:
        return Reason(ReasonType.POPULAR_IN_CATEGORY, category=evidence.category)
    if evidence.source in _POPULAR:
        return Reason(ReasonType.NEW_FOR_YOU if evidence.is_new else ReasonType.POPULAR_NOW)
    if deeds & _HIDDEN or not deeds & ~_NO_EVIDENCE:
        return Reason(ReasonType.NEW_FOR_YOU if evidence.is_new else ReasonType.PICKED_FOR_YOU)
    if evidence.source in _LIKENESS:
        return Reason(ReasonType.SIMILAR_TO, item_id)
    if deeds & _BOUGHT:
        again = evidence.source == _OWN_ITEMS
        return Reason(ReasonType.BUY_AGAIN if again else ReasonType.BECAUSE_YOU_BOUGHT, item_id)
    return Reason(ReasonType.BECAUSE_YOU_LIKED if deeds & _LIKED else ReasonType.BECAUSE_YOU_VIEWED, item_id)

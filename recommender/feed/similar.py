"""Items like one item: lists that the bundle carries, paged by tokens that need no state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from recommender.bundle import Bundle
from recommender.errors import RequestError
from recommender.feed.catalogue import Catalogue
from recommender.feed.receipts import Attribution, ReceiptSigner, new_request_id
from recommender.feed.tokens import PageTokens, Place, binding_of
from recommender.feed.views import CardView, Reason, SimilarMode, SimilarPage
from recommender.types import ReasonType, Rows, Scores

_LIMIT: Final = 200
_LISTS: Final[dict[SimilarMode, str]] = {
    "behavior": "cooccurrence",
    "bought_together": "bought_together",
    "visual": "visual",
}


class SimilarItems:
    """Pages of the items that a bundle lists beside an item.

    Args:
        bundle: Holds the lists.
        catalogue: Says what may be shown.
        tokens: For pages after the first.
        receipts: Signs the cards, for nobody in particular.
        clock: Milliseconds since the epoch.
    """

    def __init__(
        self,
        bundle: Bundle,
        catalogue: Catalogue,
        tokens: PageTokens,
        receipts: ReceiptSigner,
        clock: Callable[[], int],
    ) -> None:
        self._bundle = bundle
        self._catalogue = catalogue
        self._tokens = tokens
        self._receipts = receipts
        self._clock = clock

    def page(self, item_id: str, mode: SimilarMode, page_size: int, page_token: str) -> SimilarPage:
        """One page, best first, at most 200 items over all pages; an item that nothing is like has none.

        Raises:
            RequestError: ITEM_NOT_FOUND, VISUAL_NOT_AVAILABLE, or a refusal of the token.
        """
        row, now_ms = self._catalogue.row(item_id), self._clock()
        if row < 0:
            raise RequestError("NOT_FOUND", "ITEM_NOT_FOUND", f"item {item_id!r} is not in the catalogue; check its id")
        if mode == "visual" and not self._bundle.has("visual/rows"):
            raise RequestError(
                "UNIMPLEMENTED",
                "VISUAL_NOT_AVAILABLE",
                "the live model holds no photos; ask for BEHAVIOR or BOUGHT_TOGETHER",
            )
        binding = binding_of(item_id, mode)
        place = self._tokens.read(page_token, binding, now_ms) if page_token else Place()
        source = _LISTS[mode]
        likes, scores = self._list(source, row)
        shown = np.flatnonzero((likes >= 0) & self._catalogue.shown(likes, now_ms))
        shown = shown[shown >= place.cursor]
        taken = shown[:page_size]
        token = ""
        if len(shown) > len(taken):
            following = Place(cursor=int(taken[-1]) + 1, delivered=place.delivered + len(taken))
            token = self._tokens.issue(following, binding, now_ms)
        reason = Reason(ReasonType.SIMILAR_TO, item_id)
        cards = self._cards(reason, source, likes[taken], scores[taken], place.delivered, now_ms)
        return SimilarPage(cards, token, self._bundle.version)

    def _list(self, source: str, row: int) -> tuple[Rows, Scores]:
        """The list of an item; empty where the log gave nothing to learn it from."""
        if not self._bundle.has(f"{source}/rows"):
            return np.empty(0, np.int32), np.empty(0, np.float32)
        rows, scores = self._bundle.array(f"{source}/rows"), self._bundle.array(f"{source}/scores")
        return rows[row, :_LIMIT], scores[row, :_LIMIT]

    def _cards(
        self, reason: Reason, source: str, rows: Rows, scores: Scores, position: int, now_ms: int
    ) -> tuple[CardView, ...]:
        request_id, nobody = new_request_id(), self._receipts.viewer("", "")
        columns = zip(self._catalogue.item_ids(rows), self._catalogue.cards(rows), scores.tolist(), strict=True)
        cards = []
        for at, (item_id, static, score) in enumerate(columns, position):
            attribution = Attribution(request_id, now_ms, at, source, self._bundle.version, 1.0)
            receipt = self._receipts.issue(attribution, item_id, nobody)
            cards.append(CardView(static, at, score, (source,), reason, receipt))
        return tuple(cards)

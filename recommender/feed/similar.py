"""Items like one item: lists that the bundle carries, paged by tokens that need no state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from recommender.errors import RequestError
from recommender.feed.catalogue import Catalogue
from recommender.feed.item_vectors import ItemVectors
from recommender.feed.receipts import Attribution, ReceiptSigner, new_request_id
from recommender.feed.tokens import PageTokens, Place, binding_of
from recommender.feed.views import CardView, Reason, SimilarMode, SimilarPage
from recommender.types import ReasonType, Rows, Scores

_LIMIT: Final = 200
CONTENT: Final = "content"
_LISTS: Final[dict[SimilarMode, str]] = {
    "behavior": "cooccurrence",
    "bought_together": "bought_together",
    "visual": "visual",
}


class SimilarItems:
    """Pages of the items that a bundle lists beside an item.

    Args:
        catalogue: Says what may be shown; its bundle holds the lists.
        vectors: Content of all items, None where the bundle holds none.
        tokens: For pages after the first.
        receipts: Signs the cards, for nobody in particular.
        clock: Milliseconds since the epoch.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        vectors: ItemVectors | None,
        tokens: PageTokens,
        receipts: ReceiptSigner,
        clock: Callable[[], int],
    ) -> None:
        self._bundle = catalogue.bundle
        self._catalogue = catalogue
        self._vectors = vectors
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
        likes, scores, n_listed = self._list(mode, row)
        shown = np.flatnonzero(self._catalogue.shown(likes, now_ms))
        shown = shown[shown >= place.cursor]
        taken = shown[:page_size]
        token = ""
        if len(shown) > len(taken):
            following = Place(cursor=int(taken[-1]) + 1, delivered=place.delivered + len(taken))
            token = self._tokens.issue(following, binding, now_ms)
        reason = Reason(ReasonType.SIMILAR_TO, item_id)
        sources = [_LISTS[mode] if at < n_listed else CONTENT for at in taken.tolist()]
        cards = self._cards(reason, sources, likes[taken], scores[taken], place.delivered, now_ms)
        return SimilarPage(cards, token, self._bundle.version)

    def _list(self, mode: SimilarMode, row: int) -> tuple[Rows, Scores, int]:
        """What is like an item, with how alike, and how much of it the log taught.

        Behind the lesson, since nobody can have turned to them yet, stand new items that read like it. To a new item
        there is no lesson, so all items are looked through.
        """
        source, rows, scores = _LISTS[mode], np.empty(0, np.int32), np.empty(0, np.float32)
        if row < self._bundle.n_items and self._bundle.has(f"{source}/rows"):
            rows, scores = self._bundle.array(f"{source}/rows")[row], self._bundle.array(f"{source}/scores")[row]
            listed = rows >= 0
            rows, scores = rows[listed][:_LIMIT], scores[listed][:_LIMIT]
        if self._vectors is None or mode != "behavior":
            return rows, scores, len(rows)
        alike, likeness = self._vectors.nearest_to(row, _LIMIT, only_new=row < self._bundle.n_items)
        room = _LIMIT - len(rows)
        return np.concatenate((rows, alike[:room])), np.concatenate((scores, likeness[:room])), len(rows)

    def _cards(
        self, reason: Reason, sources: list[str], rows: Rows, scores: Scores, position: int, now_ms: int
    ) -> tuple[CardView, ...]:
        request_id, nobody = new_request_id(), self._receipts.viewer("", "")
        ids, statics = self._catalogue.item_ids(rows), self._catalogue.cards(rows)
        columns = zip(ids, statics, scores.tolist(), sources, strict=True)
        cards = []
        for at, (item_id, static, score, source) in enumerate(columns, position):
            attribution = Attribution(request_id, now_ms, at, source, self._bundle.version, 1.0)
            receipt = self._receipts.issue(attribution, item_id, nobody)
            cards.append(CardView(static, at, score, (source,), reason, receipt))
        return tuple(cards)

"""Cutting a page from a snapshot: what may still be shown, as cards with reasons and receipts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from recommender.feed.catalogue import Catalogue
from recommender.feed.numbering import Numbering
from recommender.feed.pipeline import Pipeline
from recommender.feed.reasons import TAIL, Evidence, reasons_for
from recommender.feed.receipts import Attribution, ReceiptSigner
from recommender.feed.snapshots import Snapshot, is_kind
from recommender.feed.tokens import Place
from recommender.feed.views import CardView
from recommender.types import FeedQuery, Rows


@dataclass(frozen=True, slots=True)
class Cut:
    """The entries of a snapshot that make one page.

    Args:
        entries: intp [n], their indices in the snapshot, ascending.
        rows: int32 [n], their rows in the present bundle.
        next: Where the next page begins; None where nothing that may be shown is left.
    """

    entries: npt.NDArray[np.intp]
    rows: Rows
    next: Place | None


class PageCutter:
    """Cuts pages from snapshots of any bundle, for the present one.

    Args:
        pipeline: Its filters say what may be shown now.
        catalogue: Holds cards and ids.
        numbering: Takes item numbers to the present bundle's rows.
        receipts: Signs the cards.
    """

    def __init__(self, pipeline: Pipeline, catalogue: Catalogue, numbering: Numbering, receipts: ReceiptSigner) -> None:
        self._pipeline = pipeline
        self._catalogue = catalogue
        self._numbering = numbering
        self._receipts = receipts

    def cut(self, snapshot: Snapshot, place: Place, query: FeedQuery, page_size: int) -> Cut:
        """The next entries that may be shown at this moment; the others are passed over for good."""
        rows = self._numbering.rows(snapshot.item_numbers[place.cursor :])
        present = np.flatnonzero(rows >= 0)
        shown = present[self._pipeline.keep(query, rows[present])]
        taken = shown[:page_size]
        following = None
        if len(shown) > len(taken):
            cursor = place.cursor + int(taken[-1]) + 1
            following = Place(place.locator, cursor, place.delivered + len(taken))
        return Cut(place.cursor + taken, rows[taken], following)

    def cards(self, snapshot: Snapshot, cut: Cut, position: int, query: FeedQuery) -> tuple[CardView, ...]:
        """The cards of a cut, the first one at `position`."""
        viewer, entries = self._receipts.viewer(query.user_id, query.session_id), cut.entries
        evidence = self._evidence(snapshot, entries, cut.rows)
        columns = zip(
            evidence,
            self._catalogue.item_ids(cut.rows),
            self._catalogue.cards(cut.rows),
            reasons_for(evidence, query.history, self._catalogue),
            snapshot.scores[entries].tolist(),
            snapshot.propensities[entries].tolist(),
            snapshot.source_masks[entries].tolist(),
            snapshot.lead_sources[entries].tolist(),
            strict=True,
        )
        cards = []
        for at, (led, item_id, static, reason, score, propensity, mask, lead) in enumerate(columns, position):
            attribution = Attribution(
                snapshot.request_id, query.now_ms, at, led.source, snapshot.model_version, propensity
            )
            receipt = self._receipts.issue(attribution, item_id, viewer)
            cards.append(CardView(static, at, score, _names(snapshot.sources, mask, lead), reason, receipt))
        return tuple(cards)

    def _evidence(self, snapshot: Snapshot, entries: npt.NDArray[np.intp], rows: Rows) -> list[Evidence]:
        leads, evidence = snapshot.lead_sources[entries], snapshot.evidence[entries]
        items = np.where(is_kind(snapshot.evidence_kinds, leads, "item"), evidence, -1)
        groups = np.where(is_kind(snapshot.evidence_kinds, leads, "category"), evidence, -1).tolist()
        is_new = (rows >= self._catalogue.n_items).tolist()
        columns = zip(leads.tolist(), self._numbering.rows(items).tolist(), groups, is_new, strict=True)
        return [
            Evidence(
                source=snapshot.sources[lead] if lead >= 0 else TAIL,
                kind=snapshot.evidence_kinds[lead] if lead >= 0 else "none",
                item_row=item_row,
                category=snapshot.categories[group] if group >= 0 else "",
                is_new=new,
            )
            for lead, item_row, group, new in columns
        ]


@lru_cache(maxsize=4_096)
def _names(sources: tuple[str, ...], mask: int, lead: int) -> tuple[str, ...]:
    """What retrieved an item, the lead source first."""
    if lead < 0:
        return (TAIL,)
    others = (name for bit, name in enumerate(sources) if mask >> bit & 1 and bit != lead)
    return (sources[lead], *others)

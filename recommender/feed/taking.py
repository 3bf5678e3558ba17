"""Taking a snapshot: the pipeline is run, with wider filters where the request allows it, and its finds are named."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from recommender.feed.catalogue import Catalogue
from recommender.feed.funnel import Funnel
from recommender.feed.numbering import Numbering
from recommender.feed.pipeline import Pipeline
from recommender.feed.receipts import new_request_id
from recommender.feed.snapshots import Snapshot, is_kind
from recommender.state.protocols import Numbers
from recommender.types import FeedFilter, FeedQuery, Mode, Relaxation, Rows, Slate


class SnapshotTaker:
    """Takes snapshots with one pipeline of one bundle.

    Args:
        pipeline: Run once per width of the filter.
        catalogue: Names the categories.
        numbering: Gives rows their permanent numbers.
        model_version: The bundle's.
        mode: The feed's.
        limit: Items of a snapshot.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        catalogue: Catalogue,
        numbering: Numbering,
        *,
        model_version: str,
        mode: Mode,
        limit: int,
    ) -> None:
        self.pipeline = pipeline
        self._catalogue = catalogue
        self._numbering = numbering
        self._model_version = model_version
        self._mode = mode
        self._limit = limit

    def take(self, query: FeedQuery, page_size: int, funnel: Funnel) -> Snapshot:
        """A snapshot for a query, relaxed as far as its filter allows and a page needs; the funnel gets the counts."""
        slates, relaxations = self._relaxed(query, page_size, funnel)
        slate = slates[0] if len(slates) == 1 else _joined(slates, self._limit)
        evidence, categories = self._evidence(slate.lead_sources, slate.evidence)
        return Snapshot(
            request_id=new_request_id(),
            model_version=self._model_version,
            mode=self._mode,
            degradations=funnel.degradations(),
            relaxations=relaxations,
            sources=self.pipeline.sources,
            evidence_kinds=self.pipeline.evidence_kinds,
            categories=categories,
            item_numbers=self._numbering.numbers(slate.rows),
            evidence=evidence,
            scores=slate.scores,
            propensities=slate.propensities,
            source_masks=slate.source_masks,
            lead_sources=slate.lead_sources,
        )

    def _relaxed(self, query: FeedQuery, page_size: int, funnel: Funnel) -> tuple[list[Slate], tuple[Relaxation, ...]]:
        """Slates of ever wider filters, until one fills a page, and the parts that were dropped for it.

        What matches the whole filter stands in the first slate and so before what only a wider one lets in; a part
        that is not set is passed over.
        """
        slates = [self.pipeline.run(query, self._limit, funnel)[0]]
        dropped: list[Relaxation] = []
        for part in query.filter.relax:
            wider = without(query.filter, [part])
            if len(slates[-1]) >= min(page_size, self._limit) or wider == query.filter:
                continue
            query = replace(query, filter=wider)
            dropped.append(part)
            slates.append(self.pipeline.run(query, self._limit, funnel)[0])
        return slates, tuple(dropped)

    def _evidence(self, leads: npt.NDArray[np.int8], evidence: Rows) -> tuple[Numbers, tuple[str, ...]]:
        """Evidence that another bundle understands: item numbers, and indices into a list of category paths."""
        kinds = self.pipeline.evidence_kinds
        result = self._numbering.numbers(np.where(is_kind(kinds, leads, "item"), evidence, -1))
        grouped = is_kind(kinds, leads, "category") & (evidence >= 0)
        codes, result[grouped] = np.unique(evidence[grouped], return_inverse=True)
        return result, tuple(map(self._catalogue.category_path, codes.tolist()))


def _joined(slates: Sequence[Slate], limit: int) -> Slate:
    """The slates one after the other, each row where it comes first, `limit` rows at most."""
    first = np.sort(np.unique(np.concatenate([slate.rows for slate in slates]), return_index=True)[1])[:limit]
    rows, scores, propensities, source_masks, lead_sources, evidence = (
        np.concatenate([getattr(slate, column) for slate in slates])[first]
        for column in ("rows", "scores", "propensities", "source_masks", "lead_sources", "evidence")
    )
    n_ranked = int(np.count_nonzero(lead_sources >= 0))
    return Slate(rows, scores, propensities, source_masks, lead_sources, evidence, slates[0].sources, n_ranked)


def without(wanted: FeedFilter, dropped: Iterable[Relaxation]) -> FeedFilter:
    """The filter without the dropped parts.

    Example:
        >>> without(FeedFilter(seller_ids=("s",), max_price=9.0), [Relaxation.PRICE]).max_price is None
        True
    """
    for part in dropped:
        if part is Relaxation.SELLERS:
            wanted = replace(wanted, seller_ids=())
        elif part is Relaxation.CATEGORIES:
            wanted = replace(wanted, categories=())
        else:
            wanted = replace(wanted, min_price=None, max_price=None, currency="")
    return wanted

"""Which components a feed is made of, listed plainly; the only place that knows them all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

import numpy as np

from recommender.bundle import Bundle
from recommender.config import FeedSettings, Settings
from recommender.errors import BundleError
from recommender.features.recency import Recency
from recommender.feed.catalogue import Catalogue
from recommender.feed.cutting import PageCutter
from recommender.feed.filters.allowed import AllowedFilter
from recommender.feed.filters.available import AvailableFilter
from recommender.feed.filters.hidden import HiddenFilter
from recommender.feed.filters.query import QueryFilter
from recommender.feed.filters.recent_purchase import RecentPurchaseFilter
from recommender.feed.history import Histories
from recommender.feed.numbering import Numbering
from recommender.feed.pages import FeedPages
from recommender.feed.pipeline import Pipeline
from recommender.feed.rankers.logistic import LogisticRanker
from recommender.feed.rankers.single_source import SingleSourceRanker
from recommender.feed.receipts import ReceiptSigner
from recommender.feed.rerankers.diverse_order import DiverseOrder
from recommender.feed.rerankers.score_order import ScoreOrder
from recommender.feed.similar import SimilarItems
from recommender.feed.snapshots import SnapshotShelf
from recommender.feed.sources.als import AlsSource
from recommender.feed.sources.content import ContentSource
from recommender.feed.sources.cooccurrence import CooccurrenceSource
from recommender.feed.sources.own_frequency import OwnFrequencySource
from recommender.feed.sources.popularity import CategoryPopularitySource, RecentPopularitySource
from recommender.feed.stages import Filter, Ranker, Reranker, Source
from recommender.feed.taking import SnapshotTaker
from recommender.feed.tokens import PageTokens
from recommender.state.protocols import State
from recommender.types import Mode

Component = TypeVar("Component")

_FADING_SOURCES: Final[dict[str, Callable[[Bundle, Recency | None], Source]]] = {
    CooccurrenceSource.name: CooccurrenceSource,
    AlsSource.name: AlsSource,
    OwnFrequencySource.name: OwnFrequencySource,
    ContentSource.name: ContentSource,
    CategoryPopularitySource.name: CategoryPopularitySource,
}
_SOURCES: Final[dict[str, Callable[[Bundle], Source]]] = {
    CooccurrenceSource.name: CooccurrenceSource,
    AlsSource.name: AlsSource,
    OwnFrequencySource.name: OwnFrequencySource,
    ContentSource.name: ContentSource,
    CategoryPopularitySource.name: CategoryPopularitySource,
    RecentPopularitySource.name: RecentPopularitySource,
}
_RANKERS: Final[dict[str, Callable[[Bundle], Ranker]]] = {
    LogisticRanker.name: LogisticRanker,
    SingleSourceRanker.name: SingleSourceRanker,
}


def build_pipeline(
    bundle: Bundle,
    settings: Settings,
    catalogue: Catalogue | None = None,
    ranker: Ranker | None = None,
    *,
    diversity: float = 0.0,
) -> Pipeline:
    """The pipeline of a bundle; it needs no state, so that offline work runs what is served.

    Args:
        bundle: Names its sources, in order, and its ranker.
        settings: Mode and limits of the feed.
        catalogue: Of the same bundle, where one exists already.
        ranker: Instead of the bundle's own, to compare rankers offline.
        diversity: In place of `feed.diversity`: what learns, chooses or measures a ranker wants its plain order.

    Raises:
        BundleError: It names a source or ranker that this build does not have.
    """
    catalogue = catalogue or Catalogue(bundle)
    order = bundle.array("popularity/order")
    return Pipeline(
        sources=[_known(_SOURCES, "source", name, bundle)(bundle) for name in bundle.manifest.sources],
        filters=_filters(catalogue, settings),
        ranker=ranker or _known(_RANKERS, "ranker", bundle.manifest.ranker["name"], bundle)(bundle),
        reranker=_reranker(bundle, catalogue, settings.feed.model_copy(update={"diversity": diversity})),
        tail=order,
        source_limit=settings.feed.source_limit,
    )


def build_source(bundle: Bundle, name: str, recency: Recency) -> Source:
    """One source of a bundle with another recency than the manifest's, so that recencies can be compared offline.

    Raises:
        BundleError: No source of that name takes a recency.
    """
    source: Source = _known(_FADING_SOURCES, "source", name, bundle)(bundle, recency)
    return source


def build_feed(
    bundle: Bundle, state: State, settings: Settings, clock: Callable[[], int], keys: Sequence[bytes]
) -> FeedPages:
    """The feed of a bundle on a state.

    Args:
        bundle: What is served.
        state: Histories, snapshots and item numbers.
        settings: Of the feed and the state.
        clock: Milliseconds since the epoch.
        keys: Of tokens and receipts, the one that signs first.

    Raises:
        BundleError: The bundle names a component that this build does not have.
    """
    token_ttl_ms = _ms(settings.feed.token_ttl)
    catalogue = Catalogue(bundle)
    pipeline = build_pipeline(bundle, settings, catalogue, diversity=settings.feed.diversity)
    numbering = Numbering(state.numbers.bundle_numbers(_fingerprint(bundle), bundle.items.ids))
    receipts = ReceiptSigner(keys, _ms(settings.feed.receipt_ttl))
    return FeedPages(
        catalogue=catalogue,
        histories=Histories(bundle, state.events, numbering, settings.state.history_events),
        taker=SnapshotTaker(
            pipeline,
            catalogue,
            numbering,
            model_version=bundle.version,
            mode=settings.feed.mode,
            limit=settings.feed.snapshot_items,
        ),
        shelf=SnapshotShelf(state.snapshots, token_ttl_ms),
        cutter=PageCutter(pipeline, catalogue, numbering, receipts),
        tokens=PageTokens(keys, "feed", token_ttl_ms),
        similar_items=SimilarItems(bundle, catalogue, PageTokens(keys, "similar", token_ttl_ms), receipts, clock),
        served=state.served,
        clock=clock,
        costs=pipeline.costs,
        deadline_ms=settings.feed.deadline_ms,
    )


def _filters(catalogue: Catalogue, settings: Settings) -> list[Filter]:
    filters: list[Filter] = [AllowedFilter(), AvailableFilter(catalogue), QueryFilter(catalogue), HiddenFilter()]
    if settings.feed.mode is Mode.DISCOVER:
        filters.append(RecentPurchaseFilter(settings.feed.discover_days))
    return filters


def _reranker(bundle: Bundle, catalogue: Catalogue, settings: FeedSettings) -> Reranker:
    """The score order, varied by what the items are, else by who turns to them, where diversity is asked for."""
    score_order = ScoreOrder(bundle.array("popularity/order"))
    if not settings.diversity:
        return score_order
    named = [name for name in ("content/vectors", "als/factors") if bundle.has(name)]
    vectors = bundle.array(named[0]) if named else np.zeros((bundle.n_items, 1), np.float32)
    return DiverseOrder(score_order, catalogue, vectors, settings)


def _known(known: Mapping[str, Component], kind: str, name: str, bundle: Bundle) -> Component:
    if name not in known:
        raise BundleError(
            f"bundle {bundle.folder} names the {kind} {name!r}, this build has {', '.join(known)}: train it again"
        )
    return known[name]


def _fingerprint(bundle: Bundle) -> str:
    """Names the bundle's item ids in their order: bundles with the same catalogue share it."""
    files = bundle.manifest.files
    return f"{files['items/ids.bytes.npy']}-{files['items/ids.offsets.npy']}"


def _ms(seconds: float) -> int:
    return int(seconds * 1_000)

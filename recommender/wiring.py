"""What a feed is made of: the bundle's sources and ranker, filters, order, state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import numpy as np

from recommender.bundle import Bundle
from recommender.components import build_ranker, served_source
from recommender.config import FeedSettings, Settings
from recommender.errors import BundleError
from recommender.feed.catalogue import Catalogue
from recommender.feed.cutting import PageCutter
from recommender.feed.filters.allowed import AllowedFilter
from recommender.feed.filters.available import AvailableFilter
from recommender.feed.filters.hidden import HiddenFilter
from recommender.feed.filters.query import QueryFilter
from recommender.feed.filters.recent_purchase import RecentPurchaseFilter
from recommender.feed.history import Histories
from recommender.feed.item_vectors import ItemVectors
from recommender.feed.live_catalogue import LiveCatalogue
from recommender.feed.live_feed import LiveFeed
from recommender.feed.live_layer import LiveLayer
from recommender.feed.numbering import Numbering
from recommender.feed.outage import Outage
from recommender.feed.pages import FeedPages
from recommender.feed.pipeline import Pipeline
from recommender.feed.rankers.expected_value import ExpectedValueRanker
from recommender.feed.receipts import ReceiptSigner
from recommender.feed.rerankers.diverse_order import DiverseOrder
from recommender.feed.rerankers.personal_slots import PersonalSlots
from recommender.feed.rerankers.score_order import ScoreOrder
from recommender.feed.similar import SimilarItems
from recommender.feed.snapshots import SnapshotShelf
from recommender.feed.sources.content import ContentSource
from recommender.feed.sources.live_content import LiveContentSource
from recommender.feed.stages import Filter, Ranker, Reranker, Source
from recommender.feed.taking import SnapshotTaker
from recommender.feed.tokens import PageTokens
from recommender.feed.trained import TrainedRanker, TrainedSource
from recommender.state.protocols import State
from recommender.types import NO_TIME, Mode, Rows, Scores


def build_pipeline(
    bundle: Bundle,
    settings: Settings,
    catalogue: Catalogue | None = None,
    ranker: Ranker | None = None,
    *,
    diversity: float = 0.0,
    reranker: Reranker | None = None,
    source_over: Callable[[Source], Source] = lambda source: source,
) -> Pipeline:
    """The pipeline of a bundle; it needs no state, so that offline work runs what is served.

    Args:
        bundle: Names its sources, in order, and its ranker.
        settings: Mode and limits of the feed.
        catalogue: Of the same bundle, where one exists already.
        ranker: Instead of the bundle's own, to compare rankers offline.
        diversity: In place of `feed.diversity`: what learns, chooses or measures a ranker wants its plain order.
        reranker: Instead of that order.
        source_over: What stands for a source, to compare other forms of it offline.

    Raises:
        BundleError: It names a source or ranker that this build does not have.
    """
    catalogue = catalogue or Catalogue(bundle)
    order = bundle.array("popularity/order")
    feed = settings.feed.model_copy(update={"diversity": diversity, "personal_every": 0})
    return Pipeline(
        sources=[source_over(served_source(bundle, name)) for name in bundle.manifest.sources],
        filters=_filters(catalogue, settings),
        ranker=ranker or build_ranker(bundle),
        reranker=reranker or _reranker(_score_order(bundle, feed), catalogue, feed),
        tail=order,
        source_limit=settings.feed.source_limit,
    )


def build_reranker(bundle: Bundle, settings: FeedSettings) -> Reranker:
    """What orders a slate of a bundle as it is served, its personal slots among it."""
    return _reranker(_score_order(bundle, settings), Catalogue(bundle), settings)


def build_feed(
    bundle: Bundle, state: State, settings: Settings, clock: Callable[[], int], keys: Sequence[bytes]
) -> LiveFeed:
    """The feed of a bundle on a state.

    Args:
        bundle: What is served.
        state: Histories, snapshots, item numbers and live items.
        settings: Of the feed and the state.
        clock: Milliseconds since the epoch.
        keys: Of tokens and receipts, the one that signs first.

    Raises:
        BundleError: The bundle names a component that this build does not have, or lacks the probabilities that
            `feed.value` multiplies.
        StateError: The live items cannot be read.
    """
    if settings.feed.value and "calibration" not in bundle.manifest.ranker:
        raise BundleError(
            f"bundle {bundle.folder} tells no probability of {bundle.manifest.target}, which feed.value multiplies by "
            f"{' and '.join(settings.feed.value)}: it was not trained on windows of "
            "time, or on too few targets in them; leave feed.value empty"
        )
    token_ttl_ms = _ms(settings.feed.token_ttl)
    base = Catalogue(bundle, settings.feed.value)
    trained = build_pipeline(bundle, settings, base, diversity=settings.feed.diversity)
    score_order = _score_order(bundle, settings.feed)
    bundle_numbering = Numbering(state.numbers.bundle_numbers(_fingerprint(bundle), bundle.items.ids))
    receipts = ReceiptSigner(keys, _ms(settings.feed.receipt_ttl))
    outage = Outage()

    def assemble(catalogue: LiveCatalogue) -> FeedPages:
        pipeline = _over(trained, catalogue, score_order, settings)
        numbering = bundle_numbering.with_new(catalogue.moment.new_numbers)
        tokens = PageTokens(keys, "similar", token_ttl_ms)
        return FeedPages(
            catalogue=catalogue,
            histories=Histories(bundle, state.events, numbering, settings.state.history_events, outage),
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
            similar_items=SimilarItems(catalogue, _content_vectors(catalogue), tokens, receipts, clock),
            served=state.served,
            clock=clock,
            costs=trained.costs,
            deadline_ms=settings.feed.deadline_ms,
        )

    layer = LiveLayer(base, _as_of_ms(bundle), state.numbers.numbers, state.live_items.item)
    return LiveFeed(state.live_items, layer, assemble)


def _over(trained: Pipeline, catalogue: LiveCatalogue, score_order: Reranker, settings: Settings) -> Pipeline:
    """The bundle's pipeline on live items; what was trained on the bundle's rows sees no others."""
    n_items, n_new = catalogue.n_items, len(catalogue.moment.new_numbers)
    bundle, vectors = catalogue.bundle, _content_vectors(catalogue)

    def source_over(source: Source) -> Source:
        if not n_new:
            return source
        if isinstance(source, ContentSource) and vectors is not None:
            return LiveContentSource(source, vectors, bundle.tie_ranks)
        return TrainedSource(source, n_items)

    def ranker_over(ranker: Ranker) -> Ranker:
        if n_new:
            ranker = TrainedRanker(ranker, n_items, int(bundle.array("popularity/order")[-1]))
        return ExpectedValueRanker(ranker, catalogue.worth) if settings.feed.value else ranker

    new_rows: Rows = np.arange(n_items + n_new - 1, n_items - 1, -1, dtype=np.int32)  # the newest first
    reranker = _reranker(score_order, catalogue, settings.feed, n_new, catalogue.moment.new_vectors)
    return trained.over(_filters(catalogue, settings), reranker, new_rows, source_over, ranker_over)


def _content_vectors(catalogue: LiveCatalogue) -> ItemVectors | None:
    """What is like what; None where the bundle holds no content."""
    if ContentSource.name not in catalogue.bundle.manifest.sources:
        return None
    return ItemVectors(catalogue.bundle.array("content/vectors"), catalogue.moment.new_vectors)


def _as_of_ms(bundle: Bundle) -> int:
    """How old the bundle's items are; older than all others where it does not say."""
    as_of = bundle.manifest.catalogue_as_of
    if as_of is None:
        return NO_TIME
    moment = datetime.fromisoformat(as_of)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1_000)


def _filters(catalogue: Catalogue, settings: Settings) -> list[Filter]:
    filters: list[Filter] = [AllowedFilter(), AvailableFilter(catalogue), QueryFilter(catalogue), HiddenFilter()]
    if settings.feed.mode is Mode.DISCOVER:
        filters.append(RecentPurchaseFilter(settings.feed.discover_days))
    return filters


def _score_order(bundle: Bundle, settings: FeedSettings) -> Reranker:
    """The score order, with its personal slots where they are asked for; older bundles cannot tell them."""
    order = ScoreOrder(bundle.array("popularity/order"))
    if settings.personal_every and bundle.has("ranker/usual_standings"):
        return PersonalSlots(order, bundle.array("ranker/usual_standings"), settings.personal_every)
    return order


def _reranker(
    score_order: Reranker,
    catalogue: Catalogue,
    settings: FeedSettings,
    n_new: int = 0,
    new_content: Scores | None = None,
) -> Reranker:
    """The score order, varied by content, else by who turns to it, where that is asked for."""
    if not settings.diversity:
        return score_order
    bundle = catalogue.bundle
    named = [name for name in ("content/vectors", "als/factors") if bundle.has(name)]
    # Read-only like a bundle's arrays: for a writable one the kernel would compile anew.
    vectors = bundle.array(named[0]) if named else np.zeros((bundle.n_items, 1), np.float32)
    vectors = vectors.view()
    vectors.flags.writeable = False
    new_vectors = np.zeros((n_new, vectors.shape[1]), np.float32)
    if new_content is not None and new_content.shape == new_vectors.shape:
        new_vectors = new_content
    return DiverseOrder(score_order, catalogue, vectors, settings, new_vectors)


def _fingerprint(bundle: Bundle) -> str:
    """Names the bundle's item ids in their order: bundles with the same catalogue share it."""
    files = bundle.manifest.files
    return f"{files['items/ids.bytes.npy']}-{files['items/ids.offsets.npy']}"


def _ms(seconds: float) -> int:
    return int(seconds * 1_000)

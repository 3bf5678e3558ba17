"""The sources and rankers that a bundle can name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Protocol, TypeVar

from recommender.bundle import Bundle
from recommender.errors import BundleError
from recommender.features.recency import Recency
from recommender.feed.rankers.logistic import LogisticRanker
from recommender.feed.rankers.newcomer_order import NewcomerOrder
from recommender.feed.rankers.short_history import ShortHistoryRanker
from recommender.feed.rankers.single_source import SingleSourceRanker
from recommender.feed.rankers.trees import TreeRanker
from recommender.feed.sources.als import AlsSource
from recommender.feed.sources.content import ContentSource
from recommender.feed.sources.friends import FriendsSource
from recommender.feed.sources.listed import CooccurrenceSource, EaseSource, GfcfSource
from recommender.feed.sources.newcomers import NewcomersSource
from recommender.feed.sources.own_frequency import OwnFrequencySource
from recommender.feed.sources.popularity import CategoryPopularitySource, RecentPopularitySource
from recommender.feed.stages import Ranker, Source

Component = TypeVar("Component")


class _Fading(Protocol):
    """Makes a source whose history fades: as the manifest says, or as it is told."""

    def __call__(self, bundle: Bundle, recency: Recency | None = None) -> Source: ...


_FADING_SOURCES: Final[dict[str, _Fading]] = {
    CooccurrenceSource.name: CooccurrenceSource,
    GfcfSource.name: GfcfSource,
    EaseSource.name: EaseSource,
    AlsSource.name: AlsSource,
    FriendsSource.name: FriendsSource,
    OwnFrequencySource.name: OwnFrequencySource,
    ContentSource.name: ContentSource,
    NewcomersSource.name: NewcomersSource,
    CategoryPopularitySource.name: CategoryPopularitySource,
}
_SOURCES: Final[dict[str, Callable[[Bundle], Source]]] = {
    **_FADING_SOURCES,
    RecentPopularitySource.name: RecentPopularitySource,
}
_RANKERS: Final[dict[str, Callable[[Bundle], Ranker]]] = {
    LogisticRanker.name: LogisticRanker,
    SingleSourceRanker.name: SingleSourceRanker,
    TreeRanker.name: TreeRanker,
}


def served_source(bundle: Bundle, name: str) -> Source:
    """One source as the manifest describes it.

    Raises:
        BundleError: This build does not have it.
    """
    source: Source = _known(_SOURCES, "source", name, bundle)(bundle)
    return source


def build_source(bundle: Bundle, name: str, recency: Recency) -> Source:
    """One source of a bundle with another recency than the manifest's, so that recencies can be compared offline.

    Raises:
        BundleError: No source of that name takes a recency.
    """
    source: Source = _known(_FADING_SOURCES, "source", name, bundle)(bundle, recency)
    return source


def build_ranker(bundle: Bundle) -> Ranker:
    """The ranker that the bundle names.

    Raises:
        BundleError: This build does not have it, or not over these inputs.
    """
    ranker: Ranker = _known(_RANKERS, "ranker", bundle.manifest.ranker["name"], bundle)(bundle)
    if ranker.name != SingleSourceRanker.name and NewcomersSource.name in bundle.manifest.sources:
        ranker = NewcomerOrder(ranker)
    return ShortHistoryRanker(ranker, bundle) if "short" in bundle.manifest.ranker else ranker


def _known(known: Mapping[str, Component], kind: str, name: str, bundle: Bundle) -> Component:
    if name not in known:
        raise BundleError(
            f"bundle {bundle.folder} names the {kind} {name!r}, this build has {', '.join(known)}: train it again"
        )
    return known[name]

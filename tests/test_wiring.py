from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from recommender.bundle import Bundle
from recommender.config import FeedSettings, Settings
from recommender.errors import BundleError
from recommender.state.sqlite import SqliteState, open_state
from recommender.types import FeedQuery, Mode
from recommender.wiring import build_feed, build_pipeline
from tests.worlds import NOW_MS, RANKER, SOURCES, write_tiny_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_tiny_bundle(tmp_path_factory.mktemp("wiring") / "tiny")


@pytest.fixture
def state(tmp_path: Path) -> Iterator[SqliteState]:
    opened = open_state(tmp_path / "state", Settings().state, clock=lambda: NOW_MS)
    yield opened
    opened.close()


def with_feed(**feed: object) -> Settings:
    return Settings(feed=FeedSettings.model_validate(feed))


def test_the_sources_are_those_of_the_bundle_in_its_order(tmp_path: Path) -> None:
    sources = {name: SOURCES[name] for name in ("popularity_recent", "cooccurrence")}
    bundle = write_tiny_bundle(tmp_path / "v", sources=sources)
    pipeline = build_pipeline(bundle, Settings())
    assert pipeline.sources == tuple(bundle.manifest.sources)
    kinds = dict(zip(pipeline.sources, pipeline.evidence_kinds, strict=True))
    assert kinds == {"popularity_recent": "none", "cooccurrence": "item"}


@pytest.mark.parametrize("mode", Mode)
def test_only_discover_mode_asks_about_recent_purchases(bundle: Bundle, mode: Mode) -> None:
    query = FeedQuery(NOW_MS, "ada", history=bundle.history("ada"))
    _, funnel = build_pipeline(bundle, with_feed(mode=mode)).run(query, 10)
    names = [count.name for count in funnel.of("filter")]
    assert names == ["allowed", "available", "query", "hidden", *["recent_purchase"] * (mode is Mode.DISCOVER)]
    assert not [count.error for count in funnel.counts if count.error]


def test_sources_are_held_to_the_configured_limit(bundle: Bundle) -> None:
    query = FeedQuery(NOW_MS, "ada", history=bundle.history("ada"))
    ranks = build_pipeline(bundle, with_feed(source_limit=2)).candidates(query).source_ranks
    assert set(ranks.max(axis=0).tolist()) == {1}


def test_the_order_is_by_score_alone_unless_diversity_is_asked_for(bundle: Bundle, state: SqliteState) -> None:
    assert FeedSettings().diversity > 0
    assert build_pipeline(bundle, Settings()).reranker.name == "score_order"
    assert build_pipeline(bundle, Settings(), diversity=0.1).reranker.name == "diverse_order"
    for diversity, wanted in ((0.0, "score_order"), (0.1, "diverse_order")):
        feed = build_feed(bundle, state, with_feed(diversity=diversity), lambda: NOW_MS, state.signing_keys())
        assert feed.current().taker.pipeline.reranker.name == wanted


def test_where_nothing_says_what_items_are_they_are_varied_by_who_turns_to_them(tmp_path: Path) -> None:
    class Bare(Bundle):
        def has(self, name: str) -> bool:
            return name != "content/vectors" and super().has(name)

    bundle = write_tiny_bundle(tmp_path / "v", sources={name: SOURCES[name] for name in ("cooccurrence", "als")})
    query = FeedQuery(NOW_MS, "ada", history=bundle.history("ada"))
    by_content, by_factors = (
        build_pipeline(each, Settings(), diversity=0.9).run(query, 24)[0].rows.tolist()
        for each in (bundle, Bare(bundle.folder, bundle.manifest))
    )
    assert sorted(by_factors) == sorted(by_content)
    assert by_factors != by_content


def test_a_component_that_this_build_lacks_is_named(tmp_path: Path) -> None:
    foreign = write_tiny_bundle(tmp_path / "a", sources={**SOURCES, "crystal_ball": {}})
    with pytest.raises(
        BundleError, match="names the source 'crystal_ball', this build has cooccurrence, gfcf, ease, als"
    ):
        build_pipeline(foreign, Settings())
    foreign = write_tiny_bundle(tmp_path / "b", ranker={"name": "oracle"})
    with pytest.raises(BundleError, match="names the ranker 'oracle'"):
        build_pipeline(foreign, Settings())


def test_bundles_with_the_same_catalogue_share_their_item_numbers(
    bundle: Bundle, state: SqliteState, tmp_path: Path
) -> None:
    for each in (bundle, write_tiny_bundle(tmp_path / "again", ranker=dict(RANKER))):
        build_feed(each, state, Settings(), lambda: NOW_MS, state.signing_keys())
    assert len(list((tmp_path / "state" / "numbers").glob("*.npy"))) == 1

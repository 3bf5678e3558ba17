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
    _, funnel = build_pipeline(bundle, with_feed(source_limit=2)).run(query, 10)
    assert {count.n_out for count in funnel.of("source")} == {2}


def test_a_component_that_this_build_lacks_is_named(tmp_path: Path) -> None:
    foreign = write_tiny_bundle(tmp_path / "a", sources={**SOURCES, "crystal_ball": {}})
    with pytest.raises(BundleError, match="names the source 'crystal_ball', this build has cooccurrence, als"):
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

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from recommender.bundle import Bundle
from recommender.config import FeedSettings, Settings
from recommender.errors import BundleError, ConfigurationError
from recommender.state.sqlite import SqliteState, open_state
from recommender.types import FeedQuery, Mode
from recommender.wiring import build_feed, build_pipeline, signing_key
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
    build_feed(bundle, state, Settings(), lambda: NOW_MS)
    build_feed(write_tiny_bundle(tmp_path / "again", ranker=dict(RANKER)), state, Settings(), lambda: NOW_MS)
    assert len(list((tmp_path / "state" / "numbers").glob("*.npy"))) == 1


def test_the_signing_key_is_the_configured_one_before_the_states(state: SqliteState, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("f" * 32 + "\n", encoding="utf-8")
    assert signing_key(state, Settings()) == state.signing_key()
    assert signing_key(state, with_feed(signing_key_file=file)) == b"f" * 32
    assert signing_key(state, with_feed(signing_key_file=file, signing_key=SecretStr("s" * 32))) == b"s" * 32


def test_a_signing_key_that_cannot_be_used_is_refused_and_never_printed(state: SqliteState, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="has 5 characters, wanted at least 32") as refused:
        signing_key(state, with_feed(signing_key=SecretStr("hush!")))
    assert "hush!" not in str(refused.value)
    with pytest.raises(ConfigurationError, match=r"cannot read feed\.signing_key_file .*missing: No such file"):
        signing_key(state, with_feed(signing_key_file=tmp_path / "missing"))

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recommender.bundle import Bundle, BundleWriter, StringColumn, open_bundle
from recommender.feed.sources.friends import FriendsSource
from recommender.feed.views import FeedRequest
from recommender.types import DAY_MS, FeedQuery
from tests.feed.shops import Shop
from tests.feed.sources.contract import N_ITEMS, ROW, titles_of
from tests.worlds import NOW_MS, SOURCES, tiny_users, write_tiny_bundle

#: ada listens to cyd, and half as much to dee; who has no history of their own has friends all the same.
CIRCLES = {"ada": {"cyd": 1.0, "dee": 0.5}, "newcomer": {"fay": 1.0}, "lonely": {}}
FADING = {"half_life_days": 30.0, "half_life_items": 0.0, "limit": 100}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    written = write_tiny_bundle(tmp_path_factory.mktemp("friends") / "tiny")
    writer, rows = BundleWriter(written.folder), {user: row for row, user in enumerate(tiny_users())}
    near = [(rows[friend], weight) for circle in CIRCLES.values() for friend, weight in circle.items()]
    writer.ids("friends/users", StringColumn.of(CIRCLES))
    writer.array("friends/offsets", np.cumsum([0, *map(len, CIRCLES.values())]).astype(np.int64))
    writer.array("friends/near", np.array([row for row, _ in near], np.int32))
    writer.array("friends/weights", np.array([weight for _, weight in near], np.float32))
    writer.finish(written.manifest.model_copy(update={"sources": {**SOURCES, "friends": FADING}}))
    return open_bundle(written.folder)


@pytest.fixture(scope="module")
def source(bundle: Bundle) -> FriendsSource:
    return FriendsSource(bundle)


def voice(user: str) -> dict[str, float]:
    """What one person says of items, by title: decayed counts, damped, over the root of all of them."""
    weights: dict[str, float] = {}
    for item_id, _, time_ms in tiny_users()[user]:
        title = item_id.removeprefix("item-").replace("-", " ")
        weights[title] = weights.get(title, 0.0) + 0.5 ** ((NOW_MS - (time_ms or 0)) / DAY_MS / 30)
    damped = {title: float(np.log1p(weight)) for title, weight in weights.items()}
    return {title: value / sum(damped.values()) ** 0.5 for title, value in damped.items()}


def test_scores_are_the_voices_of_the_circle_by_how_near_they_are(source: FriendsSource) -> None:
    expected: dict[str, float] = {}
    for friend, weight in CIRCLES["ada"].items():
        for title, value in voice(friend).items():
            expected[title] = expected.get(title, 0.0) + weight * value
    result = source.retrieve(FeedQuery(NOW_MS, "ada"), N_ITEMS)
    assert dict(zip(titles_of(result), result.scores.tolist(), strict=True)) == pytest.approx(expected)
    assert result.scores.tolist() == sorted(result.scores.tolist(), reverse=True)
    assert titles_of(result)[0] in {"spade", "basil seeds"}


def test_nobody_is_named_and_a_request_leaves_no_trace(source: FriendsSource) -> None:
    first = source.retrieve(FeedQuery(NOW_MS, "ada"), 4)
    assert set(first.evidence.tolist()) == {-1}
    assert source.evidence_kind == "none"
    source.retrieve(FeedQuery(NOW_MS, "newcomer"), 4)
    again = source.retrieve(FeedQuery(NOW_MS, "ada"), 4)
    assert (again.rows.tolist(), again.scores.tolist()) == (first.rows.tolist(), first.scores.tolist())


@pytest.mark.parametrize("user_id", ["", "stranger", "bob", "lonely"])
def test_who_has_no_circle_gets_nothing(source: FriendsSource, user_id: str) -> None:
    assert len(source.retrieve(FeedQuery(NOW_MS, user_id), 9).rows) == 0


def test_somebody_without_a_history_gets_what_their_friends_like(source: FriendsSource) -> None:
    assert set(titles_of(source.retrieve(FeedQuery(NOW_MS, "newcomer"), 9))) == set(voice("fay"))


def test_only_what_is_allowed_is_retrieved(source: FriendsSource) -> None:
    allowed = np.zeros(N_ITEMS, np.bool_)
    allowed[[ROW["rake"], ROW["novel"]]] = True
    assert titles_of(source.retrieve(replace(FeedQuery(NOW_MS, "ada"), allowed=allowed), 9)) == ["rake"]


def test_an_erased_user_who_comes_back_has_no_friends_any_more(bundle: Bundle, tmp_path: Path) -> None:
    shop = Shop.open(bundle, tmp_path / "state")

    def from_friends(user_id: str) -> bool:
        return any("friends" in card.sources for card in shop.walk(user_id))

    def explained(user_id: str) -> int | None:
        told = shop.pages.explain(FeedRequest(user_id), "item-novel").sources
        return next(finding.rank for finding in told if finding.source == "friends")

    assert from_friends("newcomer")
    assert explained("newcomer") is not None
    shop.state.remove_user("newcomer")
    assert not from_friends("newcomer")
    assert explained("newcomer") is None
    shop.state.close()
